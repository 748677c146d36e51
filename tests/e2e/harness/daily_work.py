"""What python3-redis does all day: strings, pipelines, transactions, iteration, reconnection. Against
one node, or through a proxy port of a cluster that it doesn't know."""

import os
import threading

import redis


class DailyWork:
    """Mixed into an E2ETest that has: client; new_client(**options), another one of the same node;
    server, that node; own_key(name), a key with that name in it that the node itself holds."""

    def test_string_commands(self):
        r = self.client
        self.assertTrue(r.set("name", "value"))
        self.assertEqual(r.get("name"), b"value")
        self.assertIsNone(r.get("missing"))
        self.assertIsNone(r.set("name", "other", nx=True))
        self.assertEqual(r.set("name", "third", get=True), b"value")
        self.assertEqual(r.append("name", "!"), 6)
        self.assertEqual(r.strlen("name"), 6)
        self.assertEqual(r.getrange("name", 0, 2), b"thi")
        self.assertEqual(r.setrange("name", 0, "TH"), 6)
        self.assertEqual(r.getset("name", "again"), b"THird!")
        self.assertEqual(r.getdel("name"), b"again")
        self.assertTrue(r.mset({"a": 1, "b": 2}))
        self.assertEqual(r.mget("a", "b", "c"), [b"1", b"2", None])
        self.assertFalse(r.msetnx({"{a}": 1, "a": 1}))
        self.assertEqual(r.incr("a", 41), 42)
        self.assertEqual(r.decr("a", 2), 40)
        self.assertEqual(r.incrbyfloat("a", 0.5), 40.5)
        self.assertTrue(r.setex("short", 100, "v"))
        self.assertEqual(r.getex("short", persist=True), b"v")
        self.assertEqual(r.ttl("short"), -1)

    def test_bit_commands(self):
        r = self.client
        self.assertEqual(r.setbit("bits", 7, 1), 0)
        self.assertEqual(r.getbit("bits", 7), 1)
        self.assertEqual(r.bitcount("bits"), 1)
        self.assertEqual(r.bitpos("bits", 1), 7)
        r.set("{bits}other", b"\xf0")
        self.assertEqual(r.bitop("OR", "{bits}both", "bits", "{bits}other"), 1)
        self.assertEqual(r.get("{bits}both"), b"\xf1")
        self.assertEqual(r.bitfield("field").set("u8", 0, 200).incrby("u8", 0, 100, "SAT").execute(),
                         [0, 255])

    def test_key_commands(self):
        r = self.client
        r.set("k", "v")
        self.assertEqual(r.exists("k", "nope"), 1)
        self.assertEqual(r.type("k"), b"string")
        self.assertTrue(r.expire("k", 1000))
        self.assertTrue(990 <= r.ttl("k") <= 1000)
        self.assertTrue(r.persist("k"))
        self.assertTrue(r.copy("k", "{k}2"))
        self.assertTrue(r.rename("{k}2", "{k}3"))
        self.assertEqual(r.object("encoding", "k"), b"embstr")
        dump = r.dump("k")
        self.assertEqual(r.restore("restored", 5000, dump), b"OK")
        self.assertEqual(r.get("restored"), b"v")
        self.assertEqual(r.unlink("k", "restored", "{k}3"), 3)
        self.assertEqual(r.dbsize(), 0)

    def test_binary_and_large_values(self):
        every_byte = bytes(range(256))
        large = os.urandom(8 << 20)
        self.client.set(every_byte, large)
        self.assertEqual(self.client.get(every_byte), large)
        self.assertEqual(self.client.keys(), [every_byte])

    def test_pipeline_of_ten_thousand(self):
        with self.client.pipeline(transaction=False) as pipe:
            for i in range(10000):
                pipe.set(f"p:{i}", i)
            self.assertTrue(all(pipe.execute()))
            for i in range(10000):
                pipe.get(f"p:{i}")
            self.assertEqual(pipe.execute(), [b"%d" % i for i in range(10000)])

    def test_transaction_with_watch_counts_exactly(self):
        """Eight threads add with optimistic locking; not one addition is lost."""
        additions, threads = 40, 8
        self.client.set("sum", 0)

        def add():
            client = self.new_client()
            for _ in range(additions):
                client.transaction(
                    lambda pipe: (lambda now: (pipe.multi(), pipe.set("sum", now + 1)))(
                        int(pipe.get("sum"))), "sum")

        workers = [threading.Thread(target=add) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(self.client.get("sum"), b"%d" % (additions * threads))

    def test_watched_key_that_changed_discards(self):
        with self.client.pipeline() as pipe:
            pipe.watch("w")
            self.client.set("w", "changed")
            pipe.multi()
            pipe.set("w", "mine")
            self.assertRaises(redis.WatchError, pipe.execute)
        self.assertEqual(self.client.get("w"), b"changed")

    def test_errors_have_their_classes(self):
        self.client.set("text", "abc")
        self.assertRaisesRegex(redis.ResponseError, "not an integer", self.client.incr, "text")
        self.assertRaisesRegex(redis.ResponseError, "unknown command",
                               self.client.execute_command, "NOSUCH")
        with self.client.pipeline() as pipe:
            pipe.incr("text").set("{text}after", 1)
            self.assertRaises(redis.ResponseError, pipe.execute)
        self.assertEqual(self.client.get("{text}after"), b"1")

    def test_scan_iterates_everything_while_keys_come_and_go(self):
        stable = {b"stable:%d" % i for i in range(3000)}
        self.client.mset({key: 1 for key in stable})
        seen = set()
        for number, key in enumerate(self.client.scan_iter(count=50)):
            seen.add(key)
            if number % 10 == 0:
                self.client.set(f"new:{number}", 1)
                self.client.delete(f"new:{number - 500}")
        self.assertTrue(stable <= seen)
        self.assertEqual(set(self.client.scan_iter(match="stable:1?")),
                         {b"stable:%d" % i for i in range(10, 20)})

    def test_server_commands(self):
        info = self.client.info()
        for field in ("redis_version", "tcp_port", "uptime_in_seconds", "connected_clients",
                      "used_memory", "total_commands_processed", "role", "process_id"):
            self.assertIn(field, info)
        self.assertEqual(info["tcp_port"], self.server.port)
        one, slow = self.own_key("one"), self.own_key("slow")
        self.client.set(one, 1)
        self.assertEqual(self.client.info("keyspace")["db0"]["keys"], 1)
        self.assertEqual(self.client.config_get("appendfsync"), {"appendfsync": "everysec"})
        self.assertTrue(self.client.config_set("slowlog-log-slower-than", 0))
        self.client.set(slow, 1)
        entries = self.client.slowlog_get(5)
        self.assertTrue(any(f"SET {slow}".encode() in entry["command"] for entry in entries),
                        entries)
        self.assertTrue(self.client.client_setname("worker-1"))
        self.assertIn("worker-1", [c["name"] for c in self.client.client_list()])
        self.assertGreater(self.client.command_count(), 50)
        self.assertEqual(len(self.client.time()), 2)
        self.assertGreater(self.client.memory_usage(slow), 0)
        self.assertTrue(self.client.save())

    def test_client_kill_and_reconnect(self):
        victim = self.new_client()
        self.assertTrue(victim.ping())
        identity = victim.client_id()
        self.assertEqual(self.client.client_kill_filter(_id=identity), 1)
        retrying = self.new_client(retry_on_error=[redis.ConnectionError])
        self.assertTrue(retrying.ping())
        try:
            victim.ping()
        except redis.ConnectionError:
            pass  # the pool may or may not see in time that its connection was cut
        self.assertTrue(victim.ping())
        self.assertNotEqual(victim.client_id(), identity)

    def test_data_and_clients_survive_a_restart(self):
        self.client.set("kept", "yes")
        self.server.restart()
        try:
            self.client.ping()
        except redis.ConnectionError:
            pass  # the pooled connection was cut by the restart
        self.assertEqual(self.client.get("kept"), b"yes")
