#!/usr/bin/env python3
"""A service moves from redis-server while it runs: REPLICAOF, and REPLICAOF NO ONE to cut over.

SYNTROPY_E2E_KEYS sets how many keys the large test has (50000)."""

import os
import random
import threading
import time
import unittest

from harness.case import main, wait_until
from harness.cli import FAR, CompareCase, fill
from harness.resp import Connection
from harness.server import find_redis_server

KEYS = int(os.environ.get("SYNTROPY_E2E_KEYS", "50000"))
TIMEOUT_S = 300


class Load(threading.Thread):
    """Writes strings of all sorts until it is told to stop, and remembers nothing."""

    def __init__(self, server, seed):
        super().__init__()
        self.connection = Connection(server.port)
        self.random = random.Random(seed)
        self.ending = threading.Event()
        self.commands = 0
        self.errors = []

    def one(self):
        key, number = f"load:{self.random.randrange(5000)}", self.random.randrange(1000)
        return self.random.choice((
            ("SET", key, number), ("SET", key, "x" * number, "PX", 1 + number * 3),
            ("INCRBY", "counter:" + key, number), ("INCRBYFLOAT", "float:" + key, "0.5"),
            ("APPEND", "text:" + key, "abc"), ("DEL", key), ("SETBIT", "bits:" + key, number, 1),
            ("PEXPIRE", "text:" + key, 50 + number), ("GETDEL", key), ("PERSIST", key),
            ("SETRANGE", "text:" + key, number, "z"), ("MSET", key, 1, key + "b", 2),
            ("BITFIELD", "bits:" + key, "INCRBY", "u8", number, 7), ("GETEX", key, "EX", 1000),
            ("COPY", key, "copy:" + key, "REPLACE"), ("RENAME", "counter:" + key, key + "r")))

    def run(self):
        with self.connection:
            while not self.ending.is_set():
                if self.random.random() < 0.05:
                    for command in (("MULTI",), self.one(), self.one(), ("EXEC",)):
                        self.connection.call(*command)
                else:
                    self.connection.call(*self.one())
                self.commands += 1


