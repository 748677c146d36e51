#!/usr/bin/env python3
"""`redis-cli --cluster`, as Debian has it, against six nodes with data."""

import json
import os
import subprocess
import tempfile
import unittest

from harness.case import main, wait_until
from harness.cli import CompareCase, fill
from harness.cluster import SETTLE_TIMEOUT_S, Cluster, Node
from harness.server import find_redis_server, free_port

GREEN = ("[OK] All nodes agree about slots configuration.", "[OK] All 16384 slots covered.")
KEYS = 3000


class RedisCliCluster(CompareCase):
    def setUp(self):
        super().setUp()
        self.cluster = Cluster(self, 6).create(3)
        self.address = f"127.0.0.1:{self.cluster[0].port}"
        for number in range(300):
            owner = self.cluster.owner_of_slot(
                int(self.cluster[0].text("CLUSTER", "KEYSLOT", f"own:{number}")))
            owner.text("SET", f"own:{number}", number)

    def run_cli(self, *args, code=0):
        done = subprocess.run(["redis-cli", "--cluster", *map(str, args)], capture_output=True,
                              timeout=120, check=False)
        text = done.stdout.decode() + done.stderr.decode()
        self.assertEqual(done.returncode, code, text)
        return text

    def check(self):
        """Once the last change has got round."""
        self.cluster.wait_ok()
        text = self.run_cli("check", self.address)
        for line in GREEN:
            self.assertIn(line, text)
        return text

    def keys(self):
        return sum(node.keys() for node in self.cluster.nodes if node.is_primary())

    def test_what_only_looks(self):
        self.check()
        text = self.run_cli("info", self.address)
        self.assertIn("[OK] 300 keys in 3 masters.", text)
        text = self.run_cli("call", self.address, "PING")
        self.assertEqual(text.count("PONG"), 6)
        text = self.run_cli("rebalance", self.address)
        self.assertIn("No rebalancing needed", text)
        text = self.run_cli("fix", self.address)
        for line in GREEN:
            self.assertIn(line, text)
        self.check()

    def test_slots_go_where_they_are_wanted(self):
        self.run_cli("reshard", self.address, "--cluster-from", self.cluster[0].id(),
                     "--cluster-to", self.cluster[1].id(), "--cluster-slots", "400", "--cluster-yes")
        self.assertEqual(self.cluster.owner_of_slot(0).id(), self.cluster[1].id())
        self.check()
        self.run_cli("rebalance", self.address, "--cluster-threshold", "1")
        self.check()
        self.assertEqual(self.keys(), 300)
        slots = [sum(int(part.partition("-")[2] or part) - int(part.partition("-")[0]) + 1
                     for part in known["slots"]) for known in self.cluster[0].nodes().values()]
        self.assertEqual(sorted(slots)[3:], [5461, 5461, 5462])
        self.run_cli("set-timeout", self.address, "3000")
        for node in self.cluster.nodes:
            self.assertEqual(node.call("CONFIG", "GET", "cluster-node-timeout")[1][1][1], b"3000")
        self.check()

    def test_a_move_that_was_left_open_is_fixed(self):
        source, target = self.cluster[0], self.cluster[1]
        key = next(f"own:{i}" for i in range(300)
                   if int(source.text("CLUSTER", "KEYSLOT", f"own:{i}")) < 5461)
        slot = source.text("CLUSTER", "KEYSLOT", key)
        target.text("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id())
        source.text("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id())
        source.text("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)
        text = self.run_cli("check", self.address, code=1)
        self.assertIn("in migrating state", text)
        self.run_cli("fix", self.address)
        self.check()
        self.assertEqual(self.keys(), 300)
        self.assertEqual(self.cluster.owner_of_slot(int(slot)).text("GET", key), key[4:])

    def test_a_primary_comes_takes_its_share_and_goes(self):
        bus_port = free_port()
        server = self.start_server("--cluster-enabled", "yes", "--cluster-port", bus_port)
        added = self.cluster.adopt(server, bus_port)
        self.addCleanup(added.disconnect)
        self.run_cli("add-node", f"127.0.0.1:{server.port}@{bus_port}", self.address)
        self.cluster.wait_known(7)
        self.cluster.wait_ok()
        self.run_cli("rebalance", self.address, "--cluster-use-empty-masters")
        self.check()
        self.assertGreater(added.keys(), 0)
        self.assertEqual(self.keys(), 300)
        self.run_cli("rebalance", self.address, "--cluster-weight", f"{added.id()}=0")
        self.check()
        self.assertEqual(self.keys(), 300)
        name = added.id()
        self.run_cli("del-node", self.address, name)
        self.cluster.nodes.remove(added)
        self.cluster.wait_known(6)
        self.check()

    def test_a_node_comes_and_goes(self):
        bus_port = free_port()
        server = self.start_server("--cluster-enabled", "yes", "--cluster-port", bus_port)
        added = Node(server, bus_port)
        self.addCleanup(added.disconnect)
        text = self.run_cli("add-node", f"127.0.0.1:{server.port}@{bus_port}", self.address,
                            "--cluster-slave", "--cluster-master-id", self.cluster[1].id())
        self.assertIn("[OK] New node added correctly.", text)
        wait_until(added.is_linked, SETTLE_TIMEOUT_S, "the new node follows")
        self.check()
        text = self.run_cli("del-node", self.address, added.id())
        self.assertNotIn("ERR", text)
        self.cluster.wait_known(6)
        self.check()

    @unittest.skipUnless(find_redis_server(), "no redis-server")
    def test_a_redis_is_imported(self):
        redis = self.start_server(binary=find_redis_server())
        with self.connect(redis) as source:
            fill(source, KEYS)
        text = self.run_cli("import", self.address, "--cluster-from", f"127.0.0.1:{redis.port}",
                            "--cluster-copy")
        self.assertNotIn("ERR", text)
        self.assertEqual(self.keys(), 300 + KEYS)
        self.check()

    @unittest.skipUnless(find_redis_server(), "no redis-server")
    def test_a_backup_is_what_redis_reads(self):
        with tempfile.TemporaryDirectory() as folder:
            text = self.run_cli("backup", self.address, folder)
            self.assertIn("Backup created into", text)
            with open(os.path.join(folder, "nodes.json"), encoding="utf-8") as file:
                nodes = json.load(file)
            self.assertEqual(len([n for n in nodes if "slots" in n and n["slots"]]), 3)
            dumps = [name for name in os.listdir(folder) if name.endswith(".rdb")]
            self.assertEqual(len(dumps), 3)
            found = 0
            for name in dumps:
                with open(os.path.join(folder, name), "rb") as file:
                    found += self.loaded_by_redis(file.read())
            self.assertEqual(found, 300)
        self.check()

    def loaded_by_redis(self, dump):
        """How many keys a redis-server has that starts with the dump."""
        with tempfile.TemporaryDirectory() as data:
            with open(os.path.join(data, "dump.rdb"), "wb") as file:
                file.write(dump)
            port = free_port()
            with subprocess.Popen(
                    ["redis-server", "--port", str(port), "--dir", data, "--save", ""],
                    stdout=subprocess.DEVNULL) as process:
                try:
                    def size():
                        done = subprocess.run(["redis-cli", "-p", str(port), "DBSIZE"],
                                              capture_output=True, check=False)
                        return done.stdout.strip().isdigit() and int(done.stdout) + 1
                    return wait_until(size, SETTLE_TIMEOUT_S, "redis-server has loaded it") - 1
                finally:
                    process.terminate()


class Dump(CompareCase):
    @unittest.skipUnless(find_redis_server(), "no redis-server")
    def test_redis_cli_gets_a_dump_of_all_databases(self):
        server = self.start_server()
        with self.connect(server) as source:
            fill(source, 20000)
            source.call("SET", "large", "x" * 5_000_000)
            source.call("SET", "gone", "x", "PX", 1)
            source.call("SELECT", 5)
            source.call("SET", "elsewhere", "x")
            source.call("SWAPDB", 5, 7)
            source.call("SELECT", 9)
            source.call("SET", "flushed", "x")
            source.call("FLUSHDB")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "dump.rdb")
            done = subprocess.run(["redis-cli", "-p", str(server.port), "--rdb", path],
                                  capture_output=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            redis = self.start_server("--appendonly", "no", "--dbfilename", "dump.rdb",
                                      binary=find_redis_server())
            redis.stop()
            with open(path, "rb") as dump, open(os.path.join(redis.directory, "dump.rdb"),
                                                "wb") as file:
                file.write(dump.read())
            redis.start()
            for database in (0, 7):
                self.assert_equal(f"redis://127.0.0.1:{server.port}/{database}",
                                  f"redis://127.0.0.1:{redis.port}/{database}")
            with self.connect(redis) as target:
                self.assertEqual(target.call("DBSIZE"), (":", b"20001"))
                target.call("SELECT", 9)
                self.assertEqual(target.call("DBSIZE"), (":", b"0"))


if __name__ == "__main__":
    main()
