"""A server process under test: start, wait until it answers, stop, kill, restart.

The binary is a parameter, so that the same tests run on Redis (which shows that a test describes
Redis' real behaviour) and on Syntropy. Every process is ended by its own id.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

POLL_INTERVAL_S = 0.005
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
LOG_TAIL_BYTES = 6000


class ServerFailure(AssertionError):
    """The server did not do what was asked of its process."""


def wait_until(condition, timeout_s, what):
    """Polls `condition` until it is true; its value. Raises ServerFailure after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise ServerFailure(f"not within {timeout_s} s: {what}")
        time.sleep(POLL_INTERVAL_S)


def free_port():
    """A TCP port that the kernel says is free (another process may still take it: start retries)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_redis_server():
    """The path of redis-server, or None."""
    return shutil.which("redis-server")


def server_under_test():
    """The binary that SYNTROPY_E2E_SERVER names; redis-server without it."""
    path = os.environ.get("SYNTROPY_E2E_SERVER") or find_redis_server()
    if not path or not os.access(path, os.X_OK):
        raise ServerFailure(f"no server to test: {path} (set SYNTROPY_E2E_SERVER)")
    return path


class Server:
    """One server process and its data directory. Not thread-safe."""

    def __init__(self, binary, args=(), directory=None, appendfsync="everysec", wrapper=()):
        """`args`: further command line options. `directory`: the data's place; a temporary one
        when None. `wrapper`: a command to run the server under (strace)."""
        self.binary = binary
        self.is_redis = "redis" in os.path.basename(binary)
        self.home = tempfile.mkdtemp(prefix="syntropy-e2e-")
        self.directory = directory or os.path.join(self.home, "data")
        os.makedirs(self.directory, exist_ok=True)
        self.log_path = os.path.join(self.home, "server.log")
        self.args = [str(arg) for arg in args]
        self.appendfsync = appendfsync
        self.wrapper = list(wrapper)
        self.host = "127.0.0.1"
        self.port = None
        self.password = None
        self.process = None

    # --- its process

    def command_line(self):
        line = self.wrapper + [self.binary, "--port", str(self.port), "--dir", self.directory]
        line += ["--appendfsync", self.appendfsync, "--enable-debug-command", "yes"]
        if self.is_redis:
            line += ["--appendonly", "yes", "--save", "",
                     "--auto-aof-rewrite-percentage", "0"]
        return line + self.args

    def launch(self):
        """Starts the process without waiting for it to answer."""
        assert self.process is None, "already running"
        if self.port is None:
            self.port = free_port()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command_line(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.home)

    def start(self, timeout_s=START_TIMEOUT_S):
        """Starts and waits until PING is answered. Another port is tried when one was taken."""
        for _ in range(5):
            first_start = self.port is None
            self.launch()
            if self._wait_answering(timeout_s):
                return self
            taken = "in use" in self.log_tail()
            self.process = None
            if not (first_start and taken):
                break
            self.port = None
        raise ServerFailure(f"{self.binary} did not start:\n{self.log_tail()}")

    def _wait_answering(self, timeout_s):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return False
            if self.answers():
                return True
            time.sleep(POLL_INTERVAL_S)
        self.process.kill()
        self.process.wait()
        return False

    def answers(self):
        """Whether PING gets PONG (or a demand for a password) now."""
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as probe:
                probe.sendall(b"PING\r\n")
                reply = probe.recv(64)
                return reply.startswith(b"+PONG") or reply.startswith(b"-NOAUTH")
        except OSError:
            return False

    def wait_exit(self, timeout_s=STOP_TIMEOUT_S):
        """Waits until the process has ended by itself; its exit code."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired as expired:
            raise ServerFailure(f"still running after {timeout_s} s:\n{self.log_tail()}") from expired
        self.process = None
        return code

    def stop(self):
        """Asks the process to end (SIGTERM) and waits; its exit code."""
        self._signal(signal.SIGTERM)
        return self.wait_exit()

    def kill(self):
        """kill -9, and waits until the process is gone."""
        self._signal(signal.SIGKILL)
        return self.wait_exit()

    def restart(self):
        self.stop()
        return self.start()

    def renew(self):
        """Starts a stopped server with an empty data directory."""
        shutil.rmtree(self.directory)
        os.makedirs(self.directory)
        open(self.log_path, "wb").close()
        return self.start()

    def pid(self):
        """The server's own id, below a wrapper too."""
        if not self.wrapper:
            return self.process.pid
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as children:
            return int(children.read().split()[0])

    def _signal(self, number):
        os.kill(self.pid(), number)

    def close(self):
        """Ends the process if it runs, and removes its files."""
        if self.process is not None:
            if self.process.poll() is None:
                try:
                    self._signal(signal.SIGKILL)
                except (OSError, IndexError):
                    self.process.kill()
            self.process.wait()
            self.process = None
        shutil.rmtree(self.home, ignore_errors=True)

    # --- what can be seen from outside

    def log_tail(self):
        try:
            with open(self.log_path, "rb") as log:
                log.seek(0, os.SEEK_END)
                log.seek(max(0, log.tell() - LOG_TAIL_BYTES))
                return log.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return "(no log)"

    def resident_bytes(self):
        """VmRSS of the process."""
        with open(f"/proc/{self.pid()}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise ServerFailure("no VmRSS")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
