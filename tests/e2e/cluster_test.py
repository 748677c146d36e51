#!/usr/bin/env python3
"""A cluster of real processes on loopback: it forms, redirects, replicates, and replaces a primary
that dies. What isn't marked otherwise runs against redis-server as well."""

import logging
import subprocess
import threading
import unittest

import redis
from redis.cluster import ClusterNode, RedisCluster

from harness.case import E2ETest, main, wait_until
from harness.cluster import SETTLE_TIMEOUT_S, Cluster
from harness.resp import Connection
from harness.server import free_port, server_under_test

REDIS = "redis" in server_under_test().rsplit("/", maxsplit=1)[-1]
CLIENT_ERRORS = (redis.exceptions.RedisError, redis.exceptions.RedisClusterException, OSError)


def not_for_redis(test):
    return unittest.skipIf(REDIS, "describes what differs from Redis")(test)


class ClusterTest(E2ETest):
    PRIMARIES, NODES = 3, 6
    OPTIONS = ()

    def setUp(self):
        self.cluster = Cluster(self, self.NODES, options=self.OPTIONS).create(self.PRIMARIES)

    def client(self):
        client = RedisCluster(startup_nodes=[ClusterNode("127.0.0.1", node.port)
                                             for node in self.cluster.nodes], socket_timeout=5)
        self.addCleanup(client.close)
        return client

    def cli(self, port, *arguments):
        finished = subprocess.run(["redis-cli", "-p", str(port), *map(str, arguments)],
                                  capture_output=True, timeout=120, check=False)
        return finished.stdout.decode() + finished.stderr.decode()

    def client_that_writes(self, key, value):
        """A client whose write of the key has succeeded. A new one for each try: the client of
        Debian 12 can't connect anew when the first node that it knows is gone."""
        clients = []

        def written():
            try:
                clients.append(self.client())
                return clients[-1].set(key, value)
            except CLIENT_ERRORS:
                return False
        wait_until(written, SETTLE_TIMEOUT_S, f"{key} is written")
        return clients[-1]


class Redirections(ClusterTest):
    def test_redis_cli_follows_them(self):
        for index, port in enumerate(node.port for node in self.cluster.nodes):
            self.assertEqual(self.cli(port, "-c", "SET", f"key:{index}", index), "OK\n")
        for index in range(self.NODES):
            self.assertEqual(self.cli(self.cluster[0].port, "-c", "GET", f"key:{index}"),
                             f"{index}\n")

    def test_the_errors_are_those_of_redis(self):
        first, second, third = self.cluster.nodes[:3]
        with Connection(first.port) as client:  # "b" is in slot 3300, "a" in 15495
            self.assert_reply(client, ["GET", "b"], ("$", None))
            self.assert_reply(client, ["SET", "a", "1"],
                              ("-", f"MOVED 15495 127.0.0.1:{third.port}".encode()))
            self.assert_error(client, ["MGET", "a", "b"], "CROSSSLOT ")
            self.assert_error(client, ["SELECT", "1"], "ERR SELECT is not allowed in cluster mode")
            self.assertEqual(client.call("MULTI")[0], "+")
            self.assert_error(client, ["GET", "a"], "MOVED 15495 ")
            self.assert_error(client, ["EXEC"], "EXECABORT ")
        with Connection(second.port) as client:
            self.assert_reply(client, ["GET", "b"],
                              ("-", f"MOVED 3300 127.0.0.1:{first.port}".encode()))

    def test_a_replica_answers_reads_after_readonly(self):
        primary, replica = self.cluster[0], self.cluster[3]
        primary.text("SET", "b", "1")
        moved = ("-", f"MOVED 3300 127.0.0.1:{primary.port}".encode())
        with Connection(replica.port) as client:
            self.assert_reply(client, ["GET", "b"], moved)
            self.assert_reply(client, ["READONLY"], ("+", b"OK"))
            wait_until(lambda: client.call("GET", "b") == ("$", b"1"), SETTLE_TIMEOUT_S,
                       "the replica has the row")
            self.assert_reply(client, ["SET", "b", "2"], moved)
            self.assert_error(client, ["FLUSHALL"], "READONLY ")
            self.assert_reply(client, ["READWRITE"], ("+", b"OK"))
            self.assert_reply(client, ["GET", "b"], moved)

    def test_python_client_uses_all_nodes(self):
        client = self.client()
        for index in range(500):
            client.set(f"key:{index}", index)
        self.assertEqual([client.get(f"key:{index}") for index in range(500)],
                         [str(index).encode() for index in range(500)])
        self.assertEqual(client.mget_nonatomic("key:1", "key:2", "key:3"), [b"1", b"2", b"3"])
        with client.pipeline() as pipeline:
            for index in range(100):
                pipeline.incr(f"key:{index}")
            self.assertEqual(pipeline.execute(), [index + 1 for index in range(100)])
        self.assertEqual(client.dbsize(target_nodes=RedisCluster.PRIMARIES), 500)
        self.assertTrue(all(node.keys() > 0 for node in self.cluster.nodes[:3]))


