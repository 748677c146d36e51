#!/usr/bin/env python3
"""`syntropy import`: dumps that a real Redis wrote, into the server under test."""

import os
import unittest

from harness.case import main
from harness.cli import FAR, CompareCase, cli, fill, node
from harness.cluster import Cluster
from harness.server import find_redis_server

OTHERS = (
    ("HSET", "small hash", "f", "v"),
    ("HSET", "large hash", *[f"{kind}{i}" for i in range(2000) for kind in "fv"]),
    ("SADD", "numbers", *range(100)),
    ("SADD", "names", *[f"name {i}" for i in range(1000)]),
    ("RPUSH", "list", *["x" * 50] * 500),
    ("ZADD", "small sorted set", 1.5, "a"),
    ("ZADD", "large sorted set", *[item for i in range(500) for item in (i, f"m{i}")]),
    ("XADD", "stream", "1-1", "f", "v"),
    ("XGROUP", "CREATE", "stream", "group", 0),
    ("XREADGROUP", "GROUP", "group", "reader", "STREAMS", "stream", ">"),
)
FUNCTION = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"


@unittest.skipUnless(find_redis_server(), "no redis-server")
class ImportTest(CompareCase):
    def setUp(self):
        super().setUp()
        self.redis = self.start_server("--rdbchecksum", "yes", binary=find_redis_server())
        self.source = self.connect(self.redis)

    def dump(self):
        """The path of what Redis has now."""
        self.assertEqual(self.source.call("SAVE"), ("+", b"OK"))
        return os.path.join(self.redis.directory, "dump.rdb")

    def run_import(self, server, *args):
        return cli("import", *args, "-h", "127.0.0.1", "-p", server.port)

    def equal(self, server, database=0):
        return self.assert_equal(f"redis://127.0.0.1:{self.redis.port}/{database}",
                                 f"redis://127.0.0.1:{server.port}/{database}")

    def fill_with_strings(self):
        fill(self.source, 20000)
        sorts = {"empty": "", "number": -129, "large number": 2**40, "zeros": "0" * 100,
                 "bytes": bytes(range(256)) * 3, "long": os.urandom(300_000),
                 b"key \x00\xff": "binary name"}
        for key, value in sorts.items():
            self.assertEqual(self.source.call("SET", key, value), ("+", b"OK"))
        self.source.call("SET", "expires", "soon", "PXAT", FAR)
        self.source.call("SELECT", 3)
        self.source.call("SET", "in another database", "value")
        self.source.call("SELECT", 0)

    def test_strings_of_all_sorts_arrive_with_their_expiries_and_databases(self):
        self.fill_with_strings()
        server = self.start_server()
        code, text, error = self.run_import(server, self.dump())
        self.assertEqual((code, error), (0, ""))
        self.assertIn("20,009 keys written", text)
        self.assertEqual(self.equal(server)["keys_compared"], 20008)
        self.equal(server, 3)

    def test_what_is_there_is_kept_unless_replaced(self):
        self.source.call("MSET", "a", "new", "b", "new")
        server = self.start_server()
        target = self.connect(server)
        target.call("SET", "a", "old")
        code, text, _ = self.run_import(server, self.dump())
        self.assertEqual(code, 0)
        self.assertIn("1 keys written", text)
        self.assertIn("1 were there already", text)
        self.assertEqual(target.call("MGET", "a", "b"), ("*", [("$", b"old"), ("$", b"new")]))
        self.assertEqual(self.run_import(server, self.dump(), "--replace")[0], 0)
        self.assertEqual(target.call("GET", "a"), ("$", b"new"))

    def test_other_types_are_counted_and_stop_it_unless_told_to_skip(self):
        self.fill_with_strings()
        for command in OTHERS:
            self.assertNotEqual(self.source.call(*command)[0], "-", command)
        self.source.call("FUNCTION", "LOAD", FUNCTION)
        server = self.start_server()
        dump = self.dump()
        code, _, error = self.run_import(server, dump)
        self.assertEqual(code, 2)
        self.assertIn("functions (1), hash (2), list (1), set (2), sorted set (2), stream (1)",
                      error)
        self.assertIn("--skip-types", error)
        self.assertEqual(self.connect(server).call("DBSIZE"), (":", b"0"))
        code, text, _ = self.run_import(server, dump, "--dry-run")
        self.assertEqual(code, 1)
        self.assertIn("20,009 strings", text)
        self.assertEqual(self.connect(server).call("DBSIZE"), (":", b"0"))
        code, text, _ = self.run_import(server, dump, "--skip-types")
        self.assertEqual(code, 0)
        self.assertIn("9 left out", text)
        self.assertEqual(self.connect(server).call("DBSIZE"), (":", b"20008"))

    def test_a_damaged_dump_writes_nothing(self):
        self.fill_with_strings()
        server = self.start_server()
        with open(self.dump(), "rb") as file:
            good = file.read()
        path = os.path.join(self.redis.directory, "damaged.rdb")
        for name, bad in (("checksum", good[:5000] + bytes([good[5000] ^ 1]) + good[5001:]),
                          ("in the middle", good[:-100]), ("not an RDB file", b"hello")):
            with open(path, "wb") as file:
                file.write(bad)
            code, _, error = self.run_import(server, path)
            self.assertEqual(code, 2)
            self.assertIn("damaged.rdb: ", error)
            if name != "checksum":  # the flipped bit may break the form first
                self.assertIn(name, error)
            self.assertEqual(self.connect(server).call("DBSIZE"), (":", b"0"))

    def test_a_cluster_takes_each_key_where_it_belongs(self):
        fill(self.source, 3000)
        cluster = Cluster(self, 4).create(3)
        code, text, _ = self.run_import(cluster[3].server, self.dump())
        self.assertEqual(code, 0)
        self.assertIn("3,000 keys written", text)
        self.assert_equal(f"redis://127.0.0.1:{self.redis.port}", node(cluster[0].server))
        self.source.call("SELECT", 3)
        self.source.call("SET", "in another database", "value")
        code, _, error = self.run_import(cluster[0].server, self.dump())
        self.assertEqual(code, 2)
        self.assertIn("SELECT is not allowed in cluster mode", error)


if __name__ == "__main__":
    main()
