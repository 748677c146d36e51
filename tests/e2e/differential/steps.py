"""Runs steps on the reference (Redis) and on the subject, and compares.

A step is a tuple whose first element is its kind:
  ("cmd", client, args)            send to both, compare the replies
  ("raw", client, data, replies)   bytes as they are; `replies` replies follow; -1: until the close
  ("scan", client, args)           a whole SCAN iteration; the sets of keys must be equal
  ("cross_dump", client, key, to)  DUMP on each, RESTORE each dump on the other, compare
  ("vanish", client, key)          PEXPIRE key 1, then waits until both say that it is gone
  ("reconnect", client)            a fresh connection
  ("state",)                       the contents of all databases must be equal
Steps are plain data, so that a failing list can be replayed, shrunk and printed.
"""

from differential import rules
from harness.resp import DEFAULT_TIMEOUT_S, Connection, ConnectionClosed, encode
from harness.server import wait_until

DATABASES = 4
RAW_TIMEOUT_S = 10
CONNECTION_LOST = ("-", b"<connection closed>")
# Replies of these end what was queued by MULTI.
TRANSACTION_ENDS = {b"EXEC", b"DISCARD", b"RESET", b"QUIT"}


class Mismatch(AssertionError):
    """The subject differs from the reference at step `index`."""

    def __init__(self, index, step, why, reference, subject):
        super().__init__(why)
        self.index, self.step, self.why = index, step, why
        self.reference, self.subject = reference, subject

    def __str__(self):
        return (f"step {self.index}: {show(self.step)}\n  {self.why}\n"
                f"  reference: {self.reference!r:.2000}\n  subject:   {self.subject!r:.2000}")


def show(step):
    """The step as one would type it."""
    if step[0] == "cmd":
        return f"[client {step[1]}] " + " ".join(quote(arg) for arg in step[2])
    return " ".join(quote(part) if isinstance(part, bytes) else str(part) for part in step)


def quote(arg):
    text = repr(arg)[2:-1]
    return text if text and all(c not in " \"'\\" for c in text) else f'"{text}"'


class Client:
    """One client: a connection to each server, and what it has queued in a transaction."""

    def __init__(self, ports):
        self.ports = ports
        self.connections = [Connection(port) for port in ports]
        self.queued = None

    def reconnect(self):
        self.close()
        self.connections = [Connection(port) for port in self.ports]
        self.queued = None

    def close(self):
        for connection in self.connections:
            connection.close()

    def send(self, data):
        for connection in self.connections:
            try:
                connection.send_raw(data)
            except OSError:
                pass  # read() reports it

    def read(self):
        return [self._read_one(connection) for connection in self.connections]

    @staticmethod
    def _read_one(connection):
        try:
            return connection.read()
        except (ConnectionClosed, ConnectionResetError, BrokenPipeError):
            return CONNECTION_LOST

    def call(self, *args):
        self.send(encode(*args))
        return self.read()

    def compare(self, args, left, right):
        """rules.compare, knowing what EXEC's elements are replies to."""
        queued, name = self.queued, rules.name_of(args)
        if left == ("+", b"QUEUED") and queued is not None:
            queued.append(args)
        elif name == b"MULTI" and left == ("+", b"OK"):
            self.queued = []
        elif name in TRANSACTION_ENDS and left[0] != "-" or left[1] == _EXEC_ABORTED:
            self.queued = None
        if name == b"EXEC" and queued and left[0] == right[0] == "*" and left[1] and right[1]:
            if len(left[1]) != len(right[1]):
                return "EXEC's lengths differ"
            for command, one, other in zip(queued, left[1], right[1]):
                why = rules.compare(command, one, other)
                if why:
                    return f"in EXEC, {b' '.join(command)!r}: {why}"
            return None
        return rules.compare(args, left, right)


_EXEC_ABORTED = b"EXECABORT Transaction discarded because of previous errors."