@unittest.skipUnless(find_redis_server(), "no redis-server")
class ReplicaOf(CompareCase):
    def setUp(self):
        super().setUp()
        self.redis = self.start_server("--repl-diskless-sync-delay", "0", "--repl-backlog-size",
                                       "64mb", binary=find_redis_server())
        self.source = self.connect(self.redis)
        self.server = self.start_server()
        self.target = self.connect(self.server)

    def follow(self):
        self.assertEqual(self.target.call("REPLICAOF", "127.0.0.1", self.redis.port),
                         ("+", b"OK"))

    def info(self, connection=None):
        text = (connection or self.target).call("INFO", "replication")[1].decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def wait_following(self):
        wait_until(lambda: self.info()["master_link_status"] == "up", TIMEOUT_S, "it follows")

    def wait_caught_up(self):
        """Redis has stopped being written to."""
        def caught_up():
            there = int(self.info(self.source)["master_repl_offset"])
            return int(self.info()["slave_repl_offset"]) >= there
        wait_until(caught_up, TIMEOUT_S, "it has caught up")

    def wait_for_load(self, loads):
        """A thousand more commands."""
        before = sum(load.commands for load in loads)
        wait_until(lambda: sum(load.commands for load in loads) > before + 1000, TIMEOUT_S, "load")

    def assert_same(self, database=0):
        return self.assert_equal(f"redis://127.0.0.1:{self.redis.port}/{database}",
                                 f"redis://127.0.0.1:{self.server.port}/{database}")

    def test_live_migration_under_load_and_cut_over(self):
        fill(self.source, KEYS)
        self.source.call("SELECT", 3)
        self.source.call("SET", "in another database", "v", "PXAT", FAR)
        self.source.call("SELECT", 0)
        loads = [Load(self.redis, seed) for seed in range(3)]
        for load in loads:
            load.start()
        self.wait_for_load(loads)
        self.follow()
        self.wait_following()
        self.assertEqual(self.target.call("ROLE")[1][3], ("$", b"connected"))
        self.assert_error(self.target, ["SET", "k", "v"], "READONLY ")
        self.wait_for_load(loads)
        # The link breaks, and is taken up where it was.
        full = self.stat("sync_full")
        partial = self.stat("sync_partial_ok")
        self.source.call("CLIENT", "KILL", "TYPE", "replica")
        wait_until(lambda: self.stat("sync_partial_ok") > partial, TIMEOUT_S, "it goes on")
        self.wait_for_load(loads)
        self.wait_following()
        for load in loads:
            load.ending.set()
        for load in loads:
            load.join()
        self.assertGreater(sum(load.commands for load in loads), 1000)
        self.assertEqual(self.stat("sync_full"), full)
        self.source.call("CLIENT", "PAUSE", 60000, "WRITE")
        self.wait_caught_up()
        self.assertEqual(self.info()["redis_failed_commands"], "0")
        self.assertEqual(self.target.call("REPLICAOF", "NO", "ONE"), ("+", b"OK"))
        self.assertEqual(self.info()["role"], "master")
        time.sleep(3.5)  # what lives no longer than that is gone on both
        self.source.call("CLIENT", "UNPAUSE")
        self.assertGreater(self.assert_same()["keys_compared"], KEYS)
        self.assert_same(3)
        self.assertEqual(self.target.call("SET", "k", "v"), ("+", b"OK"))

    def stat(self, name):
        text = self.source.call("INFO", "stats")[1].decode()
        return int(text.split(f"{name}:")[1].split("\r\n")[0])

    def test_types_that_are_not_here_stop_it_and_are_named(self):
        fill(self.source, 2000)
        self.source.call("HSET", "a hash", "f", "v")
        self.source.call("RPUSH", "a list", "v")
        self.source.call("HSET", "b hash", "f", "v")
        self.follow()
        wait_until(lambda: "redis_error" in self.info(), TIMEOUT_S, "it has ended")
        info = self.info()
        self.assertEqual(info["master_link_status"], "down")
        self.assertIn("2 hash, 1 list", info["redis_error"])
        self.assertIn("replicaof-leave-out", info["redis_error"])
        self.assert_error(self.target, ["GET", "x"], "LOADING ")
        self.assert_error(self.target, ["SET", "x", "y"], "READONLY ")
        self.target.call("CONFIG", "SET", "replicaof-leave-out", "yes")
        self.follow()
        self.wait_following()
        self.assertEqual(self.info()["redis_left_out_hash"], "2")
        self.source.call("HSET", "a hash", "g", "v")
        self.source.call("SET", "after", "v")
        self.source.call("SET", "was a string", "v")
        self.source.call("RENAME", "a list", "was a string")
        self.wait_caught_up()
        self.assertEqual(self.info()["redis_left_out_hset"], "1")
        self.assertEqual(self.target.call("GET", "after"), ("$", b"v"))
        self.assertEqual(self.target.call("EXISTS", "was a string"), (":", b"0"))
        self.assertEqual(self.target.call("DBSIZE"), (":", b"2001"))

    def test_keys_of_ones_own_are_not_thrown_away(self):
        self.target.call("SET", "mine", "v")
        self.assert_error(self.target, ["REPLICAOF", "127.0.0.1", self.redis.port],
                          "ERR this node holds 1 keys of its own")
        self.target.call("FLUSHALL")
        self.follow()
        self.wait_following()

    def test_a_restart_goes_on_following(self):
        fill(self.source, 3000)
        self.follow()
        self.wait_following()
        self.server.kill()
        self.source.call("SET", "meanwhile", "v")
        self.server.start()
        self.target = self.connect(self.server)
        self.wait_following()
        self.assert_same()
        self.target.call("REPLICAOF", "NO", "ONE")
        self.server.kill()
        self.server.start()
        self.target = self.connect(self.server)
        self.assertEqual(self.info()["role"], "master")
        self.assertEqual(self.target.call("GET", "meanwhile"), ("$", b"v"))

    def test_with_a_password_and_without_an_answer(self):
        self.source.call("CONFIG", "SET", "requirepass", "secret")
        self.source.call("SET", "k", "v")
        self.follow()
        wait_until(lambda: "NOAUTH" in self.info().get("redis_error", ""), TIMEOUT_S, "it is refused")
        self.target.call("CONFIG", "SET", "masterauth", "secret")
        self.wait_following()
        self.assertEqual(self.target.call("GET", "k"), ("$", b"v"))
        self.redis.kill()
        wait_until(lambda: self.info()["master_link_status"] == "down", TIMEOUT_S, "it is noticed")
        self.assertEqual(self.target.call("GET", "k"), ("$", b"v"))


if __name__ == "__main__":
    main()
