#!/usr/bin/env python3
"""On a full disk writes are refused and reads go on; with space again writes resume; nothing is lost.

The disk is a small tmpfs, for which the test must be root; skipped otherwise. It fills up several
times, with another amount of room each time, so that fullness meets the log in its midst and at its
beginning, flushes and compactions. SYNTROPY_SEED=<n> chooses other amounts.
"""

import os
import random
import subprocess
import tempfile

from harness.case import E2ETest, main, wait_until

MIB = 1 << 20
DISK_BYTES = 64 * MIB
BALLAST_BYTES = 52 * MIB
MAX_VALUE_BYTES = 64 * 1024
REFUSALS = 20
RESUME_TIMEOUT_S = 60


def mount_small_disk(path):
    """False when mounting isn't permitted."""
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", path],
                          capture_output=True, check=False).returncode == 0


class DiskFull(E2ETest):
    def setUp(self):
        self.disk = tempfile.mkdtemp(prefix="syntropy-disk-")
        self.addCleanup(os.rmdir, self.disk)
        if not mount_small_disk(self.disk):
            self.skipTest("needs the permission to mount a tmpfs (root)")
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=True)
        self.ballast = os.path.join(self.disk, "ballast")
        self.ballast_bytes = BALLAST_BYTES
        with open(self.ballast, "wb") as ballast:
            ballast.write(bytes(BALLAST_BYTES))
        self.room_bytes = (5 * MIB, 10 * MIB)
        self.random = random.Random(int(os.environ.get("SYNTROPY_SEED", "1")))
        self.acknowledged = {}
        self.next = 0

    def start(self, policy, write_buffer):
        server = self.new_server(appendfsync=policy, directory=os.path.join(self.disk, "data"))
        if not server.is_redis:
            server.args += ["--write-buffer-size", write_buffer]
        return server.start()

    def write(self, connection):
        """The reply to one SET of a new key; remembers it when acknowledged."""
        number, self.next = self.next, self.next + 1
        value = self.random.randbytes(self.random.randint(1, MAX_VALUE_BYTES))
        reply = connection.call("SET", f"key:{number}", value)
        if reply == ("+", b"OK"):
            self.acknowledged[number] = value
        return reply

    def assert_all_readable(self, connection):
        for number, value in self.acknowledged.items():
            self.assertEqual(connection.call("GET", f"key:{number}"), ("$", value), number)

    def fill(self, connection):
        """Writes until REFUSALS were refused (a little space may be found in between)."""
        refused = 0
        for _ in range(4 * DISK_BYTES // MAX_VALUE_BYTES):
            reply = self.write(connection)
            if reply != ("+", b"OK"):
                self.assertEqual(reply[0], "-")
                self.assertTrue(reply[1].startswith(b"MISCONF"), reply)
                refused += 1
                if refused == REFUSALS:
                    return
        self.fail("the disk never became full")

    def give_room(self):
        """Recovering takes some of it: as much as is in memory."""
        self.ballast_bytes -= self.random.randint(*self.room_bytes)
        os.truncate(self.ballast, self.ballast_bytes)

    def wait_writable(self, connection):
        wait_until(lambda: self.write(connection) == ("+", b"OK"), RESUME_TIMEOUT_S,
                   "writes resume once there is space")

    def skip_redis(self):
        if self.new_server().is_redis:
            self.skipTest("with appendfsync always Redis ends itself on a full disk")

    def full_again_and_again(self, policy, write_buffer, rounds):
        """Every other time the server is killed while it is full (Redis would lose data)."""
        server = self.start(policy, write_buffer)
        for round_number in range(rounds):
            connection = self.connect(server)
            self.fill(connection)
            print(f"{policy}: {len(self.acknowledged)} writes acknowledged, then refused",
                  flush=True)
            self.assert_all_readable(connection)
            if round_number % 2 == 0 or server.is_redis:
                self.give_room()
                self.wait_writable(connection)
            else:
                server.kill()
                self.give_room()
                server.start()
        os.remove(self.ballast)
        connection = self.connect(server)
        self.wait_writable(connection)
        for _ in range(20):
            self.assertEqual(self.write(connection), ("+", b"OK"))
        self.assert_all_readable(connection)
        server.restart()
        self.assert_all_readable(self.connect(server))

    def test_always(self):
        self.skip_redis()
        self.full_again_and_again("always", "1mb", rounds=4)

    def test_everysec(self):
        self.full_again_and_again("everysec", "1mb", rounds=4)

    def test_several_memtables(self):
        """Each of them has its log, and one is full when the disk is."""
        self.room_bytes = (16 * MIB, 24 * MIB)
        self.full_again_and_again("no", "16mb", rounds=2)


if __name__ == "__main__":
    main()
