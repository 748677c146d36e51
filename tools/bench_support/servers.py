"""Starts the servers that tools/bench compares, each in a directory of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
import time

START_TIMEOUT_S = 120
POLL_INTERVAL_S = 0.002
PRELOAD_CHUNK = 20_000
PAYLOAD_CHARACTERS = bytes(range(48, 112))


class BenchError(Exception):
    """A measurement could not be taken."""


class Server:
    """One server process on 127.0.0.1. Not thread-safe."""

    def __init__(self, name, binary, parent_directory, policy, extra=()):
        """`extra`: further command line options. The data goes below `parent_directory`."""
        self.name = name
        self.binary = binary
        self.home = tempfile.mkdtemp(prefix=f"bench-{name}-", dir=parent_directory)
        self.arguments = ["--appendfsync", policy, *extra]
        if name == "redis":
            # No rewriting of the log in the middle of a measurement: to Redis' advantage.
            self.arguments += ["--appendonly", "yes", "--save", "",
                               "--auto-aof-rewrite-percentage", "0"]
        self.port = None
        self.process = None

    def start(self):
        """Starts it; the seconds until it answered PING."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        with open(os.path.join(self.home, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "--port", str(self.port), "--dir", self.home, *self.arguments],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        begin = time.monotonic()
        while time.monotonic() - begin < START_TIMEOUT_S:
            if self.process.poll() is not None:
                break
            if self.answers():
                return time.monotonic() - begin
            time.sleep(POLL_INTERVAL_S)
        with open(os.path.join(self.home, "log"), encoding="utf-8", errors="replace") as log:
            raise BenchError(f"{self.binary} did not start:\n{log.read()[-3000:]}")

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    def call(self, *arguments):
        """A command through redis-cli; its output."""
        return subprocess.run(["redis-cli", "-p", str(self.port), *map(str, arguments)],
                              capture_output=True, text=True, check=True).stdout.strip()

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise BenchError("no VmRSS")

    def stop(self, kill=False):
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait()
            self.process = None

    def remove(self):
        """Ends it and removes its data."""
        self.stop(kill=True)
        shutil.rmtree(self.home, ignore_errors=True)

    def pipe(self, chunks):
        """Sends `chunks` (an iterable of bytes) through redis-cli --pipe; errors end the bench."""
        pipe = subprocess.Popen(["redis-cli", "-p", str(self.port), "--pipe"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for chunk in chunks:
            pipe.stdin.write(chunk)
        output = pipe.communicate()[0].decode()
        if pipe.returncode != 0 or "errors: 0" not in output:
            raise BenchError(f"load of {self.name}: {output}")

    def preload(self, keys, value_bytes):
        """Sets the keys that redis-benchmark -r `keys` draws from, every one."""
        value = payload(value_bytes)
        tail = b"\r\n$%d\r\n%s\r\n" % (len(value), value)
        self.pipe(
            b"".join(b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d%s" % (number, tail)
                     for number in range(begin, min(keys, begin + PRELOAD_CHUNK)))
            for begin in range(0, keys, PRELOAD_CHUNK))
        stored = int(self.call("DBSIZE"))
        if stored != keys:
            raise BenchError(f"preload of {self.name}: {stored} keys instead of {keys}")


def payload(size):
    """Text of 64 different characters, as compressible as redis-benchmark's own."""
    state, data = 1234, bytearray()
    for _ in range(size):
        state = (state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        data.append(PAYLOAD_CHARACTERS[state >> 58])
    return bytes(data)
