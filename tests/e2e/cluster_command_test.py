#!/usr/bin/env python3
"""`syntropy cluster`: six processes become a cluster, grow, are balanced, shrink and fail over, with
data in them."""

import os
import subprocess

from harness.case import E2ETest, main, wait_until
from harness.cluster import SETTLE_TIMEOUT_S, Cluster

KEYS = 500
TOOL = os.path.join(os.environ["SYNTROPY_E2E_TOOLS"], "syntropy")


class ClusterCommand(E2ETest):
    def setUp(self):
        super().setUp()
        self.cluster = Cluster(self, 7)
        self.addresses = [f"127.0.0.1:{node.port}" for node in self.cluster.nodes]
        self.run_tool("create", *self.addresses[:6], "--replicas", "1", "--yes")
        self.spare = self.cluster.nodes.pop()
        for number in range(KEYS):
            slot = int(self.cluster[0].text("CLUSTER", "KEYSLOT", f"key:{number}"))
            self.cluster.owner_of_slot(slot).text("SET", f"key:{number}", number)

    def run_tool(self, name, *args, code=0, entry=0):
        done = subprocess.run([TOOL, "cluster", name, *map(str, args), "-p",
                               str(self.cluster[entry].port)],
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=180, check=False)
        text = done.stdout.decode() + done.stderr.decode()
        self.assertEqual(done.returncode, code, text)
        return text

    def check(self, nodes):
        self.cluster.wait_ok()
        text = self.run_tool("status")
        self.assertIn("16384 of 16384 slots have an owner", text)
        self.assertIn("the cluster is ok", text)
        self.assertEqual(text.count("127.0.0.1:"), nodes, text)
        def whole():
            return sum(node.keys() for node in self.cluster.nodes if node.is_primary()) == KEYS
        wait_until(whole, SETTLE_TIMEOUT_S, "all keys are there once")

    def test_grows_and_shrinks(self):
        self.check(6)
        self.assertIn("every primary has its share", self.run_tool("rebalance"))
        self.assertIn("say --yes", self.run_tool("add", self.addresses[6], code=2))
        self.run_tool("add", self.addresses[6], "--yes")
        self.cluster.nodes.append(self.spare)
        self.check(7)
        text = self.run_tool("rebalance", "--yes")
        self.assertIn(f"from {self.addresses[0]} to {self.addresses[6]}", text)
        self.assertIn("3 of 3: ", text)
        self.check(7)
        self.assertGreater(self.spare.keys(), KEYS // 8)
        text = self.run_tool("rebalance", "--weight", f"{self.addresses[6]}=0.5", "--yes")
        self.check(7)
        self.run_tool("remove", self.addresses[6], "--yes")
        self.cluster.nodes.remove(self.spare)
        self.cluster.wait_known(6)
        self.check(6)
        wait_until(lambda: len(self.spare.nodes()) == 1, SETTLE_TIMEOUT_S, "it is alone")

    def slot_stats(self, node, *args):
        """(slot, fields) of each."""
        told = []
        for _, (slot, (_, fields)) in node.call("CLUSTER", "SLOT-STATS", *args)[1]:
            values = [value for _, value in fields]
            told.append((int(slot[1]), {name.decode(): int(value) for name, value
                                        in zip(values[::2], values[1::2])}))
        return told

    def test_slots_are_shared_by_what_they_hold_and_by_what_they_cost(self):
        self.check(6)
        primaries = self.cluster.nodes[:3]
        hot = primaries[0]
        text = self.run_tool("rebalance", "--by", "traffic", code=2)
        self.assertIn("CONFIG SET cluster-slot-stats-enabled yes", text)
        for node in primaries:
            node.text("CONFIG", "SET", "cluster-slot-stats-enabled", "yes")
        mine = [number for number in range(KEYS)
                if self.cluster.owner_of_slot(
                    int(hot.text("CLUSTER", "KEYSLOT", f"key:{number}"))) is hot]
        for number in mine:  # "*2 $3 GET $5 key:1"
            hot.text("GET", f"key:{number}")
        slot = int(hot.text("CLUSTER", "KEYSLOT", f"key:{mine[0]}"))
        [(told, fields)] = self.slot_stats(hot, "SLOTSRANGE", slot, slot)
        self.assertEqual(told, slot)
        self.assertEqual(fields["key-count"], int(hot.text("CLUSTER", "COUNTKEYSINSLOT", slot)))
        self.assertGreaterEqual(fields["network-bytes-in"], 4 + 9 + len(f"$5\r\nkey:{mine[0]}\r\n"))
        # Nobody else was asked for anything: two thirds of the traffic go to them.
        text = self.run_tool("rebalance", "--by", "traffic", "--yes")
        self.assertIn(f"from {self.addresses[0]} to ", text)
        self.check(6)
        left = sum(1 for number in mine if self.cluster.owner_of_slot(
            int(hot.text("CLUSTER", "KEYSLOT", f"key:{number}"))) is hot)
        self.assertLess(abs(left - len(mine) / 3), len(mine) / 12)
        self.run_tool("rebalance", "--by", "keys", "--yes")
        self.check(6)
        for node in primaries:
            self.assertLess(abs(node.keys() - KEYS / 3), KEYS / 50)
            count = sum(fields["key-count"]
                        for _, fields in self.slot_stats(node, "ORDERBY", "key-count"))
            self.assertEqual(count, node.keys())
        self.assertIn("share already", self.run_tool("rebalance", "--by", "keys"))
        self.run_tool("rebalance", "--by", "bytes", "--yes")
        self.check(6)

    def test_a_replica_comes_and_takes_over(self):
        self.run_tool("add", self.addresses[6], "--replica-of", self.addresses[1], "--yes")
        self.cluster.nodes.append(self.spare)
        wait_until(self.spare.is_linked, SETTLE_TIMEOUT_S, "it follows")
        self.run_tool("failover", self.addresses[6], "--yes")
        self.assertTrue(self.spare.is_primary())
        self.check(7)
        self.assertIn("is a primary", self.run_tool("failover", self.addresses[6], "--yes", code=2))

    def test_what_cannot_be_is_refused(self):
        self.assertIn("is part of a cluster already",
                      self.run_tool("create", *self.addresses[:3], "--yes", code=2))
        self.assertIn("no node 'nobody'", self.run_tool("remove", "nobody", "--yes", code=2))
        self.assertIn("is not NODE=WEIGHT",
                      self.run_tool("rebalance", "--weight", self.addresses[0], "--yes", code=2))
        self.cluster[3].kill()
        wait_until(lambda: any("fail" in known["flags"]
                               for known in self.cluster[0].nodes().values()),
                   SETTLE_TIMEOUT_S, "it is seen to be down")
        self.assertIn("DOWN", self.run_tool("status", code=1))


if __name__ == "__main__":
    main()
