#!/usr/bin/env python3
"""Publish and subscribe, through python3-redis and redis-cli: on one node, and over the bus of a
cluster. What isn't marked otherwise runs against redis-server as well."""

import subprocess
import time

import redis

from harness.case import E2ETest, main, wait_until
from harness.cluster import Cluster

TIMEOUT_S = 10


class Listener:
    """A client that listens; `messages()` are those that came so far."""

    def __init__(self, test, port, **options):
        self.client = redis.Redis(host="127.0.0.1", port=port, socket_timeout=TIMEOUT_S, **options)
        self.pubsub = self.client.pubsub()
        self.got = []
        test.addCleanup(self.client.close)
        test.addCleanup(self.pubsub.close)

    def messages(self):
        while (message := self.pubsub.get_message(timeout=0.01)) is not None:
            if "message" in message["type"]:
                self.got.append((message["channel"], message["data"]))
        return self.got

    def wait_for(self, count):
        wait_until(lambda: len(self.messages()) >= count, TIMEOUT_S, f"{count} messages")
        return self.got


class OneNode(E2ETest):
    def setUp(self):
        self.server = self.start_server()
        self.client = redis.Redis(host="127.0.0.1", port=self.server.port, socket_timeout=TIMEOUT_S)
        self.addCleanup(self.client.close)

    def test_messages_come_in_order_and_whole(self):
        listener = Listener(self, self.server.port)
        listener.pubsub.subscribe("numbers")
        listener.pubsub.psubscribe("big*")
        wait_until(lambda: self.client.pubsub_numpat() == 1, TIMEOUT_S, "it listens")
        for number in range(1000):
            self.client.publish("numbers", number)
        self.assertEqual([data for _, data in listener.wait_for(1000)],
                         [b"%d" % n for n in range(1000)])
        large = b"x" * 2_000_000
        self.assertEqual(self.client.publish("big one", large), 1)
        self.assertEqual(listener.wait_for(1001)[-1], (b"big one", large))

    def test_many_listeners(self):
        listeners = [Listener(self, self.server.port) for _ in range(50)]
        for listener in listeners:
            listener.pubsub.subscribe("all")
        wait_until(lambda: self.client.pubsub_numsub("all") == [(b"all", 50)], TIMEOUT_S, "50 listen")
        self.assertEqual(self.client.publish("all", "hello"), 50)
        for listener in listeners:
            self.assertEqual(listener.wait_for(1), [(b"all", b"hello")])
        for listener in listeners:
            listener.pubsub.close()
        wait_until(lambda: self.client.publish("all", "nobody") == 0, TIMEOUT_S, "all are gone")
        self.assertEqual(self.client.pubsub_channels(), [])

    def test_one_who_does_not_read_is_closed(self):
        self.client.config_set("client-output-buffer-limit", "pubsub 1mb 0 0")
        deaf = redis.Redis(host="127.0.0.1", port=self.server.port)
        self.addCleanup(deaf.close)
        deaf.pubsub_connection = deaf.pubsub()
        deaf.pubsub_connection.subscribe("flood")
        wait_until(lambda: self.client.pubsub_numsub("flood") == [(b"flood", 1)], TIMEOUT_S,
                   "it listens")
        deadline = time.monotonic() + 60
        while self.client.publish("flood", b"x" * 100_000) == 1:
            self.assertLess(time.monotonic(), deadline)

    def test_redis_cli_subscribes(self):
        with subprocess.Popen(["redis-cli", "-p", str(self.server.port), "SUBSCRIBE", "c"],
                              stdout=subprocess.PIPE, text=True) as cli:
            wait_until(lambda: self.client.publish("c", "hello") == 1, TIMEOUT_S, "it listens")
            lines = [cli.stdout.readline().strip() for _ in range(6)]
            cli.terminate()
        self.assertEqual(lines, ["subscribe", "c", "1", "message", "c", "hello"])


class InACluster(E2ETest):
    def setUp(self):
        self.cluster = Cluster(self, 4).create(2)

    def test_a_message_reaches_every_node(self):
        listeners = [Listener(self, node.port) for node in self.cluster.nodes]
        for listener in listeners:
            listener.pubsub.subscribe("news")
        for node in self.cluster.nodes:
            wait_until(lambda node=node: b"news" in [n for n, _ in self.numsub(node)],
                       TIMEOUT_S, "it listens")
        for index, node in enumerate(self.cluster.nodes):
            self.assertEqual(node.call("PUBLISH", "news", index)[0], ":")
        for listener in listeners:
            self.assertEqual(sorted(data for _, data in listener.wait_for(4)),
                             [b"0", b"1", b"2", b"3"])

    @staticmethod
    def numsub(node):
        kind, reply = node.call("PUBSUB", "NUMSUB", "news")
        assert kind == "*", reply
        return [(reply[0][1], reply[1][1])] if reply[1][1] == b"1" else []

    def test_shard_channels_stay_in_their_shard(self):
        # "b" is in slot 3300, of the first primary, whose replica is the third node.
        primary, other, replica = self.cluster.nodes[:3]
        with primary.connect() as at_primary, replica.connect() as at_replica:
            for connection in (at_primary, at_replica):
                self.assert_reply(connection, ["SSUBSCRIBE", "b"],
                                  ("*", [("$", b"ssubscribe"), ("$", b"b"), (":", b"1")]))
            with other.connect() as elsewhere:
                self.assert_error(elsewhere, ["SPUBLISH", "b", "x"], "MOVED 3300 ")
                self.assert_error(elsewhere, ["SSUBSCRIBE", "b"], "MOVED 3300 ")
            self.assertEqual(primary.call("SPUBLISH", "b", "x"), (":", b"1"))
            for connection in (at_primary, at_replica):
                self.assertEqual(connection.read(),
                                 ("*", [("$", b"smessage"), ("$", b"b"), ("$", b"x")]))


if __name__ == "__main__":
    main()