class Runner:
    """Executes steps on two running servers, the reference and the subject."""

    def __init__(self, reference, subject, clients=2):
        self.reference, self.subject = reference, subject
        self.clients = [Client(self.ports()) for _ in range(clients)]
        self.executed = 0

    def ports(self):
        return [self.reference.port, self.subject.port]

    def close(self):
        for client in self.clients:
            client.close()

    def reset(self):
        """Both servers empty, all connections new. A subject that doesn't become empty is replaced,
        so that what one sequence broke is not held against the next; one that has ended as well."""
        for client in self.clients:
            client.close()
        if self.subject.process.poll() is not None:
            print(f"the server has ended:\n{self.subject.log_tail()}", flush=True)
            self.subject.process = None
            self.subject.renew()
        self.clients = [Client(self.ports()) for _ in self.clients]
        for reply in self.clients[0].call(b"FLUSHALL"):
            assert reply == ("+", b"OK"), reply
        try:
            self._step_state(0, ("state",))
        except Mismatch:
            self.subject.stop()
            self.subject.renew()
            self.clients = [Client(self.ports()) for _ in self.clients]

    def run(self, steps, pipeline=1):
        """Runs all steps; raises Mismatch at the first difference. Up to `pipeline` consecutive
        commands of one client are sent at once."""
        index = 0
        while index < len(steps):
            end = index + 1
            if steps[index][0] == "cmd":
                while (end < len(steps) and end - index < pipeline and steps[end][0] == "cmd"
                       and steps[end][1] == steps[index][1]):
                    end += 1
                self._run_commands(steps, index, end)
            else:
                getattr(self, "_step_" + steps[index][0])(index, steps[index])
            self.executed += end - index
            index = end

    def _run_commands(self, steps, begin, end):
        client = self.clients[steps[begin][1]]
        client.send(b"".join(encode(*step[2]) for step in steps[begin:end]))
        for index in range(begin, end):
            left, right = client.read()
            why = client.compare(steps[index][2], left, right)
            if why:
                raise Mismatch(index, steps[index], why, left, right)
            if left == CONNECTION_LOST:
                client.reconnect()
                return

    def _expect_equal(self, index, step, left, right, why="replies differ"):
        if left != right:
            raise Mismatch(index, step, why, left, right)

    def _step_raw(self, index, step):
        _, number, data, replies = step
        client = self.clients[number]
        client.send(data)
        for _ in range(max(replies, 0)):
            self._expect_equal(index, step, *[self._answer(c.read, c) for c in client.connections])
        if replies < 0:
            self._expect_equal(index, step,
                               *[self._answer(c.expect_close, c) for c in client.connections])
            client.reconnect()

    @staticmethod
    def _answer(read, connection):
        connection.socket.settimeout(RAW_TIMEOUT_S)
        try:
            return read()
        except TimeoutError:
            return "nothing came within the time"
        except ConnectionClosed:
            return CONNECTION_LOST
        finally:
            connection.socket.settimeout(DEFAULT_TIMEOUT_S)

    def _step_scan(self, index, step):
        client = self.clients[step[1]]
        found = []
        for connection in client.connections:
            cursor, keys = b"0", set()
            while True:
                reply = connection.call(b"SCAN", cursor, *step[2])
                if reply[0] != "*":  # an error, or queued (in a shrunk sequence)
                    keys = reply
                    break
                cursor = reply[1][0][1]
                keys.update(item[1] for item in reply[1][1][1])
                if cursor == b"0":
                    break
            found.append(keys)
        self._expect_equal(index, step, *found, why="SCAN found other keys")

    def _step_cross_dump(self, index, step):
        _, number, key, target = step
        client = self.clients[number]
        dumps = client.call(b"DUMP", key)
        why = rules.compare([b"DUMP"], *dumps)
        if why:
            raise Mismatch(index, step, why, *dumps)
        if dumps[0][0] != "$" or dumps[0][1] is None:
            return
        for connection, dump in zip(client.connections, reversed(dumps)):
            connection.send(b"RESTORE", target, b"0", dump[1], b"REPLACE")
        self._expect_equal(index, step, *client.read(), why="RESTORE of the other's dump differs")
        self._expect_equal(index, step, *client.call(b"GET", target), why="restored values differ")

    def _step_vanish(self, index, step):
        client = self.clients[step[1]]
        replies = client.call(b"PEXPIRE", step[2], b"1")
        self._expect_equal(index, step, *replies)
        if replies[0] != (":", b"1"):
            return
        wait_until(lambda: client.call(b"EXISTS", step[2]) == [(":", b"0")] * 2, 10,
                   f"{step[2]!r} gone on both")

    def _step_reconnect(self, _, step):
        self.clients[step[1]].reconnect()

    def _step_state(self, index, step):
        """Compares every key of every database over connections of its own."""
        client = Client(self.ports())
        try:
            for database in range(DATABASES):
                client.call(b"SELECT", str(database).encode())
                keys = [sorted(item[1] for item in reply[1]) for reply in client.call(b"KEYS", b"*")]
                self._expect_equal(index, step, *keys, why=f"keys of database {database}")
                self._expect_equal(index, step, *client.call(b"DBSIZE"), why="DBSIZE differs")
                for key in keys[0]:
                    self._compare_key(index, step, client, key)
        finally:
            client.close()

    @staticmethod
    def _compare_key(index, step, client, key):
        for args in ([b"TYPE", key], [b"GET", key], [b"PEXPIRETIME", key]):
            left, right = client.call(*args)
            why = rules.compare(args, left, right)
            if why:
                raise Mismatch(index, step, f"state: {b' '.join(args)!r}: {why}", left, right)
