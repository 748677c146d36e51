#!/usr/bin/env python3
"""`syntropy compare` and `syntropy repair` between a real Redis and the server under test, in use.

SYNTROPY_COMPARE_KEYS says how many keys the migration has (100,000)."""

import os
import shutil
import socket
import subprocess
import threading
import time
import unittest

from harness.case import main
from harness.cli import FAR, CompareCase, cli, fill, node
from harness.cluster import Cluster
from harness.resp import Connection, ConnectionClosed
from harness.server import find_redis_server, free_port

KEYS = int(os.environ.get("SYNTROPY_COMPARE_KEYS", "100000"))


def url(server, credentials="", database=""):
    return f"redis://{credentials}127.0.0.1:{server.port}{database}"


def resolves(name):
    try:
        return bool(socket.getaddrinfo(name, None))
    except OSError:
        return False


@unittest.skipUnless(find_redis_server(), "no redis-server")
class CompareTest(CompareCase):
    def start_redis(self, *args):
        return self.start_server(*args, binary=find_redis_server())


class Writer:
    """A client that writes to one server and then to the other, as a migration does, until it is
    stopped. Every key that it has written is the same on both after a moment."""

    def __init__(self, *servers):
        self.servers = servers
        self.written = 0
        self.error = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            a, b = self.servers
            with Connection(a.port) as to_a, Connection(b.port) as to_b:
                while not self.stopping.is_set():
                    for connection in (to_a, to_b):
                        connection.call("SET", f"live:{self.written % 5000}", self.written)
                    self.written += 1
        except (OSError, ConnectionClosed) as error:
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


def encoded(reply):
    """A reply as it goes over the wire."""
    kind, content = reply
    start = kind.encode()
    if kind == "*":
        return start + b"%d\r\n" % len(content) + b"".join(map(encoded, content))
    if kind == "$":
        return b"$-1\r\n" if content is None else b"$%d\r\n%s\r\n" % (len(content), content)
    return start + content + b"\r\n"


