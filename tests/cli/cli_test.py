#!/usr/bin/env python3
"""The command line tool as people and scripts use it, on nodes of its own."""

import glob
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from harness.case import E2ETest, main  # noqa: E402
from harness.server import free_port  # noqa: E402

CLI = os.environ.get("SYNTROPY_CLI", "syntropy")


def run(*args, **environment):
    """(exit code, standard output, standard error) of `syntropy args`."""
    done = subprocess.run([CLI, *map(str, args)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **environment})
    return done.returncode, done.stdout, done.stderr


def tree(directory):
    """Path -> (size, time of the last change) of all that is in it."""
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names + ["."]:
            status = os.stat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = (status.st_size, status.st_mtime_ns)
    return found


class Help(E2ETest):
    def test_version(self):
        self.assertRegex(run("--version")[1], r"^syntropy \d+\.\d+\.\d+")
        self.assertRegex(run("version")[1], r"^syntropy \d+\.\d+\.\d+ .*format 1.*Redis 7\.0")

    def test_help_teaches(self):
        code, text, _ = run("--help")
        self.assertEqual(code, 0)
        for word in ("status", "snapshot", "verify", "compare", "repair", "version", "Examples"):
            self.assertIn(word, text)
        for command in ("status", "snapshot", "verify", "compare", "repair"):
            code, text, _ = run(command, "--help")
            self.assertEqual(code, 0)
            self.assertIn("Exit code", text)
            self.assertIn("Example", text)

    def test_mistakes_are_told_from_bad_news(self):
        for args in ((), ("nosuch",), ("status", "--nosuch"), ("verify",), ("status", "-p", "x"),
                     ("compare", "a:1"), ("compare", "a:1", "b:1", "--slots", "16384"),
                     ("compare", "a:1", "b:1", "--delete"),
                     ("repair", "a:1", "b:1", "--direction", "both", "--delete")):
            code, _, error = run(*args)
            self.assertGreater(code, 100, args)
            self.assertTrue(error, args)


class Status(E2ETest):
    def test_healthy_node(self):
        server = self.start_server()
        connection = self.connect(server)
        connection.call("SET", "k", "v")
        connection.call("SET", "t", "v", "EX", "100")
        code, text, error = run("status", "-p", server.port)
        self.assertEqual((code, error), (0, ""))
        self.assertIn(f"127.0.0.1:{server.port}: healthy", text)
        self.assertIn("db0  2, 1 of them with an expiry", text)
        self.assertIn("appendfsync everysec", text)
        self.assertLess(text.count("\n"), 24)

    def test_json(self):
        server = self.start_server(appendfsync="always")
        self.connect(server).call("SET", "k", "v")
        code, text, _ = run("status", "-p", server.port, "--json")
        status = json.loads(text)
        self.assertEqual(code, 0)
        self.assertIs(status["healthy"], True)
        self.assertEqual(status["role"], "primary")
        self.assertEqual(status["databases"], [{"number": 0, "keys": 1, "expiring": 0}])
        self.assertEqual(status["durability"]["policy"], "always")
        self.assertGreater(status["durability"]["last_sync_ms"], 1_600_000_000_000)

    def test_unreachable_node(self):
        port = free_port()
        code, text, error = run("status", "-p", port)
        self.assertEqual((code, text), (2, ""))
        self.assertIn(f"127.0.0.1:{port}", error)
        code, text, _ = run("status", "-p", port, "--json")
        self.assertEqual(code, 2)
        self.assertIs(json.loads(text)["healthy"], False)

    def test_password(self):
        server = self.start_server("--requirepass", "secret")
        code, _, error = run("status", "-p", server.port)
        self.assertEqual(code, 2)
        self.assertIn("NOAUTH", error)
        self.assertEqual(run("status", "-p", server.port, "-a", "wrong")[0], 2)
        self.assertEqual(run("status", "-p", server.port, "-a", "secret")[0], 0)
        self.assertEqual(run("status", "-p", server.port, SYNTROPY_PASSWORD="secret")[0], 0)

    def test_unix_socket(self):
        server = self.new_server()
        path = os.path.join(server.home, "node.sock")
        server.args += ["--unixsocket", path]
        server.start()
        code, text, _ = run("status", "-s", path)
        self.assertEqual(code, 0)
        self.assertIn(f"{path}: healthy", text)


