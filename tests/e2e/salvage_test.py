#!/usr/bin/env python3
"""A node whose data directory has lost a table file doesn't start; `syntropy salvage` makes a store of
what is left; in a cluster it is mended from the others, and never taken for complete before."""

import glob
import os
import unittest

from harness.case import E2ETest, main, wait_until
from harness.cli import CLI, cli, node as address
from harness.cluster import SETTLE_TIMEOUT_S, SLOTS, Cluster

KEYS = 8000
BATCH = 500


def tables(server):
    return sorted(glob.glob(os.path.join(server.directory, "*.sst")), key=os.path.getsize)


def key(number):
    return f"{{t}}k{number}"


@unittest.skipUnless(os.access(CLI, os.X_OK), "no command line tool: set SYNTROPY_E2E_TOOLS")
class SalvageCase(E2ETest):
    def fill(self, call, names, value):
        names = list(names)
        for begin in range(0, len(names), BATCH):
            call("MSET", *(word for name in names[begin:begin + BATCH]
                           for word in (name, f"{value} of {name}")))

    def lose_largest_table(self, server):
        """Of a node that isn't running. Its name."""
        largest = tables(server)[-1]
        os.remove(largest)
        return os.path.basename(largest)

    def assert_start_names(self, server, *texts):
        open(server.log_path, "wb").close()
        server.launch()
        self.assertNotEqual(server.wait_exit(), 0)
        for text in texts:
            self.assertIn(text, server.log_tail())

    def salvage(self, server):
        """Its report."""
        code, report, error = cli("salvage", "--yes", server.directory)
        self.assertEqual(code, 0, error + report)
        self.assertIn("salvaged", report)
        print(report, flush=True)
        return report

    def lose_and_salvage(self, server):
        lost = self.lose_largest_table(server)
        self.assert_start_names(server, lost, f"syntropy salvage {server.directory}")
        code, report, error = cli("salvage", server.directory)
        self.assertEqual(code, 2, report)
        self.assertIn(lost, report)
        self.assertIn("--yes", error)
        report = self.salvage(server)
        code, verified, error = cli("verify", server.directory)
        self.assertEqual(code, 0, verified + error)
        code, again, _ = cli("salvage", server.directory)
        self.assertEqual(code, 0)
        self.assertIn("nothing was done", again)
        return report


class NodeAlone(SalvageCase):
    def test_goes_on_with_what_is_left_and_counts_it_rightly(self):
        server = self.start_server()
        for part in range(3):  # each in a table file of its own; four would be merged into one
            connection = self.connect(server)
            self.fill(connection.call, (f"k{number}" for number in range(part, KEYS, 3)),
                      "value" + "x" * 100)
            for number in range(part, KEYS, 30):
                connection.call("DEL", f"k{number}")
                connection.call("PEXPIRE", f"k{number + 3}", 10_000_000)
            server.restart() if part % 2 else server.kill()
            if server.process is None:
                server.start()
        server.kill()
        self.assertGreater(len(tables(server)), 1)
        report = self.lose_and_salvage(server)
        server.start()
        connection = self.connect(server)
        keys = connection.integer("DBSIZE")
        there = sum(connection.integer("EXISTS", f"k{number}") for number in range(KEYS))
        self.assertEqual(keys, there)
        self.assertGreater(keys, 0)
        self.assertLess(keys, KEYS)
        self.assertIn(f"{keys:,} keys", report)

    def test_running_node_is_left_alone(self):
        server = self.start_server()
        code, _, error = cli("salvage", "--yes", server.directory)
        self.assertEqual(code, 2)
        self.assertIn("in use", error)

    def test_sound_directory_is_left_as_it_is(self):
        server = self.start_server()
        self.connect(server).call("SET", "k", "v")
        server.stop()
        code, report, error = cli("salvage", "--yes", server.directory)
        self.assertEqual(code, 0, error)
        self.assertIn("nothing was done", report)
        server.start()
        self.assert_reply(self.connect(server), ["GET", "k"], ("$", b"v"))


