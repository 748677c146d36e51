#!/usr/bin/env python3
"""Clients of Redis Sentinel, python3-redis' and ioredis', follow a failover; no Sentinel runs: every
node answers as one."""

import os
import shutil
import subprocess
import threading

import redis
from redis.sentinel import Sentinel

from clients_node_test import SOURCE, install
from harness.case import E2ETest, main, wait_until
from harness.cluster import Cluster

NAME = "mymaster"
KEY = "b"  # in slot 3300, of the first shard
TIMEOUT_S = 30


class Followed(E2ETest):
    """Clients that write a key of the first shard, whose primary is killed."""

    def setUp(self):
        self.cluster = Cluster(self, 6, node_timeout_ms=1000,
                               options=("--sentinel-master-name", NAME)).create(3)
        self.addresses = [("127.0.0.1", node.port) for node in self.cluster.nodes]
        self.primary, self.replica = self.cluster[0], self.cluster[3]

    def wait_promoted(self):
        address = ("*", [("$", b"127.0.0.1"), ("$", b"%d" % self.replica.port)])

        def all_say_so():
            return all(node.call("SENTINEL", "get-master-addr-by-name", NAME) == address
                       for node in self.cluster.nodes[1:])
        wait_until(all_say_so, TIMEOUT_S, "all say that the replica is primary")

    def test_python(self):
        sentinel = Sentinel(self.addresses[1:], socket_timeout=1)
        self.assertEqual(sentinel.discover_master(NAME), self.addresses[0])
        self.assertEqual(sentinel.discover_slaves(NAME), [self.addresses[3]])
        client = sentinel.master_for(NAME, socket_timeout=1)
        self.assertTrue(client.set(KEY, "before"))
        self.primary.call("WAIT", 1, 5000)
        self.primary.kill()
        self.write_at_last(client, "after")
        self.assertEqual(sentinel.discover_master(NAME), self.addresses[3])

    def write_at_last(self, client, value):
        def written():
            try:
                return client.set(KEY, value)
            except redis.exceptions.RedisError:
                return False
        wait_until(written, TIMEOUT_S, "the client writes to the new primary")
        self.assertEqual(client.get(KEY), value.encode())

    def test_a_primary_that_steps_down_sends_its_clients_away(self):
        client = Sentinel(self.addresses, socket_timeout=1).master_for(NAME, socket_timeout=1)
        self.assertTrue(client.set(KEY, "before"))
        self.replica.text("CLUSTER", "FAILOVER")
        self.wait_promoted()
        self.write_at_last(client, "after")

    def test_the_change_is_published(self):
        listener = redis.Redis(host="127.0.0.1", port=self.cluster[2].port)
        self.addCleanup(listener.close)
        channel = listener.pubsub()
        channel.subscribe("+switch-master")
        self.assertEqual(channel.get_message(timeout=TIMEOUT_S)["type"], "subscribe")
        self.primary.kill()
        message = channel.get_message(timeout=TIMEOUT_S)
        self.assertEqual(message["data"].decode(),
                         f"{NAME} 127.0.0.1 {self.primary.port} 127.0.0.1 {self.replica.port}")

    def test_ioredis(self):
        if not shutil.which("node") or not shutil.which("npm"):
            self.skipTest("needs node and npm (Debian: nodejs, npm)")
        folder = os.environ["SYNTROPY_E2E_NODE"]
        install(folder)
        program = shutil.copy(os.path.join(SOURCE, "sentinel_client.js"), folder)
        ports = [str(port) for _, port in self.addresses[1:]]
        with subprocess.Popen(["node", program, NAME, KEY, *ports], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, stdin=subprocess.PIPE, text=True) as client:
            self.addCleanup(client.kill)
            timer = threading.Timer(TIMEOUT_S, client.kill)
            timer.start()
            self.assertEqual(client.stdout.readline(), f"writes to {self.primary.port}\n")
            self.primary.kill()
            self.assertEqual(client.stdout.readline(), f"writes to {self.replica.port}\n")
            timer.cancel()
            client.stdin.close()
            client.wait(TIMEOUT_S)
            self.assertEqual(client.returncode, 0)


if __name__ == "__main__":
    main()