class Replication(ClusterTest):
    PRIMARIES, NODES = 1, 3

    def test_role_wait_and_info(self):
        primary, *replicas = self.cluster.nodes
        primary.text("SET", "b", "1")
        self.assertEqual(primary.call("WAIT", 2, 20000), (":", b"2"))
        offset = primary.call("ROLE")[1][1][1]
        listed = {(entry[1][0][1], int(entry[1][1][1])) for entry in primary.call("ROLE")[1][2][1]}
        self.assertEqual(listed, {(b"127.0.0.1", replica.port) for replica in replicas})
        info = primary.fields("INFO", "replication")
        self.assertEqual((info["role"], info["connected_slaves"]), ("master", "2"))
        self.assertIn("state=online", info["slave0"])
        for replica in replicas:
            kind, role = replica.call("ROLE")
            self.assertEqual([part[1] for part in role[:4]],
                             [b"slave", b"127.0.0.1", str(primary.port).encode(), b"connected"])
            self.assertGreaterEqual(int(role[4][1]), int(offset))
            info = replica.fields("INFO", "replication")
            self.assertEqual(info["master_replid"],
                             primary.fields("INFO", "replication")["master_replid"])
            self.assertEqual(replica.call("WAIT", 0, 0)[0], "-")

    def test_wait_gives_up(self):
        self.cluster[1].kill()
        self.cluster[2].kill()
        self.cluster[0].text("SET", "b", "1")
        self.assertEqual(self.cluster[0].call("WAIT", 1, 300), (":", b"0"))

    def test_too_few_replicas_refuse_writes(self):
        primary = self.cluster[0]
        primary.text("CONFIG", "SET", "min-replicas-to-write", "2", "min-replicas-max-lag", "2")
        self.assertEqual(primary.text("SET", "b", "1"), "OK")
        self.cluster[1].kill()
        wait_until(lambda: primary.call("SET", "b", "1") ==
                   ("-", b"NOREPLICAS Not enough good replicas to write."),
                   SETTLE_TIMEOUT_S, "writes are refused")
        self.assertEqual(primary.text("GET", "b"), "1")

    @not_for_redis
    def test_a_write_guarantee_holds_replies(self):
        primary = self.cluster[0]
        with Connection(primary.port) as client:
            self.assert_reply(client, ["CLIENT", "WRITE-ACKS", "ALL"], ("+", b"OK"))
            self.assert_reply(client, ["SET", "b", "1"], ("+", b"OK"))
            self.cluster[1].kill()
            self.assert_error(client, ["SET", "b", "2"], "NOREPLICAS ")
            self.assert_reply(client, ["CLIENT", "WRITE-ACKS", "MAJORITY"], ("+", b"OK"))
            self.assert_reply(client, ["SET", "b", "3"], ("+", b"OK"))
            self.cluster[2].kill()
            self.assert_error(client, ["SET", "b", "4"], "NOREPLICAS ")
            self.assert_reply(client, ["CLIENT", "WRITE-ACKS", "1"], ("+", b"OK"))
            self.assert_reply(client, ["SET", "b", "5"], ("+", b"OK"))


