"""A connection that speaks RESP and keeps every reply as it came over the wire.

A reply is a tuple (type, content): the type is the reply's first byte as text, the content the
bytes of a scalar (None when null) or a list of replies for an aggregate (a map is a flat list).
Numbers stay text, so that two replies are equal exactly when their bytes are.
"""

import socket

SCALARS = "+-:,#("
BULKS = "$=!"
AGGREGATES = "*~>%|"
DEFAULT_TIMEOUT_S = 60


class ConnectionClosed(Exception):
    """The server closed the connection."""


def encode(*args):
    """The command as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = to_bytes(arg)
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def to_bytes(value):
    if isinstance(value, bytes):
        return value
    return str(value).encode("utf-8", "surrogateescape")


def is_error(reply):
    return reply[0] == "-"


class Connection:
    """One client. Not thread-safe."""

    def __init__(self, port, timeout_s=DEFAULT_TIMEOUT_S, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=timeout_s)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.position = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, *args):
        self.socket.sendall(encode(*args))

    def call(self, *args):
        """Sends a command; its reply. Errors come back as replies, not as exceptions."""
        self.send(*args)
        return self.read()

    def text(self, *args):
        """The content of a scalar reply as str; AssertionError for an error reply."""
        reply = self.call(*args)
        assert not is_error(reply), reply
        return None if reply[1] is None else reply[1].decode("utf-8", "replace")

    def integer(self, *args):
        return int(self.text(*args))

    def pipeline(self, commands):
        """Sends all commands at once; their replies."""
        commands = list(commands)  # an iterator could be gone through once only
        self.socket.sendall(b"".join(encode(*command) for command in commands))
        return [self.read() for _ in commands]

    def _fill(self):
        chunk = self.socket.recv(1 << 16)
        if not chunk:
            raise ConnectionClosed()
        self.buffer = self.buffer[self.position:] + chunk
        self.position = 0

    def _line(self):
        while True:
            end = self.buffer.find(b"\r\n", self.position)
            if end >= 0:
                line = self.buffer[self.position:end]
                self.position = end + 2
                return line
            self._fill()

    def _exactly(self, count):
        if len(self.buffer) - self.position < count + 2:
            parts = [self.buffer[self.position:]]
            have = len(parts[0])
            while have < count + 2:
                chunk = self.socket.recv(1 << 18)
                if not chunk:
                    raise ConnectionClosed()
                parts.append(chunk)
                have += len(chunk)
            self.buffer = b"".join(parts)
            self.position = 0
        data = self.buffer[self.position:self.position + count]
        end = self.buffer[self.position + count:self.position + count + 2]
        assert end == b"\r\n", f"bulk without CRLF: {end!r}"
        self.position += count + 2
        return data

    def read(self):
        """The next reply; ConnectionClosed at the end of the stream."""
        line = self._line()
        kind, rest = line[:1].decode("latin-1"), line[1:]
        if kind in SCALARS:
            return (kind, rest)
        if kind == "_":
            return ("_", None)
        if kind in BULKS:
            length = int(rest)
            return (kind, None if length < 0 else self._exactly(length))
        if kind in AGGREGATES and kind:
            length = int(rest)
            if length < 0:
                return (kind, None)
            return (kind, [self.read() for _ in range(length * 2 if kind in "%|" else length)])
        raise AssertionError(f"not RESP: {line[:80]!r}")

    def expect_close(self):
        """Reads replies until the server closes; returns them."""
        replies = []
        try:
            while True:
                replies.append(self.read())
        except (ConnectionClosed, ConnectionResetError, BrokenPipeError):
            return replies