class MovingNode:
    """Looks like a cluster's only node, whose keys have all gone to `server`: it passes SCAN on, and
    answers every command on a key with MOVED or ASK. `slots`: the ends of its range, one for each
    time that it is asked, then always the last."""

    def __init__(self, server, slots=(16383,)):
        self.server = server
        self.slots = list(slots)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.redirected = {b"MOVED": 0, b"ASK": 0}
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def run(self):
        """One client at a time."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with Connection(self.server.port) as to_server, client:
                self.serve(client, to_server)

    def serve(self, client, to_server):
        reader = Connection.__new__(Connection)
        reader.socket, reader.buffer, reader.position = client, b"", 0
        try:
            while True:
                args = [content for _, content in reader.read()[1]]
                client.sendall(encoded(self.answer(args, to_server)))
        except (OSError, ConnectionClosed):
            pass

    def answer(self, args, to_server):
        if args[0] == b"INFO":
            return ("$", b"# Cluster\r\ncluster_enabled:1\r\n")
        if args[0] == b"CLUSTER":
            last = self.slots.pop(0) if len(self.slots) > 1 else self.slots[0]
            owners = [(last, self.port)] + ([(16383, self.server.port)] if last != 16383 else [])
            first, ranges = 0, []
            for end, port in owners:
                ranges.append(("*", [(":", b"%d" % first), (":", b"%d" % end),
                                     ("*", [("$", b"127.0.0.1"), (":", b"%d" % port)])]))
                first = end + 1
            return ("*", ranges)
        if args[0] == b"SCAN":
            return to_server.call(*args)
        word = b"ASK" if args[0] == b"PEXPIRETIME" else b"MOVED"
        self.redirected[word] += 1
        return ("-", b"%s 1 127.0.0.1:%d" % (word, self.server.port))


class Migration(CompareTest):
    def change(self, redis, server):
        """Changes 37 of the keys; what has to be found."""
        at_a, at_b = self.connect(redis), self.connect(server)
        step = KEYS // 40
        name = [f"key:{index * step:07}" for index in range(40)]
        for key in name[0:8]:
            at_a.call("SET", key, "changed at A", "KEEPTTL")
        for key in name[8:12]:
            at_b.call("APPEND", key, "!")
        for key in name[12:16]:
            at_b.call("PEXPIREAT", key, FAR - 1)
        for key in name[16:18]:
            at_a.call("PEXPIREAT", key, FAR - 2)
        for key in name[18:25]:
            at_b.call("DEL", key)
        for key in name[25:31]:
            at_a.call("DEL", key)
        for key in ("new at A 1", "new at A 2", "new at A 3"):
            at_a.call("SET", key, "")
        for key in ("new at B 1", "new at B 2", "new at B 3"):
            at_b.call("SET", key, "x")
        return {"different": sorted(name[0:18]),
                "missing_there": sorted(name[18:25] + ["new at A 1", "new at A 2", "new at A 3"]),
                "missing_here": sorted(name[25:31] + ["new at B 1", "new at B 2", "new at B 3"])}

    def test_exactly_the_37_changes_are_found_while_both_are_written_and_then_mended(self):
        redis, server = self.start_redis(), self.start_server()
        for each in (redis, server):
            fill(self.connect(each), KEYS)
        a, b = url(redis), node(server)
        report = self.assert_equal(a, b)
        self.assertEqual(report["keys_compared"], KEYS)
        expected = self.change(redis, server)
        self.assertEqual(sum(map(len, expected.values())), 37)
        with Writer(redis, server) as writer:
            started = time.monotonic()
            code, report = self.compare(a, b, "--rechecks", 10)
            print(f"{KEYS} keys compared in {time.monotonic() - started:.1f} s, "
                  f"{writer.written} keys written meanwhile", flush=True)
        self.assertIsNone(writer.error)
        self.assertGreater(writer.written, 0)
        self.assertEqual((code, self.found(report)), (1, expected))
        self.assertEqual(report["keys_different"], 37)

        code, report = self.compare(a, b, "--delete", "--dry-run", command="repair")
        self.assertEqual((code, report["repair"]["copied_to_b"], report["repair"]["deleted_at_b"]),
                         (1, 28, 9))
        code, report = self.compare(a, b)
        self.assertEqual(self.found(report), expected)
        code, report = self.compare(a, b, command="repair")
        self.assertEqual((code, report["repair"]["left"]), (1, 9))
        code, report = self.compare(a, b, "--delete", command="repair")
        self.assertEqual((code, report["repair"]["deleted_at_b"]), (0, 9))
        self.assert_equal(a, b)
        self.assert_equal(b, a)
        self.assertEqual(self.connect(redis).integer("EXISTS", "new at B 1"), 0)


class Options(CompareTest):
    def test_part_of_the_keys(self):
        redis, server = self.start_redis(), self.start_server()
        connection = self.connect(redis)
        fill(connection, 100)
        connection.call("SET", "{u}1", "x")
        slot = self.slot("{u}1")
        a, b = url(redis), node(server)
        self.assertEqual(self.found(self.compare(a, b, "--slots", slot)[1]),
                         {"missing_there": ["{u}1"]})
        self.assertEqual(self.found(self.compare(a, b, "--match", "key:000000[12]")[1]),
                         {"missing_there": ["key:0000001", "key:0000002"]})
        self.assertEqual(self.compare(a, b)[1]["keys_different"], 101)

    def slot(self, key):
        """As a server in cluster mode says it."""
        clustered = self.start_redis("--cluster-enabled", "yes", "--cluster-port", free_port())
        return self.connect(clustered).integer("CLUSTER", "KEYSLOT", key)

    def test_databases(self):
        redis, server = self.start_redis(), self.start_server()
        connection = self.connect(redis)
        connection.call("SELECT", 3)
        connection.call("SET", "k", "v")
        self.assert_equal(url(redis), node(server))
        self.assertEqual(self.found(self.compare(url(redis, database="/3"), node(server))[1]),
                         {"missing_there": ["k"]})
        code, _ = self.compare(url(redis), node(server), "--db", 3, command="repair")
        self.assertEqual(code, 0)
        self.assert_equal(url(redis), node(server), "--db", 3)
        self.assertEqual(cli("compare", url(redis), node(server), "--db", 99)[0], 2)

    def test_passwords(self):
        redis = self.start_redis("--requirepass", "p@ss:1")
        server = self.start_server("--requirepass", "other")
        a, b = url(redis), node(server)
        self.assert_equal(url(redis, "default:p%40ss%3A1@"), b, "--password-b", "other")
        self.assert_equal(a, b, SYNTROPY_PASSWORD_A="p@ss:1", SYNTROPY_PASSWORD_B="other")
        for args in ((a, b), (url(redis, ":wrong@"), b)):
            code, _, error = cli("compare", *args, SYNTROPY_PASSWORD_B="other")
            self.assertEqual(code, 2)
            self.assertRegex(error, "NOAUTH|WRONGPASS")
            self.assertNotIn("wrong@", error)

    def test_limits_slow_down(self):
        redis, server = self.start_redis(), self.start_server()
        for each in (redis, server):
            fill(self.connect(each), 100)
        report = self.assert_equal(url(redis), node(server), "--limit-keys-per-second", 400)
        self.assertGreaterEqual(report["elapsed_ms"], 400)  # 100 keys of each side
        report = self.assert_equal(url(redis), node(server), "--limit-bytes-per-second", "20kb")
        moved = report["bytes_a"] + report["bytes_b"]
        self.assertGreater(report["elapsed_ms"], moved / 20480 * 1000 * 0.9)

    def test_what_cannot_be_compared_ends_with_2(self):
        redis = self.start_redis()
        for other in ("./directory", f"127.0.0.1:{free_port()}", "nonsense",
                      f"rediss://127.0.0.1:{redis.port}"):
            code, text, error = cli("compare", url(redis), other, "--timeout", 2)
            self.assertEqual((code, text), (2, ""), error)
            self.assertTrue(error.startswith("syntropy: "), error)


class Servers(CompareTest):
    def test_two_nodes(self):
        one, other = self.start_server(), self.start_server()
        self.connect(one).call("SET", "k", "v", "EX", 1000)
        self.assertEqual(self.compare(node(one), node(other), command="repair")[0], 0)
        self.assert_equal(node(one), node(other))

    def test_server_without_pexpiretime(self):
        redis, server = self.start_redis("--rename-command", "PEXPIRETIME", ""), self.start_server()
        for name, seconds in (("k", 1000), ("l", 2000)):
            self.connect(redis).call("SET", name, "v", "EX", seconds)
            self.connect(server).call("SET", name, "v", "EX", 1000)
        code, report = self.compare(url(redis), node(server))
        self.assertEqual(self.found(report), {"different": ["l"]})
        self.assertEqual(self.compare(url(redis), node(server), command="repair")[0], 0)
        self.assertEqual(self.compare(node(server), url(redis), command="repair")[0], 0)
        self.assert_equal(url(redis), node(server))

    def test_collections(self):
        one, other = self.start_redis(), self.start_redis()
        commands = [command for i in range(1000) for command in
                    (("HSET", "h", f"f{i}", i), ("SADD", "s", f"m{i}"), ("ZADD", "z", i, f"m{i}"))]
        ordered = [("RPUSH", "l", "1", "2"), ("XADD", "x", "1-1", "a", "1")]
        self.connect(one).pipeline(commands + ordered)
        self.connect(other).pipeline(commands[::-1] + ordered)
        self.assert_equal(url(one), url(other))  # in other orders within
        changed = self.connect(other)
        for command in (("HSET", "h", "f7", "x"), ("SREM", "s", "m7"), ("ZADD", "z", 8, "m7"),
                        ("LSET", "l", 0, "x"), ("XADD", "x", "1-2", "a", "1")):
            changed.call(*command)
        code, report = self.compare(url(one), url(other))
        self.assertEqual((code, self.found(report)), (1, {"different": ["h", "l", "s", "x", "z"]}))
        self.assertEqual(self.compare(url(one), url(other), command="repair")[0], 0)
        self.assert_equal(url(one), url(other))

    def test_collections_against_a_server_of_strings(self):
        redis, server = self.start_redis(), self.start_server()
        if not self.connect(server).call("HLEN", "h")[1].startswith(b"ERR unknown command"):
            self.skipTest("the server has collections")
        self.connect(redis).call("HSET", "h", "f", "v")
        code, report = self.compare(url(redis), node(server))
        self.assertEqual((code, self.found(report)), (1, {"unsupported": ["h"]}))
        code, report = self.compare(url(redis), node(server), command="repair")
        self.assertEqual((code, report["repair"]["left"]), (1, 1))

    def test_cluster_is_compared_and_repaired_as_a_whole(self):
        cluster = Cluster(self, 4).create(3)
        redis = self.start_redis()
        connection = self.connect(redis)
        fill(connection, 3000)
        for seed in (cluster[0], cluster[3]):  # a primary, a replica
            b = node(seed.server)
            code, report = self.compare(url(redis), b, command="repair")
            self.assertEqual((code, report["repair"]["failed"]), (0, 0))
            self.assertEqual(self.assert_equal(url(redis), b)["keys_compared"], 3000)
            self.assert_equal(b, url(redis))
            connection.call("DEL", "key:0000007")
            self.assertEqual(self.found(self.compare(url(redis), b)[1]),
                             {"missing_here": ["key:0000007"]})
            connection.call("SET", "key:0000008", "changed")
            connection.call("SET", "key:0000007", "back")


    def test_redirections_are_followed(self):
        redis, server = self.start_redis(), self.start_server()
        for each in (redis, server):
            fill(self.connect(each), 100)
        self.connect(redis).call("SET", "key:0000007", "changed")
        with MovingNode(redis) as moving:
            code, report = self.compare(f"redis://127.0.0.1:{moving.port}", node(server))
        self.assertEqual((code, self.found(report)), (1, {"different": ["key:0000007"]}))
        for word, count in moving.redirected.items():
            self.assertGreaterEqual(count, 100, word)

    def test_slots_that_move_meanwhile_are_no_proof(self):
        redis, server = self.start_redis(), self.start_server()
        for each in (redis, server):
            fill(self.connect(each), 100)
        with MovingNode(redis, slots=(16383, 8191)) as moving:
            code, text, error = cli("compare", f"redis://127.0.0.1:{moving.port}", node(server))
        self.assertEqual((code, text), (2, ""))
        self.assertIn("moved while its keys were read", error)


@unittest.skipUnless(shutil.which("openssl"), "no openssl to make certificates")
class Tls(CompareTest):
    def certificate(self, directory, name, *args):
        """A self-signed one; the paths of the certificate and its key."""
        paths = [os.path.join(directory, f"{name}.{end}") for end in ("crt", "key")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", f"/CN={name}", "-out", paths[0], "-keyout", paths[1], *args],
                       check=True, capture_output=True)
        return paths

    def start_tls(self):
        """(server, URL, certificate, key): one certificate for the server and its clients."""
        redis = self.new_server(binary=find_redis_server())
        cert, key = self.certificate(redis.home, "localhost", "-addext",
                                     "subjectAltName=IP:127.0.0.1,DNS:localhost")
        port = free_port()
        redis.args += ["--tls-port", str(port), "--tls-cert-file", cert, "--tls-key-file", key,
                       "--tls-ca-cert-file", cert, "--requirepass", "secret"]
        return redis.start(), f"rediss://:secret@127.0.0.1:{port}", cert, key

    def test_certificates_are_checked_and_shown(self):
        redis, a, cert, key = self.start_tls()
        server = self.start_server()
        connection = self.connect(redis)
        connection.call("AUTH", "secret")
        connection.pipeline([("SET", f"k{i}", str(i) * 10000) for i in range(2000)])
        b = node(server)
        shown = ("--cert", cert, "--key", key)
        self.assertEqual(self.compare(a, b, "--cacert", cert, *shown, command="repair")[0], 0)
        self.assert_equal(a, b, "--cacert", cert, *shown)
        if resolves("localhost"):  # a bare system may have no /etc/hosts
            self.assert_equal(a.replace("127.0.0.1", "localhost"), b, "--cacert", cert, *shown)
        self.assert_equal(a, b, "--insecure", *shown)
        code, _, error = cli("compare", a, b, *shown)
        self.assertEqual(code, 2)
        self.assertIn("certificate is not trusted", error)
        self.assertEqual(cli("compare", a, b, "--cacert", cert)[0], 2)  # shows none
        other, _ = self.certificate(redis.home, "elsewhere")
        self.assertEqual(cli("compare", a, b, "--cacert", other, *shown)[0], 2)


if __name__ == "__main__":
    main()
