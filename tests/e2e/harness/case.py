"""The test case of all end-to-end tests: it owns servers and shows their logs when a test fails."""

import os
import sys
import unittest

from harness.resp import Connection
from harness.server import Server, server_under_test, wait_until

SKIP_EXIT_CODE = 77  # ctest's SKIP_RETURN_CODE for these tests


class E2ETest(unittest.TestCase):
    """start_server() as often as needed; everything is ended and removed after the test."""

    def run(self, result=None):
        self._servers = []
        result = self.defaultTestResult() if result is None else result
        failures, errors = len(result.failures), len(result.errors)
        try:
            super().run(result)
        finally:
            failed = result.failures[failures:] + result.errors[errors:]
            for test, why in failed:  # before the logs: whoever reads only so far knows what it was
                print(f"\n{test}: {why}", file=sys.stderr)
            for server in self._servers:
                if failed:
                    print(f"--- log of {server.binary} port {server.port}\n{server.log_tail()}---",
                          file=sys.stderr)
                server.close()
        return result

    def new_server(self, *args, binary=None, **options):
        """A server that isn't started yet."""
        server = Server(binary or server_under_test(), args, **options)
        self._servers.append(server)
        return server

    def start_server(self, *args, **options):
        """A running server. Positional arguments are command line options."""
        return self.new_server(*args, **options).start()

    def connect(self, server, **options):
        connection = Connection(server.port, **options)
        self.addCleanup(connection.close)
        return connection

    def assert_reply(self, connection, command, expected):
        """`command`: a list of arguments. `expected`: the reply as harness.resp describes it."""
        self.assertEqual(connection.call(*command), expected, f"reply to {command}")

    def assert_error(self, connection, command, prefix):
        reply = connection.call(*command)
        self.assertEqual(reply[0], "-", f"{command} answered {reply}")
        self.assertTrue(reply[1].startswith(prefix.encode()), f"{command} answered {reply}")


def main():
    """Runs the tests of the calling file. Exit code 77 when every test was skipped."""
    verbosity = 2 if os.environ.get("SYNTROPY_E2E_VERBOSE", "1") != "0" else 1
    program = unittest.main(module="__main__", exit=False, verbosity=verbosity)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIP_EXIT_CODE if result.testsRun == len(result.skipped) > 0 else 0)


__all__ = ["E2ETest", "main", "wait_until", "SKIP_EXIT_CODE"]
