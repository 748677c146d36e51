#!/usr/bin/env python3
"""`syntropy compare`, `repair` and `verify` row by row: nodes of the server under test, running and
stopped, and their snapshots.

SYNTROPY_COMPARE_KEYS says how many keys are copied (100,000)."""

import os
import threading
import time

from harness.case import main, wait_until
from harness.cli import FAR, CompareCase, cli, fill, key, node
from harness.cluster import Cluster
from harness.resp import Connection

KEYS = int(os.environ.get("SYNTROPY_COMPARE_KEYS", "100000"))


def contents(directory):
    """Path -> (size, time of the last change) of all that is in it."""
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            status = os.stat(path)
            found[path] = (status.st_size, status.st_mtime_ns)
    return found


class CompareRowsTest(CompareCase):
    def pair(self, count):
        """Two nodes with the same rows, and their connections."""
        one, other = self.start_server(), self.start_server()
        fill(self.connect(one), count)
        self.repair(node(one), node(other))
        return one, other

    def repair(self, *args):
        code, report = self.compare(*args, command="repair")
        self.assertEqual((code, report["repair"]["left"]), (0, 0), report)
        return report

    def change(self, one, other):
        """Changes rows on either side; what has to be found."""
        at_a, at_b = self.connect(one), self.connect(other)
        at_a.call("SET", "new at A", "x")
        at_a.call("DEL", key(1), key(2))
        at_b.call("SET", "new at B", "x")
        at_b.call("DEL", key(3))
        at_a.call("SET", key(4), "changed at A")
        at_b.call("APPEND", key(7), "!")
        at_b.call("PEXPIREAT", key(9), FAR)
        return {"missing_here": sorted([key(1), key(2), "new at B"]),
                "missing_there": sorted(["new at A", key(3)]),
                "different": [key(4), key(7), key(9)]}