class Failover(ClusterTest):
    def test_writes_go_on_after_a_primary_dies_and_it_returns_as_a_replica(self):
        client = self.client()
        primary, replica = self.cluster[0], self.cluster[3]
        for index in range(200):
            client.set(f"before:{index}", index)
        primary.text("SET", "b", "acknowledged")
        self.assertEqual(primary.call("WAIT", 1, 20000), (":", b"1"))
        primary.kill()
        wait_until(replica.is_primary, SETTLE_TIMEOUT_S, "the replica takes over")
        client = self.client_that_writes("b", "after")
        self.assertEqual(client.get("b"), b"after")
        self.assertEqual(replica.nodes()[replica.id()]["slots"], ["0-5460"])
        for index in range(200):
            self.assertEqual(client.get(f"before:{index}"), str(index).encode())

        primary.start()
        wait_until(primary.is_linked, SETTLE_TIMEOUT_S, "the old primary follows the new one")
        self.cluster.wait_ok()
        with Connection(primary.port) as reader:
            reader.call("READONLY")
            wait_until(lambda: reader.call("GET", "b") == ("$", b"after"), SETTLE_TIMEOUT_S,
                       "the old primary has what it missed")

    def test_manual_failover_under_load_loses_nothing(self):
        client = self.client()
        primary, replica = self.cluster[0], self.cluster[3]
        done = threading.Event()
        counted = [0]

        def count():
            while not done.is_set():
                try:
                    client.incr("b")
                except CLIENT_ERRORS:
                    continue
                counted[0] += 1

        load = threading.Thread(target=count)
        load.start()
        try:
            wait_until(lambda: counted[0] > 100, SETTLE_TIMEOUT_S, "load runs")
            replica.text("CLUSTER", "FAILOVER")
            wait_until(replica.is_primary, SETTLE_TIMEOUT_S, "the replica takes over")
            reached = counted[0]
            wait_until(lambda: counted[0] > reached + 100, SETTLE_TIMEOUT_S, "writes go on")
        finally:
            done.set()
            load.join()
        wait_until(primary.is_linked, SETTLE_TIMEOUT_S, "the old primary follows the new one")
        # An increment whose reply was an error may have taken place; none that was answered is lost.
        self.assertGreaterEqual(int(client.get("b")), counted[0])
        self.cluster.wait_ok()

    def test_forced_failover_of_a_dead_primary_and_takeover(self):
        self.cluster[0].kill()
        replica = self.cluster[3]

        def forced():
            replica.call("CLUSTER", "FAILOVER", "FORCE")
            return replica.is_primary()
        wait_until(forced, SETTLE_TIMEOUT_S, "the replica takes over")
        other = self.cluster[4]
        other.text("CLUSTER", "FAILOVER", "TAKEOVER")
        wait_until(other.is_primary, SETTLE_TIMEOUT_S, "it takes over alone")
        wait_until(self.cluster[1].is_linked, SETTLE_TIMEOUT_S, "its primary follows")
        self.cluster.wait_ok(self.cluster.nodes[1:])