class NodeOfACluster(SalvageCase):
    """The replica's rows lie in two table files, the records of the cluster in a third one: of the later
    rows, which are lost, the earlier file has older versions."""

    def setUp(self):
        self.cluster = Cluster(self, 2, options=["--anti-entropy-interval", "1"]).create(1)
        self.primary, self.replica = self.cluster.nodes
        self.restart_replica()
        self.write(range(KEYS // 4), "an older value")
        self.wait_copied(KEYS // 4)
        self.restart_replica()
        self.write(range(KEYS // 8, KEYS), "value" + "x" * 100)
        self.primary.text("DEL", *(key(number) for number in range(0, KEYS // 4, 2)))
        self.expected = KEYS - KEYS // 8
        self.wait_copied(self.expected)
        self.restart_replica()
        self.replica.kill()

    def restart_replica(self):
        """What was in its log is in a table file then."""
        self.replica.kill()
        self.replica.start()
        wait_until(self.replica.is_linked, SETTLE_TIMEOUT_S, "the replica follows")

    def write(self, numbers, value):
        self.fill(self.primary.text, map(key, numbers), value)

    def wait_copied(self, keys):
        wait_until(lambda: self.replica.keys() == keys, SETTLE_TIMEOUT_S, "the replica has all keys")

    def wait_equal(self):
        wait_until(self.replica.is_linked, SETTLE_TIMEOUT_S, "the replica follows again")
        self.wait_copied(self.expected)
        sides = [address(node.server) for node in self.cluster.nodes]
        wait_until(lambda: cli("compare", *sides)[0] == 0, SETTLE_TIMEOUT_S, "both have the same rows")
        self.assertEqual(self.primary.keys(), self.expected)

    def test_replica_is_made_equal_with_its_primary(self):
        report = self.lose_and_salvage(self.replica.server)
        self.assertIn("cluster     node ", report)
        self.assertIn(f"db0         {KEYS // 4:,} keys", report)
        self.replica.start()
        self.wait_equal()

    def test_replica_that_lost_rows_never_leads(self):
        """Its primary is away, and what is left of the replica is not all there is."""
        self.lose_and_salvage(self.replica.server)
        self.primary.kill()
        self.replica.start()
        def uptime():
            self.assertFalse(self.replica.is_primary())
            return int(self.replica.fields("INFO", "server")["uptime_in_seconds"])
        wait_until(lambda: uptime() >= 5, SETTLE_TIMEOUT_S, "five seconds pass")
        self.primary.start()
        self.wait_equal()


class PrimaryOfACluster(SalvageCase):
    def begin(self, node_timeout_ms):
        """Three primaries with replicas; the first one's, which has all its keys, is `replica`."""
        self.cluster = Cluster(self, 6, node_timeout_ms=node_timeout_ms).create(3)
        self.primary = self.cluster.owner_of_slot(0)
        self.replica = self.cluster.replica_of(self.primary)[0]
        names = [name for name in (f"k{number}" for number in range(KEYS))
                 if int(self.primary.text("CLUSTER", "KEYSLOT", name)) < SLOTS // 3]
        for name in names:
            self.primary.text("SET", name, f"value of {name} {'x' * 100}")
        self.keys = len(names)
        self.wait_all_keys(self.replica)

    def wait_all_keys(self, *nodes):
        for node in nodes:
            wait_until(lambda node=node: node.keys() == self.keys, SETTLE_TIMEOUT_S, "all keys are there")

    def salvage_primary(self):
        self.primary.kill()
        self.primary.start()  # what was in its log is in a table file then
        self.primary.kill()
        self.lose_and_salvage(self.primary.server)

    def test_is_replaced_by_its_replica_and_mended_from_it(self):
        self.begin(node_timeout_ms=10_000)  # it is back before it would be FAIL
        self.salvage_primary()
        self.primary.start()
        wait_until(lambda: self.cluster.owner_of_slot(0) is self.replica, SETTLE_TIMEOUT_S, "replaced")
        wait_until(self.primary.is_linked, SETTLE_TIMEOUT_S, "the former primary follows")
        self.wait_all_keys(self.primary, self.replica)

    def test_goes_on_and_is_mended_if_its_replica_cannot_be_elected(self):
        """A replica that hasn't heard of its primary since it started isn't elected."""
        self.begin(node_timeout_ms=1000)
        self.replica.kill()
        self.salvage_primary()
        self.replica.start()
        self.primary.start()
        self.wait_all_keys(self.replica, self.primary)


if __name__ == "__main__":
    main()
