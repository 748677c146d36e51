#!/usr/bin/env python3
"""Clients that know the cluster, all at once: six nodes serve them while slots move, key by key and as
ranges, and a primary dies and comes back. What they can't try again by themselves, but between its
death and the time when all is well again, is a failure; nothing that they wrote may be missing in the
end: what the dead primary hadn't passed on it hands over.
"""

import json
import os
import shutil
import subprocess
import time

from harness.case import E2ETest, main, wait_until
from harness.cluster import SETTLE_TIMEOUT_S, Cluster
from harness.node import install

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "smart")
NODE = os.environ["SYNTROPY_E2E_NODE"]
CLIENTS = {
    "redis-py": ["/usr/bin/python3", os.path.join(HERE, "load.py")],
    "ioredis": ["node", os.path.join(NODE, "load.js"), "ioredis"],
    "iovalkey": ["node", os.path.join(NODE, "load.js"), "iovalkey"],
    "node-redis": ["node", os.path.join(NODE, "load.js"), "node-redis"],
    "ruby-redis": ["ruby", os.path.join(HERE, "load.rb")],
    "php-redis": ["php", os.path.join(HERE, "load.php")],
}
PHASE_KEYS = 1500  # written by all of them together, until the next thing happens
LEAST_KEYS = 100


class SmartClients(E2ETest):
    def setUp(self):
        for program in ("node", "npm", "ruby", "php"):
            if not shutil.which(program):
                self.skipTest("needs node, npm, ruby-redis and php-redis")
        install(NODE)
        shutil.copy(os.path.join(HERE, "load.js"), NODE)  # beside the packages
        self.cluster = Cluster(self, 6).create(3)
        self.loads = {}

    def begin(self, name):
        load = subprocess.Popen([*CLIENTS[name], str(self.cluster[0].port), name],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
        self.addCleanup(load.kill)
        self.loads[name] = load

    def reshard(self, slots):
        """Key by key, from the first primary to the second."""
        done = subprocess.run(
            ["redis-cli", "--cluster", "reshard", f"127.0.0.1:{self.cluster[0].port}",
             "--cluster-from", self.cluster[0].id(), "--cluster-to", self.cluster[1].id(),
             "--cluster-slots", str(slots), "--cluster-yes"],
            capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)

    def move(self, first, last):
        """As ranges, from the third primary to the first."""
        source = self.cluster[2]
        source.text("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", first, last, "NODE", self.cluster[0].id())
        wait_until(lambda: "success" in str(source.call("CLUSTER", "GETSLOTMIGRATIONS")),
                   SETTLE_TIMEOUT_S, "they have gone")

    def primaries(self):
        return [node for node in self.cluster.nodes
                if node.server.process is not None and node.is_primary()]

    def go_on(self):
        """Until they have written some more."""
        def keys():
            return sum(node.keys() for node in self.primaries())

        wanted = keys() + PHASE_KEYS
        wait_until(lambda: keys() >= wanted, SETTLE_TIMEOUT_S, "the clients go on")

    def test_nothing_is_lost_while_slots_move_and_a_primary_dies(self):
        for name in CLIENTS:
            self.begin(name)
        self.go_on()
        self.reshard(300)
        self.move(14000, 15500)
        self.go_on()
        died = int(time.time() * 1000)
        self.cluster[1].kill()
        wait_until(lambda: self.cluster[0].is_ok() and len(self.primaries()) == 3,
                   SETTLE_TIMEOUT_S, "it is replaced")
        self.go_on()
        self.cluster[1].start()
        wait_until(self.cluster[1].is_linked, SETTLE_TIMEOUT_S, "it follows the one in its place")
        self.go_on()
        well = int(time.time() * 1000)
        for name, load in self.loads.items():
            with self.subTest(name):
                out, err = load.communicate(timeout=60)
                self.assertEqual(load.returncode, 0, err[-2000:])
                told = json.loads(out)
                self.assertEqual(told["wrong"], [])
                self.assertGreater(told["written"], LEAST_KEYS)
                self.assertEqual([error for error in told["errors"]
                                  if not died <= error[0] < well], [])

    def test_redis_benchmark_finds_all_nodes(self):
        done = subprocess.run(
            ["redis-benchmark", "--cluster", "-p", str(self.cluster[0].port), "-n", "20000", "-c", "20",
             "-P", "8", "-r", "1000", "-t", "set,get", "-q"],
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("Cluster has 3 master nodes", done.stdout)
        for command in ("SET", "GET"):
            self.assertRegex(done.stdout, command + r": [0-9.]+ requests per second")
        for node in self.cluster.nodes[:3]:
            self.assertGreater(node.keys(), 0)


if __name__ == "__main__":
    main()
