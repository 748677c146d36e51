#!/usr/bin/env python3
"""Real data: the Debian package index, one key a package, survives kill -9 byte for byte.

Loaded through redis-cli --pipe under each fsync policy. Without package lists the status file of
dpkg takes the index' place (the test says which it was).
"""

import subprocess
import time

from harness.case import E2ETest, main, wait_until
from harness.resp import encode

LEAST_PACKAGES_OF_INDEX = 10_000
READ_BATCH = 1000
EVERYSEC_SYNC_LIMIT_S = 10  # far above the second that it takes: the machine may be busy


def stanzas(text):
    """{package: its last stanza}"""
    found = {}
    for stanza in text.split(b"\n\n"):
        for line in stanza.splitlines():
            if line.startswith(b"Package: "):
                found[line[len(b"Package: "):].strip()] = stanza
                break
    return found


def package_index():
    """(where it is from, {package: stanza})"""
    try:
        dump = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=True).stdout
        packages = stanzas(dump)
        if len(packages) >= LEAST_PACKAGES_OF_INDEX:
            return "apt-cache dumpavail", packages
    except (OSError, subprocess.CalledProcessError):
        pass
    with open("/var/lib/dpkg/status", "rb") as status:
        return "/var/lib/dpkg/status", stanzas(status.read())


class DebianIndex(E2ETest):
    @classmethod
    def setUpClass(cls):
        try:
            cls.source, cls.packages = package_index()
        except OSError:
            cls.source, cls.packages = None, {}
        print(f"{len(cls.packages)} packages from {cls.source}", flush=True)

    def load(self, server):
        data = b"".join(encode("SET", name, stanza) for name, stanza in self.packages.items())
        finished = subprocess.run(["redis-cli", "-p", str(server.port), "--pipe"], input=data,
                                  capture_output=True, timeout=200, check=False)
        self.assertEqual(finished.returncode, 0, finished.stdout + finished.stderr)
        expected = f"errors: 0, replies: {len(self.packages)}".encode()
        self.assertIn(expected, finished.stdout)

    def assert_all_there(self, server):
        connection = self.connect(server)
        self.assertEqual(connection.integer("DBSIZE"), len(self.packages))
        names = list(self.packages)
        for begin in range(0, len(names), READ_BATCH):
            batch = names[begin:begin + READ_BATCH]
            for name, reply in zip(batch, connection.call("MGET", *batch)[1]):
                self.assertEqual(reply, ("$", self.packages[name]), name)

    def wait_synced(self, server):
        """Until the server says that all it was sent is on the disk."""
        connection = self.connect(server)
        synced = "aof_pending_bio_fsync:0" if server.is_redis else "aof_unsynced_writes:0"
        wait_until(lambda: synced in connection.text("INFO", "persistence").split(),
                   EVERYSEC_SYNC_LIMIT_S, synced)

    def load_kill_read(self, policy):
        if not self.packages:
            self.skipTest("neither apt-cache nor /var/lib/dpkg/status here")
        server = self.start_server(appendfsync=policy)
        begin = time.monotonic()
        self.load(server)
        loaded = time.monotonic()
        self.assert_all_there(server)
        if policy == "everysec":  # it promises nothing of what isn't synced yet
            self.wait_synced(server)
        server.kill()
        killed = time.monotonic()
        server.start()
        print(f"{policy}: loaded in {loaded - begin:.2f} s, "
              f"serves {time.monotonic() - killed:.2f} s after kill -9", flush=True)
        self.assert_all_there(server)

    def test_always(self):
        self.load_kill_read("always")

    def test_everysec(self):
        self.load_kill_read("everysec")


if __name__ == "__main__":
    main()