class TwoNodes(CompareRowsTest):
    def test_copied_compared_changed_and_mended(self):
        one, other = self.start_server(), self.start_server()
        fill(self.connect(one), KEYS)
        a, b = node(one), node(other)
        started = time.monotonic()
        report = self.repair(a, b)
        print(f"{KEYS} keys copied in {time.monotonic() - started:.2f} s", flush=True)
        self.assertEqual(report["repair"]["copied_to_b"], KEYS)
        self.assertEqual(self.connect(other).integer("DBSIZE"), KEYS)

        started = time.monotonic()
        report = self.assert_equal(a, b)
        print(f"{KEYS} equal keys compared in {report['elapsed_ms']:.2f} ms, the process took "
              f"{(time.monotonic() - started) * 1000:.0f} ms", flush=True)
        self.assertEqual(report["keys_compared"], KEYS)
        self.assertEqual((report["proof"]["proven"], report["proof"]["round_trips"]), (True, 1))

        expected = self.change(one, other)
        code, report = self.compare(a, b)
        self.assertEqual((code, self.found(report)), (1, expected))
        self.assertTrue(report["proof"]["proven"])
        self.assertLess(report["bytes_a"] + report["bytes_b"], 100_000)

        code, report = self.compare(a, b, "--dry-run", command="repair")
        self.assertEqual((code, report["repair"]["copied_to_a"], report["repair"]["copied_to_b"],
                          report["repair"]["by_version"]), (1, 3, 2, 3))
        report = self.repair(a, b)
        self.assertEqual(self.found(report), expected)
        self.assertEqual(self.assert_equal(a, b)["keys_compared"], KEYS + 2)
        for server in (one, other):
            connection = self.connect(server)
            self.assertEqual(connection.call("GET", key(4)), ("$", b"changed at A"))
            self.assertEqual(connection.integer("PEXPIRETIME", key(9)), FAR)

    def test_directions(self):
        one, other = self.pair(100)
        self.connect(one).call("SET", "new at A", "x")
        self.connect(other).call("SET", "new at B", "x")
        a, b = node(one), node(other)
        code, report = self.compare(a, b, "--direction", "push", command="repair")
        self.assertEqual((code, report["repair"]["left"]), (1, 1))
        self.assertEqual(self.found(self.compare(a, b)[1]), {"missing_here": ["new at B"]})
        code, report = self.compare(a, b, "--direction", "pull", command="repair")
        self.assertEqual((code, report["repair"]["left"]), (0, 0))
        self.assert_equal(a, b)

    def test_text(self):
        one, other = self.pair(100)
        code, text, _ = cli("compare", node(one), node(other))
        self.assertEqual(code, 0)
        self.assertRegex(text, r"compared +100 rows in [0-9.]+ ms")
        self.assertIn("the sums of all rows agree", text)
        self.connect(one).call("SELECT", 3)
        connection = self.connect(other)
        connection.call("SELECT", 3)
        connection.call("SET", "k", "v")
        code, text, _ = cli("compare", node(one), node(other))
        self.assertEqual(code, 1)
        self.assertRegex(text, r'"k"  database 3')
        code, text, _ = cli("repair", node(one), node(other))
        self.assertEqual(code, 0)
        self.assertRegex(text, r"1 copied to A[\s\S]*mended: 1 key")

    def test_slots(self):
        one, other = self.pair(100)
        self.connect(one).call("SET", "{u}1", "x")
        self.connect(one).call("SET", "{v}1", "x")
        self.assertEqual(self.compare(node(one), node(other))[1]["keys_different"], 2)
        # "u" is of slot 11826, "v" of 7761.
        self.assertEqual(self.found(self.compare(node(one), node(other), "--slots", "0-9999")[1]),
                         {"missing_there": ["{v}1"]})

    def test_what_only_keys_have_goes_key_by_key(self):
        one, other = self.start_server(), self.start_server()
        for server in (one, other):
            fill(self.connect(server), 100)
        report = self.assert_equal(node(one), node(other), "--match", "key:*")
        self.assertNotIn("proof", report)
        # Written twice, they are other versions of what is the same.
        self.assertEqual(self.compare(node(one), node(other))[1]["different"]["count"], 100)
        self.repair(node(one), node(other))

    def test_rows_on_their_way_are_no_false_alarm(self):
        cluster = Cluster(self, 2).create(1)
        primary, replica = cluster[0], cluster[1]
        a, b = node(primary.server), node(replica.server)
        stopping = threading.Event()

        def write():
            with Connection(primary.port) as connection:
                number = 0
                while not stopping.is_set():
                    connection.pipeline([("SET", f"live:{(number + i) % 5000}", number)
                                         for i in range(50)])
                    number += 50

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(5):
                self.assert_equal(a, b)
        finally:
            stopping.set()
            writer.join()
        report = wait_until(lambda: self.settled(a, b), 30, "the replica has all rows")
        self.assertTrue(report["proof"]["proven"])

    def settled(self, a, b):
        _, report = self.compare(a, b)
        return report if report["proof"]["sessions"] == 1 and report["equal"] else None

    def test_a_replica_is_not_written_to(self):
        cluster = Cluster(self, 2).create(1)
        primary, replica = cluster[0], cluster[1]
        for args in ((node(primary.server), node(replica.server)),
                     (node(replica.server), node(primary.server))):
            code, _, error = cli("repair", *args)
            self.assertEqual(code, 2)
            self.assertRegex(error, r"follows 127\.0\.0\.1:\d+ .*repair at its primary")
        self.assertEqual(self.compare(node(primary.server), node(replica.server), "--dry-run",
                                      command="repair")[0], 0)

    def test_rows_go_only_where_their_slots_are_served(self):
        cluster = Cluster(self, 2).create(2)
        outside = self.start_server()
        self.connect(outside).pipeline([("SET", key(number), "x") for number in range(100)])
        code, _, error = cli("repair", node(outside), node(cluster[0].server))
        self.assertEqual(code, 2)
        self.assertIn("--slots", error)
        self.repair(node(outside), node(cluster[0].server), "--slots", "0-8191")
        self.repair(node(outside), node(cluster[1].server), "--slots", "8192-16383")
        self.assertEqual(cluster[0].keys() + cluster[1].keys(), 100)

    def test_what_cannot_be_compared_ends_with_2(self):
        one, other = self.start_server(), self.start_server("--merkle-trees", "no")
        code, _, error = cli("compare", node(one), node(other))
        self.assertEqual(code, 2)
        self.assertIn("merkle-trees yes", error)
        self.assert_equal(node(one), f"redis://{node(other)}")


