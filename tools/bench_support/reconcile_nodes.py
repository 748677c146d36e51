"""tools/bench reconcile: what it costs two nodes to find the rows in which they differ."""

import argparse
import glob
import math
import os
import random
import shutil
import socket
import statistics
import sys
import tempfile
import time

from bench_support.servers import BenchError, Server

DESCRIPTION = """\
Two nodes hold the same rows but for some: a third missing on one, a third on the other, a third
different. Measures a reconcile session between them that only finds the differences: bytes to
identify them (messages both ways; keys and rows apart), round trips until all are known, and until
their keys are; processor time of both nodes and rows that they read. This program carries what
the nodes say to each other; its own time is in the elapsed time alone.

The first session after a change finds nothing of it in the caches: its processor time stands in
brackets behind the median of all.

How many bytes it takes depends on where the differences lie, so several sets of them are measured,
one after the other: each is mended before the next one is made.

Beside it: what a tree of 16-byte hashes with 16 children a node would send for as many differences
at random places, and the bound that no method beats, d * (64 - log2 d + 1.44) bits.
"""
SETTLE_S = 120
EQUAL = b"\x01\x01"  # the reply that ends a session of nodes in sync (merkle/reconcile_message.h)
REPEATS_IN_A_SAMPLE = {0: 50, 1: 20, 100: 5}  # processor time is measured over so many sessions