class Snapshot(E2ETest):
    def test_snapshot_is_a_store_by_itself(self):
        server = self.start_server()
        connection = self.connect(server)
        for i in range(1000):
            connection.call("SET", f"k{i}", "v" * 100)
        code, text, error = run("snapshot", "-p", server.port)
        self.assertEqual((code, error), (0, ""))
        path = text.strip()
        self.assertEqual(os.path.dirname(path), os.path.join(server.directory, "snapshots"))
        self.assertIn(os.path.basename(path), run("status", "-p", server.port)[1])

        before = tree(path)
        code, text, error = run("verify", path)
        self.assertEqual((code, error), (0, ""), text)
        self.assertIn("1,000 keys", text)
        self.assertIn("sound: no problems found", text)
        self.assertEqual(tree(path), before, "verify has changed the snapshot")
        self.assertNotEqual(run("snapshot", "-p", server.port)[1].strip(), path)

    def test_unreachable_node(self):
        self.assertEqual(run("snapshot", "-p", free_port())[0], 2)


class Verify(E2ETest):
    def filled(self, restart=True):
        """A stopped server with rows in table files and in the log."""
        server = self.start_server(appendfsync="always")
        connection = self.connect(server)
        for i in range(500):
            connection.call("SET", f"k{i}", f"value {i} " * 20, *(("EX", "1000") if i % 5 == 0 else ()))
        connection.call("SAVE")  # writes table files
        for i in range(100):
            connection.call("DEL", f"k{i}")
        connection.call("SELECT", "3")
        connection.call("INCR", "counter")
        server.kill()
        return server

    def test_sound_directory_after_a_crash(self):
        server = self.filled()
        before = tree(server.directory)
        code, text, error = run("verify", server.directory)
        self.assertEqual((code, error), (0, ""), text)
        self.assertRegex(text, r"table files +(\d+) of \1 sound")
        self.assertRegex(text, r"db0 +400 keys, 80 of them with an expiry")
        self.assertRegex(text, r"db3 +1 keys")
        self.assertEqual(tree(server.directory), before, "verify has changed the directory")
        server.start()
        self.assert_reply(self.connect(server), ["DBSIZE"], (":", b"400"))

    def test_running_node_is_left_alone(self):
        server = self.start_server()
        code, _, error = run("verify", server.directory)
        self.assertEqual(code, 2)
        self.assertIn("in use", error)
        self.assert_reply(self.connect(server), ["PING"], ("+", b"PONG"))

    def test_damaged_table_file_is_named(self):
        server = self.filled()
        path = max(glob.glob(os.path.join(server.directory, "*.sst")), key=os.path.getsize)
        with open(path, "r+b") as file:
            file.seek(100)
            file.write(b"damage")
        code, text, _ = run("verify", server.directory)
        self.assertEqual(code, 1, text)
        self.assertRegex(text, rf"PROBLEM +a table file is damaged: .*{os.path.basename(path)}")
        self.assertIn("DAMAGED", text)

    def test_damaged_log_is_named(self):
        server = self.filled()
        path = max(glob.glob(os.path.join(server.directory, "*.log")), key=os.path.getsize)
        with open(path, "r+b") as file:
            file.seek(20)
            file.write(b"damage")
        code, text, _ = run("verify", server.directory)
        self.assertEqual(code, 1, text)
        self.assertRegex(text, rf"PROBLEM .*{os.path.basename(path)} is damaged")

    def test_missing_table_file_is_damage(self):
        server = self.filled()
        path = max(glob.glob(os.path.join(server.directory, "*.sst")), key=os.path.getsize)
        os.remove(path)
        code, text, error = run("verify", server.directory)
        self.assertEqual(code, 1, text + error)
        self.assertIn(os.path.basename(path), text + error)

    def test_what_is_no_store(self):
        server = self.new_server()
        self.assertEqual(run("verify", server.home)[0], 2)
        self.assertEqual(run("verify", os.path.join(server.home, "nothing"))[0], 2)
        self.assertEqual(os.listdir(server.directory), [], "verify has made something")


if __name__ == "__main__":
    main()
