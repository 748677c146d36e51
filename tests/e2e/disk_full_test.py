#!/usr/bin/env python3
"""On a full disk writes are refused and reads go on; with space again writes resume; nothing is lost.

The disk is a small tmpfs, for which the test must be root; skipped otherwise.
"""

import os
import random
import subprocess
import tempfile

from harness.case import E2ETest, main, wait_until

DISK_MIB = 160
BALLAST_MIB = 60
VALUE_BYTES = 32 * 1024
REFUSALS = 20
RESUME_TIMEOUT_S = 60


def mount_small_disk(path):
    """False when mounting isn't permitted."""
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", path],
                          capture_output=True, check=False).returncode == 0


class DiskFull(E2ETest):
    def setUp(self):
        self.disk = tempfile.mkdtemp(prefix="syntropy-disk-")
        self.addCleanup(os.rmdir, self.disk)
        if not mount_small_disk(self.disk):
            self.skipTest("needs the permission to mount a tmpfs (root)")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)
        self.ballast = os.path.join(self.disk, "ballast")
        with open(self.ballast, "wb") as ballast:
            ballast.write(bytes(BALLAST_MIB << 20))
        self.random = random.Random(1)
        self.acknowledged = {}

    def write(self, connection, number):
        """The reply to one SET; remembers it when acknowledged."""
        value = self.random.randbytes(VALUE_BYTES)
        reply = connection.call("SET", f"key:{number}", value)
        if reply == ("+", b"OK"):
            self.acknowledged[number] = value
        return reply

    def assert_all_readable(self, connection):
        for number, value in self.acknowledged.items():
            self.assertEqual(connection.call("GET", f"key:{number}"), ("$", value), number)

    def fill(self, connection):
        """Writes until REFUSALS were refused (a little space may be found in between); the number
        of the last refused one."""
        refused = 0
        for number in range((DISK_MIB << 20) // VALUE_BYTES):
            reply = self.write(connection, number)
            if reply != ("+", b"OK"):
                self.assertEqual(reply[0], "-")
                self.assertTrue(reply[1].startswith(b"MISCONF"), reply)
                refused += 1
                if refused == REFUSALS:
                    return number
        self.fail("the disk never became full")

    def skip_redis(self):
        if self.new_server().is_redis:
            self.skipTest("with appendfsync always Redis ends itself on a full disk")

    def full_then_free(self, policy):
        server = self.start_server(appendfsync=policy, directory=os.path.join(self.disk, "data"))
        connection = self.connect(server)
        refused = self.fill(connection)
        print(f"{policy}: {len(self.acknowledged)} writes acknowledged, then refused", flush=True)
        self.assert_all_readable(connection)

        os.remove(self.ballast)
        wait_until(lambda: self.write(connection, refused) == ("+", b"OK"), RESUME_TIMEOUT_S,
                   "writes resume once there is space")
        for number in range(refused + 1, refused + 20):
            self.assertEqual(self.write(connection, number), ("+", b"OK"))
        self.assert_all_readable(connection)
        return server

    def test_always(self):
        self.skip_redis()
        server = self.full_then_free("always")
        server.kill()
        server.start()
        self.assert_all_readable(self.connect(server))

    def test_everysec(self):
        server = self.full_then_free("everysec")
        server.restart()
        self.assert_all_readable(self.connect(server))

    def test_started_on_a_full_disk_nothing_is_lost(self):
        """A server killed on a full disk comes back once there is space, with all its data."""
        self.skip_redis()
        server = self.start_server(appendfsync="always", directory=os.path.join(self.disk, "data"))
        self.fill(self.connect(server))
        server.kill()
        os.remove(self.ballast)
        server.start()
        connection = self.connect(server)
        self.assert_all_readable(connection)
        self.assertEqual(self.write(connection, 1_000_000), ("+", b"OK"))


if __name__ == "__main__":
    main()
