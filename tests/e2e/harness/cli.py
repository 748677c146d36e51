"""The command line tool, and what its reports on two sides say."""

import json
import os
import subprocess
import unittest

from harness.case import E2ETest

CLI = os.path.join(os.environ.get("SYNTROPY_E2E_TOOLS", ""), "syntropy")
BATCH = 5000
FAR = 4102444800000  # 2100, in ms
KINDS = ("missing_here", "missing_there", "different", "unsupported", "changing")


def cli(*args, **environment):
    """(exit code, standard output, standard error) of `syntropy args`."""
    done = subprocess.run([CLI, *map(str, args)], capture_output=True, text=True, timeout=600,
                          env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


def node(server):
    return f"127.0.0.1:{server.port}"


def key(number):
    """The name of one of many keys."""
    return f"key:{number:07}"


def setting(number):
    """The command that sets one of the many keys; every fifth expires."""
    command = ["SET", key(number), f"value of {number} " + "x" * (number % 50)]
    return command + ["PXAT", FAR + number] if number % 5 == 0 else command


def fill(connection, count):
    for begin in range(0, count, BATCH):
        commands = [setting(number) for number in range(begin, min(begin + BATCH, count))]
        assert connection.pipeline(commands) == [("+", b"OK")] * len(commands)


@unittest.skipUnless(os.access(CLI, os.X_OK), "no command line tool: set SYNTROPY_E2E_TOOLS")
class CompareCase(E2ETest):
    def compare(self, *args, command="compare", **environment):
        """(exit code, the summary)."""
        code, text, error = cli(command, *args, "--output", "json", "--max-keys", 1000,
                                **environment)
        self.assertIn(code, (0, 1), error)
        return code, json.loads(text)

    def found(self, report):
        """The keys of each kind that has any."""
        kinds = {}
        for kind in KINDS:
            keys = sorted(entry["key"].strip('"') for entry in report[kind]["first"])
            self.assertEqual(report[kind]["count"], len(keys))
            if keys:
                kinds[kind] = keys
        return kinds

    def assert_equal(self, *args, **environment):
        code, report = self.compare(*args, **environment)
        self.assertEqual((code, self.found(report)), (0, {}))
        self.assertTrue(report["equal"])
        return report
