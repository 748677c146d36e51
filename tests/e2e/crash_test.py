#!/usr/bin/env python3
"""kill -9 under load loses no acknowledged write and tears none.

crash_load.cc writes (single keys, MSET, transactions, overwrites, counters, deletions) and judges.
SYNTROPY_SOAK=1 runs 25 rounds instead of 5. Between some rounds the server is killed again while it
recovers.
"""

import os
import random
import subprocess
import tempfile
import time

from harness.case import E2ETest, main

ROUNDS = 25 if os.environ.get("SYNTROPY_SOAK") == "1" else 5
CLIENTS = 32
EVERYSEC_MAY_LOSE_MS = 2000


class Crash(E2ETest):
    def setUp(self):
        self.tool = os.path.join(os.environ["SYNTROPY_E2E_TOOLS"], "syntropy_crash_load")
        journals = tempfile.TemporaryDirectory(prefix="syntropy-crash-")
        self.addCleanup(journals.cleanup)
        self.journals = journals.name
        seed = random.randrange(1 << 32)
        print(f"seed of the moments: {seed}", flush=True)
        self.random = random.Random(seed)

    def load_and_kill(self, server, round_number, most_operations, at_least_ms=0):
        """Kills the server once a random number of operations is acknowledged; when (ms)."""
        announce = self.random.randint(100, most_operations)
        load = subprocess.Popen(
            [self.tool, "load", "--port", str(server.port), "--dir", self.journals, "--round",
             str(round_number), "--clients", str(CLIENTS), "--announce", str(announce),
             "--at-least-ms", str(at_least_ms)],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(load.stdout.close)
        self.assertEqual(load.stdout.readline(), "reached\n")
        killed_at_ms = time.monotonic_ns() // 1_000_000
        server.kill()
        self.assertEqual(load.wait(60), 0)
        return killed_at_ms

    def verify(self, server, *arguments):
        finished = subprocess.run(
            [self.tool, "verify", "--port", str(server.port), "--dir", self.journals, *arguments],
            capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(finished.returncode, 0, finished.stdout + finished.stderr[:3000])
        return finished.stdout.strip()

    def test_always_loses_nothing(self):
        server = self.start_server(appendfsync="always")
        for round_number in range(ROUNDS):
            self.load_and_kill(server, round_number, most_operations=6000)
            if round_number % 3 == 1:
                server.launch()
                server.kill()
            server.start()
            print(f"round {round_number}:", self.verify(server, "--round", str(round_number)),
                  flush=True)
        print("all rounds:", self.verify(server), flush=True)

    def test_everysec_loses_at_most_two_seconds(self):
        for round_number in range(max(2, ROUNDS // 5)):
            server = self.start_server(appendfsync="everysec")
            killed_at = self.load_and_kill(server, round_number, most_operations=100_000,
                                           at_least_ms=2 * EVERYSEC_MAY_LOSE_MS)
            server.start()
            print(f"round {round_number}:", self.verify(
                server, "--round", str(round_number),
                "--lost-after", str(killed_at - EVERYSEC_MAY_LOSE_MS)), flush=True)
            server.stop()


if __name__ == "__main__":
    main()
