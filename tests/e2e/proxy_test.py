#!/usr/bin/env python3
"""Clients that know no cluster, through the proxy port of any node of six."""

import random
import threading

import redis

from harness.case import E2ETest, main, wait_until
from harness.cluster import SETTLE_TIMEOUT_S, Cluster
from harness.daily_work import DailyWork
from harness.resp import Connection
from harness.server import free_port

KEYS = 2000


class SixNodes(E2ETest):
    def setUp(self):
        self.cluster = Cluster(self, 0)
        self.proxy_ports = []
        for _ in range(6):
            self.add_node()
        self.cluster.create(3)

    def add_node(self):
        proxy_port, bus_port = free_port(), free_port()
        server = self.start_server("--cluster-enabled", "yes", "--cluster-port", bus_port,
                                   "--cluster-node-timeout", 1000, "--proxy-port", proxy_port)
        node = self.cluster.adopt(server, bus_port)
        self.addCleanup(node.disconnect)
        self.proxy_ports.append(proxy_port)

    def proxy_client(self, index=0, **options):
        client = redis.Redis(host="127.0.0.1", port=self.proxy_ports[index], socket_timeout=20,
                             **options)
        self.addCleanup(client.close)
        return client


class Proxy(SixNodes):
    def test_any_node_serves_all_keys(self):
        writer, reader = self.proxy_client(0), self.proxy_client(4)
        for number in range(300):
            self.assertTrue(writer.set(f"k:{number}", number))
        for number in range(300):
            self.assertEqual(reader.get(f"k:{number}"), b"%d" % number)
        self.assertEqual(reader.incrby("counter", 5), 5)
        self.assertIsNone(writer.get("none"))
        with self.assertRaisesRegex(redis.ResponseError, "not an integer"):
            writer.incr("text:" + str(writer.set("text:True", "x")))
        # The other port is as ever.
        with Connection(self.cluster[0].port) as direct:
            replies = {direct.call("GET", f"k:{number}")[0] for number in range(300)}
        self.assertEqual(replies, {"$", "-"})

    def test_pipelines_keep_their_order(self):
        for protocol in (2, 3):
            with Connection(self.proxy_ports[1]) as client:
                client.call("HELLO", protocol)
                commands = []
                for number in range(1000):
                    commands.append(("SET", f"p:{number}", f"{protocol}:{number}"))
                    commands.append(("GET", f"p:{number}"))
                    if number % 7 == 0:
                        commands.append(("PING", str(number)))
                replies = iter(client.pipeline(commands))
                for number in range(1000):
                    self.assertEqual(next(replies), ("+", b"OK"))
                    self.assertEqual(next(replies), ("$", f"{protocol}:{number}".encode()))
                    if number % 7 == 0:
                        self.assertEqual(next(replies), ("$", str(number).encode()))

    def test_pipelines_of_all_sorts_are_as_one_after_the_other(self):
        chance = random.Random(1)
        kinds = (lambda key, n: ("SET", key, n), lambda key, n: ("GET", key),
                 lambda key, n: ("APPEND", key, n), lambda key, n: ("INCRBY", "i" + key, n),
                 lambda key, n: ("MSET", key, n, key + "x", n), lambda key, n: ("MGET", key, key + "x"),
                 lambda key, n: ("DEL", key, key + "x"), lambda key, n: ("PING",),
                 lambda key, n: ("COPY", "none", key), lambda key, n: ("NOSUCH",),
                 lambda key, n: ("WATCH", key), lambda key, n: ("UNWATCH",))
        rare = (("FLUSHALL",), ("DBSIZE",))
        alone = self.start_server()
        for policy in ("everysec", "always"):
            for node in self.cluster.nodes:
                node.call("CONFIG", "SET", "appendfsync", policy)
            with Connection(self.proxy_ports[0]) as proxy, Connection(alone.port) as direct:
                for _ in range(30):
                    commands = []
                    for _ in range(100):
                        commands.append(chance.choice(kinds)(f"k{chance.randrange(30)}",
                                                             str(chance.randrange(100))))
                        if chance.random() < 0.02:
                            commands.append(chance.choice(rare))
                    forwarded, executed = proxy.pipeline(commands), direct.pipeline(commands)
                    for command, there, here in zip(commands, forwarded, executed):
                        if command[0] == "COPY":  # of two slots
                            self.assertEqual(there[0], "-")
                            continue
                        self.assertEqual(there, here, command)

    def test_many_keys_at_once(self):
        client = self.proxy_client()
        values = {f"m:{number}": str(number) for number in range(200)}
        self.assertTrue(client.mset(values))
        self.assertEqual(client.mget([*values, "none"]),
                         [value.encode() for value in values.values()] + [None])
        self.assertEqual(client.exists(*values), 200)
        self.assertEqual(client.touch(*values), 200)
        self.assertEqual(client.dbsize(), 200)
        self.assertEqual(len(client.keys("m:*")), 200)
        self.assertEqual(client.delete("m:0", "m:1", "none"), 2)
        self.assertEqual(client.unlink("m:2", "m:3"), 2)
        self.assertEqual(client.dbsize(), 196)
        with self.assertRaisesRegex(redis.ResponseError, "CROSSSLOT|same slot"):
            client.rename("m:5", "m:6")
        self.assertTrue(client.flushall())
        self.assertEqual(client.dbsize(), 0)

    def test_a_scan_walks_the_whole_cluster(self):
        client = self.proxy_client(2)
        pipe = client.pipeline(transaction=False)
        for number in range(KEYS):
            pipe.set(f"scan:{number}", number)
        pipe.execute()
        found = list(client.scan_iter(count=100))
        self.assertEqual(len(found), KEYS)
        self.assertEqual(len(set(found)), KEYS)
        self.assertEqual(len(list(client.scan_iter(match="scan:1*"))),
                         sum(str(number).startswith("1") for number in range(KEYS)))

    def test_transactions_of_one_slot(self):
        client = self.proxy_client()
        for tag in ("a", "b", "c", "d"):
            pipe = client.pipeline(transaction=True)
            pipe.set(f"{{{tag}}}x", 1).incr(f"{{{tag}}}x").get(f"{{{tag}}}x")
            self.assertEqual(pipe.execute(), [True, 2, b"2"])
        with self.assertRaisesRegex(redis.ResponseError, "CROSSSLOT|same slot"):
            client.pipeline(transaction=True).set("a", 1).set("b", 1).execute()

    def test_watching_through_any_node(self):
        other = self.proxy_client()
        for index in range(6):
            with self.proxy_client(index).pipeline() as pipe:
                pipe.watch("w", "{w}2")
                pipe.multi()
                pipe.set("w", index)
                self.assertEqual(pipe.execute(), [True])
                pipe.watch("w", "{w}2")
                other.set("{w}2", index)
                pipe.multi()
                pipe.set("w", "lost")
                self.assertRaises(redis.WatchError, pipe.execute)
                pipe.watch("elsewhere")
                pipe.multi()
                pipe.set("w", "lost")
                elsewhere = self.cluster.owner_of_slot(
                    int(self.cluster[0].text("CLUSTER", "KEYSLOT", "elsewhere")))
                if elsewhere is not self.cluster.nodes[index]:
                    self.assertRaisesRegex(redis.ResponseError, "same slot", pipe.execute)
            self.assertEqual(other.get("w"), b"%d" % index)

    def test_errors_and_options_of_the_connection(self):
        with Connection(self.proxy_ports[0]) as client:
            self.assertEqual(client.call("CLIENT", "ROUTING"), ("$", b"proxy"))
            self.assertEqual(client.call("CLIENT", "WRITE-ACKS", "ALL"), ("+", b"OK"))
            for number in range(20):
                self.assertEqual(client.call("SET", f"w:{number}", 1), ("+", b"OK"))
            client.send("CLIENT", "REPLY", "SKIP")
            client.send("SET", "a", "silent")
            client.send("SET", "b", "silent")
            client.send("PING")
            self.assertEqual(client.read(), ("+", b"OK"))
            self.assertEqual(client.read(), ("+", b"PONG"))
            self.assertEqual(client.call("MGET", "a", "b"),
                             ("*", [("$", b"silent"), ("$", b"silent")]))
            self.assert_error(client, ["GET"], "ERR wrong number of arguments")
            self.assert_error(client, ["NOTHING", "a"], "ERR unknown command")
            self.assertEqual(client.call("CLIENT", "ROUTING", "REDIRECT"), ("+", b"OK"))
            kinds = {client.call("GET", f"w:{number}")[0] for number in range(20)}
            self.assertEqual(kinds, {"$", "-"})

    def test_a_slot_on_its_way_is_waited_for(self):
        slot = int(self.cluster[0].text("CLUSTER", "KEYSLOT", "{t}"))
        owner = self.cluster.owner_of_slot(slot)
        other = next(node for node in self.cluster.nodes[:3] if node is not owner)
        client = self.proxy_client(self.cluster.nodes.index(owner))
        client.set("{t}a", 1)
        owner.text("CLUSTER", "SETSLOT", slot, "MIGRATING", other.id())
        # One of the keys may be at the other node already.
        self.assertRegex(str(owner.call("MGET", "{t}a", "{t}b")[1]), "TRYAGAIN")
        connection = owner.connect()
        self.addCleanup(connection.close)
        stable = threading.Timer(
            0.5, lambda: connection.text("CLUSTER", "SETSLOT", slot, "STABLE"))
        stable.start()
        self.assertEqual(client.mget("{t}a", "{t}b"), [b"1", None])
        stable.join()

    def test_a_failover_is_waited_for(self):
        client = self.proxy_client(5)
        errors, written, ending = [], [0], threading.Event()

        def write():
            draw = random.Random(1)
            while not ending.is_set():
                key = f"f:{draw.randrange(1000)}"
                try:
                    client.set(key, written[0])
                    written[0] += 1
                except redis.exceptions.RedisError as error:
                    errors.append(str(error))
        thread = threading.Thread(target=write)
        thread.start()
        wait_until(lambda: written[0] > 100, SETTLE_TIMEOUT_S, "it writes")
        self.cluster[1].kill()
        wait_until(self.cluster[4].is_primary, SETTLE_TIMEOUT_S, "the replica takes over")
        before = written[0]
        wait_until(lambda: written[0] > before + 100, SETTLE_TIMEOUT_S, "writes go on")
        ending.set()
        thread.join()
        # What was sent to the primary while it died, nobody knows of; all else was waited for.
        self.assertLessEqual(len(errors), 3, errors)
        for error in errors:
            self.assertIn("may or may not", error)


class PythonRedisThroughAProxy(SixNodes):
    """All that python3-redis does with a node alone, it does through a port of a primary."""

    def setUp(self):
        super().setUp()
        self.server = self.cluster[0].server
        self.client = self.new_client()

    def new_client(self, **options):
        return self.proxy_client(0, **options)

    def own_key(self, name):
        """A key with that name in it that the node itself holds."""
        for number in range(1000):
            slot = int(self.cluster[0].text("CLUSTER", "KEYSLOT", f"{name}:{number}"))
            if self.cluster.owner_of_slot(slot) is self.cluster[0]:
                return f"{name}:{number}"
        raise AssertionError("it holds no key")

    def test_daily_work(self):
        for name in sorted(vars(DailyWork)):
            if not name.startswith("test_"):
                continue
            with self.subTest(name):
                self.client.flushall()
                vars(DailyWork)[name](self)


if __name__ == "__main__":
    main()
