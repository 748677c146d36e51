#!/usr/bin/env python3
"""A primary and its replica compare their rows: to catch up where the backlog has run out, to prove that
they are equal, and so to get rid of what was deleted."""

from harness.case import E2ETest, main, wait_until
from harness.cluster import SETTLE_TIMEOUT_S, Cluster

ROWS = 2000
DELETED = range(0, ROWS, 2)


def merkle(node):
    return node.fields("INFO", "merkle")


def dead_rows(node):
    return int(merkle(node)["merkle_rows"]) - node.keys()


class AntiEntropy(E2ETest):
    def setUp(self):
        options = ["--anti-entropy-interval", "1", "--repl-backlog-size", "16kb"]
        self.cluster = Cluster(self, 2, options=options).create(1)
        self.primary, self.replica = self.cluster.nodes
        for begin in range(0, ROWS, 100):
            self.primary.text("MSET", *(word for number in range(begin, begin + 100)
                                        for word in (f"{{t}}k{number}", f"value {number}")))
        wait_until(lambda: self.replica.keys() == ROWS, SETTLE_TIMEOUT_S, "the replica has all rows")

    def delete(self):
        self.primary.text("DEL", *(f"{{t}}k{number}" for number in DELETED))

    def wait_for_proof(self):
        wait_until(lambda: "equal_seconds_ago=0" in merkle(self.primary).get("merkle_replica0", ""),
                   SETTLE_TIMEOUT_S, "the replica is found equal")

    def wait_purged(self):
        for node in self.cluster.nodes:
            wait_until(lambda node=node: dead_rows(node) == 0, SETTLE_TIMEOUT_S,
                       "what was deleted is gone from the trees")

    def test_replicas_are_found_equal_while_rows_change(self):
        for number in range(50):
            self.primary.text("SET", "{t}k1", number)
        self.wait_for_proof()
        self.assertEqual(merkle(self.primary)["merkle_mended_rows"], "0")

    def test_deletions_go_once_the_replica_has_them(self):
        self.delete()
        self.wait_purged()
        self.assertEqual(int(merkle(self.primary)["merkle_purged_rows"]), len(DELETED))
        self.wait_for_proof()

    def test_nothing_is_purged_while_the_replica_is_away_and_nothing_comes_back(self):
        self.replica.kill()
        self.delete()
        for number in range(400):  # more than the backlog holds
            self.primary.text("SET", "{t}busy", f"{number} {'x' * 100}")
        sent = int(self.primary.fields("INFO", "stats")["total_net_repl_output_bytes"])
        # Long enough for several passes.
        begun = self.primary.fields("INFO", "server")["uptime_in_seconds"]
        wait_until(lambda: int(self.primary.fields("INFO", "server")["uptime_in_seconds"]) >=
                   int(begun) + 3, SETTLE_TIMEOUT_S, "three seconds pass")
        self.assertEqual(dead_rows(self.primary), len(DELETED))
        self.replica.start()
        wait_until(self.replica.is_linked, SETTLE_TIMEOUT_S, "the replica follows again")
        wait_until(lambda: self.replica.keys() == ROWS - len(DELETED) + 1, SETTLE_TIMEOUT_S,
                   "the replica has heard of the deletions")
        self.wait_purged()
        self.cluster.wait_ok()
        self.replica.text("READONLY")
        for node in self.cluster.nodes:
            found = sum(int(node.text("EXISTS", f"{{t}}k{number}")) for number in DELETED)
            self.assertEqual(found, 0)
        # It was told of what had changed; all rows would have been more.
        sent = int(self.primary.fields("INFO", "stats")["total_net_repl_output_bytes"]) - sent
        self.assertLess(sent, 120 * len(DELETED))

    def test_a_node_that_was_forgotten_brings_nothing_back(self):
        self.replica.kill()
        self.delete()
        replica = self.primary.nodes().keys() - {self.primary.id()}
        wait_until(lambda: any("fail" in peer["flags"] for peer in self.primary.nodes().values()),
                   SETTLE_TIMEOUT_S, "the replica is FAIL")
        self.primary.text("CLUSTER", "FORGET", replica.pop())
        wait_until(lambda: dead_rows(self.primary) == 0, SETTLE_TIMEOUT_S, "the deletions are purged")
        self.replica.start()
        self.cluster.meet(self.replica, self.primary)
        wait_until(self.replica.is_linked, SETTLE_TIMEOUT_S, "the replica follows again")
        wait_until(lambda: self.replica.keys() == ROWS - len(DELETED), SETTLE_TIMEOUT_S,
                   "the replica has dropped what was purged")
        self.assertEqual(self.primary.keys(), ROWS - len(DELETED))
        self.wait_purged()
        self.wait_for_proof()


if __name__ == "__main__":
    main()
