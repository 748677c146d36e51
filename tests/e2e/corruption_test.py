#!/usr/bin/env python3
"""A damaged file stops the start with an error that names it and says what can be done.

The failed start must not make it worse: with the old bytes back the server starts with all its data.
"""

import glob
import os
import shutil

from harness.case import E2ETest, main
from harness.resp import encode

KEYS = 3000
ADVICE = r"(?i)restore|backup|repair|check-aof|replica"


def flip(path, position, count=8):
    """Inverts `count` bytes at `position` (from the end when negative)."""
    with open(path, "r+b") as file:
        file.seek(position, os.SEEK_END if position < 0 else os.SEEK_SET)
        data = file.read(count)
        file.seek(-len(data), os.SEEK_CUR)
        file.write(bytes(byte ^ 0xFF for byte in data))


class Corruption(E2ETest):
    def loaded_server(self):
        """A server that was killed with its data in table files and in the log."""
        server = self.start_server(appendfsync="always")
        self.write(server, 0)
        server.kill()
        server.start()  # recovery writes table files
        self.write(server, 1)
        server.kill()
        return server

    def write(self, server, generation):
        connection = self.connect(server)
        for begin in range(0, KEYS, 100):
            connection.send_raw(b"".join(
                encode("SET", f"g{generation}:{i}", f"value {i} " * 20)
                for i in range(begin, begin + 100)))
            for _ in range(100):
                self.assertEqual(connection.read(), ("+", b"OK"))

    def newest(self, server, pattern):
        found = glob.glob(os.path.join(server.directory, "**", pattern), recursive=True)
        found = [path for path in found if os.path.getsize(path) > 0]
        self.assertTrue(found, f"no {pattern} in {os.listdir(server.directory)}")
        return max(found, key=lambda path: (os.path.getmtime(path), path))

    def assert_start_stops(self, server, path):
        """Damaged at `path`: the start ends with an error that names the file."""
        open(server.log_path, "wb").close()
        server.launch()
        self.assertNotEqual(server.wait_exit(), 0)
        log = server.log_tail()
        self.assertIn(os.path.basename(path), log)
        self.assertRegex(log, ADVICE)

    def damage_and_mend(self, pattern, damage):
        server = self.loaded_server()
        path = self.newest(server, pattern)
        shutil.copy2(path, server.home)
        damage(path)
        self.assert_start_stops(server, path)
        self.assert_start_stops(server, path)  # not a matter of the first start alone
        shutil.copy2(os.path.join(server.home, os.path.basename(path)), path)
        server.start()
        connection = self.connect(server)
        self.assertEqual(connection.integer("DBSIZE"), 2 * KEYS)
        for generation in (0, 1):
            for i in range(0, KEYS, 97):
                self.assert_reply(connection, ["GET", f"g{generation}:{i}"],
                                  ("$", f"value {i} ".encode() * 20))

    def only(self, redis):
        if self.new_server().is_redis != redis:
            self.skipTest("names files of the other server")


class RedisFiles(Corruption):
    """That a damaged log stops the start is Redis' behaviour too."""

    def setUp(self):
        self.only(redis=True)

    def test_middle_of_the_append_only_file(self):
        self.damage_and_mend("*.incr.aof", lambda path: flip(path, os.path.getsize(path) // 2, 300))


class SyntropyFiles(Corruption):
    def setUp(self):
        self.only(redis=False)

    def test_table_file_footer(self):
        self.damage_and_mend("*.sst", lambda path: flip(path, -8))

    def test_table_file_missing(self):
        self.damage_and_mend("*.sst", os.remove)

    def test_table_file_truncated(self):
        self.damage_and_mend("*.sst", lambda path: os.truncate(path, os.path.getsize(path) // 2))

    def test_manifest(self):
        self.damage_and_mend("MANIFEST-*", lambda path: flip(path, 20))

    def test_manifest_missing(self):
        self.damage_and_mend("MANIFEST-*", os.remove)

    def test_current(self):
        self.damage_and_mend("CURRENT", lambda path: flip(path, 0))

    def test_current_empty(self):
        self.damage_and_mend("CURRENT", lambda path: os.truncate(path, 0))

    def test_middle_of_the_log(self):
        self.damage_and_mend("*.log", lambda path: flip(path, os.path.getsize(path) // 2))

    def test_start_of_the_log(self):
        self.damage_and_mend("*.log", lambda path: flip(path, 0))


if __name__ == "__main__":
    main()