class Membership(ClusterTest):
    PRIMARIES, NODES = 3, 4

    def test_a_node_is_forgotten_reset_met_again_and_made_a_replica(self):
        stays, leaves = self.cluster.nodes[:3], self.cluster[3]
        name = leaves.id()
        for node in stays:
            self.assertEqual(node.call("CLUSTER", "FORGET", name), ("+", b"OK"))
        self.cluster.wait_known(3, stays)
        self.assertEqual(leaves.text("CLUSTER", "RESET", "HARD"), "OK")
        self.assertNotEqual(leaves.id(), name)
        self.assertEqual(leaves.keys(), 0)
        self.assertEqual(len(leaves.nodes()), 1)

        self.cluster.meet(self.cluster[1], leaves)
        self.cluster.wait_known(4)
        self.assertEqual(leaves.text("CLUSTER", "REPLICATE", self.cluster[2].id()), "OK")
        wait_until(leaves.is_linked, SETTLE_TIMEOUT_S, "it follows its new primary")
        wait_until(lambda: self.cluster.replica_of(self.cluster[2]) == [leaves], SETTLE_TIMEOUT_S,
                   "its primary knows")
        wait_until(lambda: self.cluster[0].nodes()[leaves.id()]["primary"] == self.cluster[2].id(),
                   SETTLE_TIMEOUT_S, "the others hear of it")
        self.assertNotIn(name, self.cluster[0].nodes())

    def test_all_nodes_write_the_same_slots(self):
        views = []
        for node in self.cluster.nodes:
            views.append({peer: known["slots"] for peer, known in node.nodes().items()})
        self.assertTrue(all(view == views[0] for view in views), views)
        self.assertEqual(sorted(slots for [slots] in filter(None, views[0].values())),
                         ["0-5460", "10922-16383", "5461-10921"])

    def test_redis_cli_checks_and_deletes(self):
        report = self.cli(self.cluster[0].port, "--cluster", "check",
                          f"127.0.0.1:{self.cluster[0].port}")
        self.assertIn("[OK] All nodes agree about slots configuration.", report)
        self.assertIn("[OK] All 16384 slots covered.", report)
        name = self.cluster[3].id()
        report = self.cli(self.cluster[0].port, "--cluster", "del-node",
                          f"127.0.0.1:{self.cluster[0].port}", name)
        self.assertNotIn("ERR", report)
        self.cluster.wait_known(3, self.cluster.nodes[:3])


class Creation(E2ETest):
    def test_redis_cli_creates_a_cluster(self):
        cluster = Cluster(self, 6)
        addresses = [f"127.0.0.1:{node.port}@{node.bus_port}" for node in cluster.nodes]
        finished = subprocess.run(
            ["redis-cli", "--cluster", "create", *addresses, "--cluster-replicas", "1",
             "--cluster-yes"], capture_output=True, timeout=120, check=False)
        report = finished.stdout.decode() + finished.stderr.decode()
        self.assertEqual(finished.returncode, 0, report)
        self.assertIn("[OK] All 16384 slots covered.", report)
        cluster.wait_ok()
        replicas = [node for node in cluster.nodes if not node.is_primary()]
        self.assertEqual(len(replicas), 3)
        for replica in replicas:
            wait_until(replica.is_linked, SETTLE_TIMEOUT_S, "replicas follow")

    @not_for_redis  # which, loading its AOF, puts them into database 0
    def test_a_node_with_keys_in_other_databases_does_not_start(self):
        server = self.start_server()
        with Connection(server.port) as client:
            client.call("SELECT", 1)
            client.call("SET", "b", "1")
        server.stop()
        server.args += ["--cluster-enabled", "yes"]
        server.args += ["--cluster-port", str(free_port())]
        server.launch()
        self.assertNotEqual(server.wait_exit(), 0)

    def test_redis_cli_moves_empty_slots(self):
        cluster = Cluster(self, 3).create(3)
        finished = subprocess.run(
            ["redis-cli", "--cluster", "reshard", f"127.0.0.1:{cluster[0].port}",
             "--cluster-from", cluster[0].id(), "--cluster-to", cluster[1].id(),
             "--cluster-slots", "3", "--cluster-yes"], capture_output=True, timeout=120, check=False)
        self.assertEqual(finished.returncode, 0, finished.stdout + finished.stderr)
        cluster.wait_ok()
        self.assertEqual([cluster.owner_of_slot(slot) for slot in (0, 1, 2, 3)],
                         [cluster[1]] * 3 + [cluster[0]])

    def test_a_cluster_comes_back_after_all_were_killed(self):
        cluster = Cluster(self, 4).create(2)
        names = [node.id() for node in cluster.nodes]
        cluster[0].text("SET", "b", "1")
        self.assertEqual(cluster[0].call("WAIT", 1, 20000), (":", b"1"))
        for node in cluster.nodes:
            node.kill()
        for node in cluster.nodes:
            node.start()
        cluster.wait_ok()
        self.assertEqual([node.id() for node in cluster.nodes], names)
        owner = cluster.owner_of_slot(3300)
        self.assertEqual(owner.text("GET", "b"), "1")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # the client logs every node that it doesn't reach
    main()