class Connection:
    """Commands to a node, as bytes. Not thread-safe."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=300)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.socket.makefile("rb", 1 << 18)

    def send(self, *args):
        parts = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
        self.socket.sendall(b"*%d\r\n" % len(parts)
                            + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))

    def read(self):
        line = self.input.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise BenchError(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.input.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.read() for _ in range(int(rest))]
        raise BenchError(f"not a reply: {line!r}")

    def call(self, *args):
        self.send(*args)
        return self.read()


def figures_of(step):
    return {name.decode(): figure for name, figure in zip(step[4][::2], step[4][1::2])}


def session(asks, answers, direction="NONE"):
    """Carries a session to its end; its figures by name."""
    step = asks.call("RECONCILE", "BEGIN", direction)
    while step[0] != b"done":
        for request in step[2]:
            answers.send("RECONCILE", "ANSWER", request)
        replies = [answers.read() for _ in step[2]]
        if replies == [EQUAL]:
            figures = figures_of(step)
            return {**figures, "proven": 1, "identify-round-trips": figures["round-trips"],
                    "identify-bytes": figures["identify-bytes"] + len(EQUAL)}
        step = asks.call("RECONCILE", "NEXT", *replies)
    return figures_of(step)


def cpu_us(server):
    total = 0
    for path in glob.glob(f"/proc/{server.process.pid}/task/*/schedstat"):
        try:
            with open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
        except FileNotFoundError:
            pass
    return total / 1000


def rows_read(connection):
    info = connection.call("INFO", "merkle").decode()
    return int(info.split("merkle_session_rows_read:")[1].split("\r\n")[0])


def await_rest(servers, connections):
    """Until no node has anything to do with its trees, and neither compacts."""
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline:
        infos = [c.call("INFO", "everything").decode() for c in connections]
        if all("merkle_ready:1" in i and "merkle_noted_changes:0" in i
               and "rocksdb_running_compactions:0" in i and "rocksdb_running_flushes:0" in i
               for i in infos):
            before = [cpu_us(server) for server in servers]
            time.sleep(1)
            if all(cpu_us(s) - b < 50_000 for s, b in zip(servers, before)):
                return
        time.sleep(0.5)
    raise BenchError("the nodes don't come to rest")


def make_differences(mine, theirs, first, count):
    """Changes `count` keys from number `first` on; they lie at random places, as all keys do."""
    for number in range(first, first + count):
        key = b"key:%012d" % number
        kind = number % 3
        if kind == 0:
            mine.call("DEL", key)
        elif kind == 1:
            theirs.call("DEL", key)
        else:
            mine.call("SET", key, b"another value")


def plain_tree_bytes(differences, rows):
    """Of a tree of 16-byte hashes, 16 children a node, leaves of some 16 rows."""
    if differences == 0:
        return 16
    places = [random.random() for _ in range(differences)]
    depth = 0
    while 16.0 * 16.0 ** depth < rows:
        depth += 1
    total = 16
    for level in range(depth + 1):
        nodes = len({int(place * 16 ** level) for place in places})
        total += nodes * 16 * 16 if level < depth else int(nodes * rows / 16 ** depth * 16)
    return total


def bound_bytes(differences):
    return 0 if differences == 0 else differences * (64 - math.log2(differences) + 1.44) / 8


def measure(mine, theirs, servers, differences, repeats):
    """The figures of so many sessions."""
    samples = []
    for _ in range(repeats):
        inner = REPEATS_IN_A_SAMPLE.get(differences, 1)
        read = rows_read(mine) + rows_read(theirs)
        before = sum(cpu_us(server) for server in servers)
        begin = time.monotonic()
        for _ in range(inner):
            figures = session(mine, theirs)
        elapsed_ms = (time.monotonic() - begin) * 1000 / inner
        figures["cpu-us"] = (sum(cpu_us(server) for server in servers) - before) / inner
        figures["elapsed-ms"] = elapsed_ms
        figures["rows-read"] = (rows_read(mine) + rows_read(theirs) - read) / inner
        found = sum(figures[kind] for kind in ("missing-here", "missing-there", "different"))
        if not figures["proven"] or found != differences:
            raise BenchError(f"{found} differences found instead of {differences}")
        figures["first"] = not samples
        samples.append(figures)
    return samples


def print_row(rows, differences, samples):
    def middle(name):
        return statistics.median(sample[name] for sample in samples)

    first = statistics.median(sample["cpu-us"] for sample in samples if sample["first"])
    least, most = (choose(sample["identify-bytes"] for sample in samples) for choose in (min, max))
    print(f"| {rows:,} | {differences:,} | {middle('identify-bytes'):,.0f} ({least:,} - {most:,}) "
          f"| {middle('identify-round-trips'):.0f} | {middle('round-trips'):.0f} "
          f"| {middle('cpu-us'):,.0f} ({first:,.0f}) | {middle('elapsed-ms'):,.2f} | {middle('rows-read'):,.0f} "
          f"| {plain_tree_bytes(differences, rows):,} | {bound_bytes(differences):,.0f} |", flush=True)


def run(options, folder):
    binary = os.path.join(options.binaries, "syntropyd")
    servers = [Server("syntropy", binary, folder, "everysec") for _ in range(2)]
    try:
        servers[0].start()
        servers[0].preload(options.rows, 100)
        servers[0].stop()
        # The other has the very same rows, with their versions.
        shutil.rmtree(servers[1].home)
        shutil.copytree(servers[0].home, servers[1].home)
        for server in servers:
            server.start()
        mine, theirs = (Connection(server.port) for server in servers)
        samples = {differences: [] for differences in options.differences}
        for number in range(options.sets):
            first = number * options.differences[-1]
            made = 0
            for differences in options.differences:
                make_differences(mine, theirs, first + made, differences - made)
                made = differences
                await_rest(servers, (mine, theirs))
                samples[differences] += measure(mine, theirs, servers, differences, options.repeats)
            mended = session(mine, theirs, "BOTH")
            if not mended["proven"]:
                raise BenchError("the differences weren't mended")
        print("| rows | differences | bytes to identify | round trips | with the keys "
              "| CPU of both nodes, us (first) | elapsed, ms | rows read | plain tree, bytes | bound, bytes |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for differences, figures in samples.items():
            print_row(options.rows, differences, figures)
    finally:
        for server in servers:
            server.remove()


def main(args, root):
    parser = argparse.ArgumentParser(
        prog="tools/bench reconcile", description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of 100 B (1000000)")
    parser.add_argument("--differences", type=lambda text: sorted(int(d) for d in text.split(",")),
                        default=[0, 1, 100, 10_000], help="how many, ascending (0,1,100,10000)")
    parser.add_argument("--sets", type=int, default=5, help="of differences (5); medians are told")
    parser.add_argument("--repeats", type=int, default=9, help="sessions for each of a set (9)")
    parser.add_argument("--binaries", default=os.path.join(root, "build", "bin"),
                        help="folder of syntropyd")
    parser.add_argument("--dir", help="folder for the data (a new one below build/)")
    options = parser.parse_args(args)
    folder = options.dir or tempfile.mkdtemp(prefix="bench-", dir=os.path.join(root, "build"))
    try:
        run(options, folder)
    except BenchError as error:
        print(f"tools/bench reconcile: {error}", file=sys.stderr)
        return 1
    finally:
        if not options.dir:
            shutil.rmtree(folder, ignore_errors=True)
    return 0
