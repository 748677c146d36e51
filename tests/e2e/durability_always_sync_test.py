#!/usr/bin/env python3
"""With appendfsync always a reply leaves only after a sync, and pipelined writes share syncs.

Watches the server's system calls with strace; skipped where tracing isn't permitted.
"""

import os
import re
import shutil
import subprocess

from harness.case import E2ETest, main, wait_until
from harness.resp import encode

SYNC_DONE = re.compile(rb"(?:\b(?:fdatasync|fsync)\(\d+\)|<\.\.\. (?:fdatasync|fsync) resumed>\)?).*= 0")
REPLY = re.compile(rb"\b(?:write|writev|sendto|sendmsg)\(\d+,? .*\+OK\\r\\n")
CALLS = "fsync,fdatasync,sync_file_range,write,writev,sendto,sendmsg"


def tracing_permitted():
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True,
                          check=False).returncode == 0


class AlwaysSync(E2ETest):
    def setUp(self):
        if not tracing_permitted():
            self.skipTest("needs strace and the permission to trace")

    def traced_server(self, policy):
        server = self.new_server(appendfsync=policy)
        self.trace = os.path.join(server.home, "trace")
        server.wrapper = ["strace", "-f", "-s", "64", "-e", f"trace={CALLS}", "-o", self.trace]
        return server.start()

    def trace_since(self, offset, until):
        """The trace's bytes after `offset`, once they contain `until` (which is written late)."""
        def read():
            with open(self.trace, "rb") as trace:
                trace.seek(offset)
                data = trace.read()
            return data if until in data else None
        return wait_until(read, 30, f"{until} in the trace")

    def finish_marker(self, connection, name):
        """Makes the server send `name`, which then stands in the trace behind all before."""
        self.assert_reply(connection, ["ECHO", name], ("$", name.encode()))

    def syncs_and_replies(self, data):
        """The trace as a list of 'done' (a sync) and 'reply', in their order."""
        events = []
        for line in data.splitlines():
            if REPLY.search(line):
                events.append("reply")
            elif SYNC_DONE.search(line):
                events.append("done")
        return events

    def test_a_sync_ends_between_each_write_and_its_reply(self):
        server = self.traced_server("always")
        connection = self.connect(server)
        self.assert_reply(connection, ["SET", "first", "x"], ("+", b"OK"))
        offset = os.path.getsize(self.trace)
        for number in range(50):
            self.assert_reply(connection, ["SET", f"key{number}", "x"], ("+", b"OK"))
        self.finish_marker(connection, "end-of-writes")
        events = self.syncs_and_replies(self.trace_since(offset, b"end-of-writes"))
        self.assertEqual(events.count("reply"), 50, events)
        synced = False
        for event in events:
            if event == "reply":
                self.assertTrue(synced, f"a reply without a sync before it: {events}")
            synced = event == "done"

    def test_a_thousand_pipelined_writes_share_few_syncs(self):
        server = self.traced_server("always")
        connection = self.connect(server)
        self.assert_reply(connection, ["SET", "first", "x"], ("+", b"OK"))
        offset = os.path.getsize(self.trace)
        connection.send_raw(b"".join(encode("SET", f"key{i}", "value") for i in range(1000)))
        for _ in range(1000):
            self.assertEqual(connection.read(), ("+", b"OK"))
        self.finish_marker(connection, "end-of-writes")
        syncs = self.syncs_and_replies(self.trace_since(offset, b"end-of-writes")).count("done")
        print(f"1000 pipelined writes, {syncs} syncs", flush=True)
        self.assertGreaterEqual(syncs, 1)
        self.assertLessEqual(syncs, 50)

    def test_reads_need_no_sync(self):
        server = self.traced_server("always")
        connection = self.connect(server)
        self.assert_reply(connection, ["SET", "first", "x"], ("+", b"OK"))
        self.finish_marker(connection, "settled")
        offset = os.path.getsize(self.trace)
        for _ in range(100):
            self.assert_reply(connection, ["GET", "first"], ("$", b"x"))
        self.finish_marker(connection, "end-of-reads")
        self.assertNotIn("done",
                         self.syncs_and_replies(self.trace_since(offset, b"end-of-reads")))

    def test_everysec_syncs_within_two_seconds(self):
        server = self.traced_server("everysec")
        connection = self.connect(server)
        offset = os.path.getsize(self.trace)
        self.assert_reply(connection, ["SET", "first", "x"], ("+", b"OK"))

        def synced():
            with open(self.trace, "rb") as trace:
                trace.seek(offset)
                return SYNC_DONE.search(trace.read())
        self.assertTrue(wait_until(synced, 2, "a sync after a write under everysec"))


if __name__ == "__main__":
    main()