class Directories(CompareRowsTest):
    def test_stopped_node_against_a_running_one(self):
        one, other = self.pair(5000)
        other.stop()
        before = contents(other.directory)
        self.assertEqual(self.assert_equal(node(one), other.directory)["keys_compared"], 5000)
        self.connect(one).call("SET", key(3), "changed")
        self.connect(one).call("SET", "new", "x")
        expected = {"missing_there": ["new"], "different": [key(3)]}
        self.assertEqual(self.found(self.compare(node(one), other.directory)[1]), expected)
        expected["missing_here"] = expected.pop("missing_there")
        self.assertEqual(self.found(self.compare(other.directory, node(one))[1]), expected)
        self.assertEqual(contents(other.directory), before, "compare has changed the directory")

        self.repair(node(one), other.directory)
        self.assert_equal(other.directory, node(one))
        code, text, _ = cli("verify", other.directory)
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"trees +5,001 rows are what was written")
        other.start()
        self.assertEqual(self.connect(other).call("GET", key(3)), ("$", b"changed"))
        self.assert_equal(node(one), node(other))

    def test_killed_node_and_snapshot(self):
        one, other = self.pair(5000)
        code, text, error = cli("snapshot", "-p", one.port)
        self.assertEqual(code, 0, error)
        snapshot = text.strip()
        self.assert_equal(snapshot, node(other))
        other.kill()
        self.assert_equal(snapshot, other.directory)
        self.repair(snapshot, other.directory, "--direction", "push")
        self.connect(one).call("DEL", key(8))
        self.assertEqual(self.found(self.compare(node(one), snapshot)[1]),
                         {"missing_here": [key(8)]})

    def test_expired_rows_of_a_stopped_node_are_not_there(self):
        one, other = self.pair(100)
        expiring = int(time.time() * 1000) + 1500
        self.connect(one).call("SET", "soon", "x", "PXAT", expiring)
        self.repair(node(one), node(other))
        other.stop()
        connection = self.connect(one)
        wait_until(lambda: connection.integer("DBSIZE") == 100, 30, "the key has expired")
        self.assert_equal(node(one), other.directory)

    def test_member_of_a_cluster(self):
        cluster = Cluster(self, 2).create(1)
        primary, replica = cluster[0], cluster[1]
        fill(self.connect(primary.server), 1000)
        primary.text("DEL", key(7))
        wait_until(lambda: replica.keys() == 999, 30, "the replica has all rows")
        replica.server.stop()
        self.assert_equal(node(primary.server), replica.server.directory)
        primary.text("SET", key(8), "changed")
        self.repair(node(primary.server), replica.server.directory, "--direction", "push")
        replica.start()
        wait_until(replica.is_linked, 60, "the replica follows again")
        self.assert_equal(node(primary.server), node(replica.server))

    def test_what_is_refused(self):
        one, other = self.pair(10)
        for args in ((node(one), other.directory), (one.directory + "/nothing", node(other)),
                     (node(one), one.directory + "/trees/")):
            for command in ("compare", "repair"):
                code, text, error = cli(command, *args)
                self.assertEqual((code, text), (2, ""), error)
        self.assertIn("in use", cli("compare", node(one), other.directory)[2])
        other.stop()
        code, _, error = cli("compare", node(one), other.directory, "--match", "x*")
        self.assertEqual(code, 2)
        self.assertIn("--match", error)


class VerifyNode(CompareRowsTest):
    def test_sound_node(self):
        server = self.start_server("--requirepass", "secret")
        connection = self.connect(server)
        connection.call("AUTH", "secret")
        fill(connection, 5000)
        code, text, error = cli("verify", node(server), SYNTROPY_PASSWORD="secret")
        self.assertEqual((code, error), (0, ""), text)
        self.assertIn("5,000 rows are what was written", text)
        self.assertIn("sound: no problems found", text)
        self.assertEqual(cli("verify", node(server))[0], 2)

    def test_no_node(self):
        server = self.start_server()
        server.stop()
        code, _, error = cli("verify", node(server))
        self.assertEqual(code, 2)
        self.assertIn(node(server), error)


if __name__ == "__main__":
    main()
