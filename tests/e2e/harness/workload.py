"""Clients that write without pause and note what was acknowledged, and a judge who reads it back.

A writer belongs to a side: it uses keys of its own side, so that what it wrote last must be there,
whatever the other side did; only counters are shared. What is judged:

    SET   of a new key            it is there
    SET   of an own register      it holds the last acknowledged value or one that was tried later
    DEL   that found the key      it is not there
    INCR  of a shared counter     it has at least the acknowledged, at most the attempted ones

A command without a reply, or with an error, may or may not have taken place: it is judged by neither.
"""

import binascii
import collections
import random
import threading
import time

from harness.resp import Connection, ConnectionClosed

SLOTS = 16384
REPLY_TIMEOUT_S = 0.5
PAUSE_AFTER_ERROR_S = 0.02
TAGS_A_SHARD = 40
REGISTERS_IN_USE = 60  # few enough that some are last written before, some during, some after a fault
MIX = ("set",) * 8 + ("incr",) * 5 + ("fresh",) + ("del",) * 4 + ("update",) * 2
ONLY_SET = ("set",)


def slot_of(tag):
    return binascii.crc_hqx(tag.encode(), 0) % SLOTS


def tags_of(shard, shards):
    """Hash tags whose slots are those of the shard, as Cluster.create gives them out."""
    found = []
    number = 0
    while len(found) < TAGS_A_SHARD:
        tag = f"t{number}"
        if slot_of(tag) * shards // SLOTS == shard:
            found.append(tag)
        number += 1
    return found


class Ledger:
    """What one writer was told. Read it when the writer has ended."""

    def __init__(self):
        self.present = {}                       # key: whether it was acknowledged during a fault
        self.registers = {}                     # key: the last acknowledged value
        self.deleted = {}                       # key: the time of the reply
        self.increments = collections.Counter()  # counter: acknowledged
        self.attempts = collections.Counter()    # counter: sent
        self.times = []                         # of all acknowledged writes
        self.errors = collections.Counter()


class Writer(threading.Thread):
    """A client in `place` that writes to the slots of `tags` until stop().

    `addresses`: [(host, port)] where it may ask; it begins with the first."""

    def __init__(self, side, place, addresses, tags, kinds, per_second, seed=0):
        super().__init__(daemon=True)
        self.side, self.place, self.tags, self.kinds = side, place, tags, kinds
        self.addresses = list(addresses)
        self.period_s = 1 / per_second
        self.ledger = Ledger()
        self.random = random.Random(f"{seed} {side}")
        self.stopping = threading.Event()
        self.may_write = threading.Event()
        self.may_write.set()
        self.idle = threading.Event()
        self.fault = 0             # the number of the fault that lasts; 0: none
        self.faults = 0
        self.number = 0
        self.living = collections.deque()
        self.written = collections.deque(maxlen=REGISTERS_IN_USE)
        self.current = self.addresses[0]
        self.connections = {}

    # --- for others

    def acknowledged(self):
        return len(self.ledger.times)

    def begin_fault(self):
        self.faults += 1
        self.fault = self.faults

    def end_fault(self):
        self.fault = 0

    def pause(self):
        """Returns when no command is on its way."""
        self.idle.clear()
        self.may_write.clear()
        self.idle.wait()

    def go_on(self):
        self.may_write.set()

    def stop(self):
        self.stopping.set()
        self.may_write.set()
        self.join()

    # --- its thread

    def run(self):
        with self.place.inside():
            due = time.monotonic()
            while not self.stopping.is_set():
                if not self.may_write.is_set():
                    self.idle.set()
                    self.may_write.wait()
                    due = time.monotonic()
                self._write_one()
                due = max(due + self.period_s, time.monotonic() - 0.1)
                if due > time.monotonic() + 0.002:
                    self.stopping.wait(due - time.monotonic())
            self.idle.set()
        for connection in self.connections.values():
            connection.close()

    def _write_one(self):
        kind = self.random.choice(self.kinds)
        if kind == "del" and not self.living:
            kind = "set"
        tag = self.random.choice(self.tags)
        self.number += 1
        fault = self.fault
        ledger = self.ledger
        if kind == "set":
            key = f"{{{tag}}}:{self.side}:{self.number}"
            if self._call("SET", key, "v" + key) == ("+", b"OK"):
                ledger.present[key] = fault
                self.living.append(key)
                self._acknowledged()
        elif kind == "update":
            if len(self.written) == self.written.maxlen and self.random.random() < 0.6:
                key = self.random.choice(self.written)
            else:
                key = f"{{{tag}}}:{self.side}:register:{self.number}"
                self.written.append(key)
            if self._call("SET", key, self.number) == ("+", b"OK"):
                ledger.registers[key] = self.number
                self._acknowledged()
        elif kind == "del":
            key = self.living.popleft()
            ledger.present.pop(key)
            if self._call("DEL", key) == (":", b"1"):
                ledger.deleted[key] = time.monotonic()
                self._acknowledged()
        else:
            key = f"{{{tag}}}:counter" + (f":{self.faults}" if kind == "fresh" else "")
            ledger.attempts[key] += 1
            if self._call("INCR", key)[0] == ":":
                ledger.increments[key] += 1
                self._acknowledged()

    def _acknowledged(self):
        self.ledger.times.append(time.monotonic())

    def _call(self, *command):
        """The reply of who owns the slot; ("", reason) when there is none."""
        for _ in range(3):
            try:
                connection = self.connections.get(self.current)
                if connection is None:
                    host, port = self.current
                    connection = Connection(port, host=host, timeout_s=REPLY_TIMEOUT_S)
                    self.connections[self.current] = connection
                reply = connection.call(*command)
            except (OSError, ConnectionClosed) as failure:
                self._forget_connection()
                return self._failed("no reply: " + type(failure).__name__)
            if reply[0] != "-":
                return reply
            word = reply[1].split(b" ")[0].decode()
            if word != "MOVED":
                return self._failed(word)
            host, _, port = reply[1].split(b" ")[2].decode().rpartition(":")
            self.current = (host, int(port))
        return self._failed("MOVED in a circle")

    def _failed(self, reason):
        self.ledger.errors[reason] += 1
        self.current = self.random.choice(self.addresses)
        self.stopping.wait(PAUSE_AFTER_ERROR_S)
        return ("", reason)

    def _forget_connection(self):
        connection = self.connections.pop(self.current, None)
        if connection is not None:
            connection.close()


class Verdict:
    """What is wrong with the contents, given by `read(commands) -> replies` (from the owners)."""

    def __init__(self, ledgers, read):
        self.lost, self.older, self.back = [], [], []
        self.keys_of_far_side = self.lost_of_far_side = 0  # SET on the far side during faults
        self.increments_lost = self.increments_invented = 0
        self._judge_keys(ledgers, read)
        self._judge_counters(ledgers, read)
        self.acknowledged = sum(len(ledger.times) for ledger in ledgers)
        self.deletes = sum(len(ledger.deleted) for ledger in ledgers)
        self.increments = sum(sum(ledger.increments.values()) for ledger in ledgers)

    def _judge_keys(self, ledgers, read):
        for ledger in ledgers:
            keys = list(ledger.present)
            for key, reply in zip(keys, read([("GET", key) for key in keys])):
                cut_off = ledger.present[key] and ":far" in key
                self.keys_of_far_side += bool(cut_off)
                if reply != ("$", b"v" + key.encode()):
                    self.lost.append(key)
                    self.lost_of_far_side += bool(cut_off)
            keys = list(ledger.registers)
            for key, reply in zip(keys, read([("GET", key) for key in keys])):
                if reply[1] is None or int(reply[1]) < ledger.registers[key]:
                    self.older.append(f"{key}: {reply[1]} after {ledger.registers[key]}")
            keys = list(ledger.deleted)
            for key, reply in zip(keys, read([("EXISTS", key) for key in keys])):
                if reply != (":", b"0"):
                    self.back.append(key)

    def _judge_counters(self, ledgers, read):
        acknowledged = sum((ledger.increments for ledger in ledgers), collections.Counter())
        attempts = sum((ledger.attempts for ledger in ledgers), collections.Counter())
        keys = list(attempts)
        for key, reply in zip(keys, read([("GET", key) for key in keys])):
            value = int(reply[1] or 0)
            self.increments_lost += max(0, acknowledged[key] - value)
            self.increments_invented += max(0, value - attempts[key])

    def is_clean(self):
        return not (self.lost or self.older or self.back or self.increments_lost
                    or self.increments_invented)

    def __str__(self):
        return (f"{len(self.lost)} keys lost {self.lost[:3]}, {len(self.older)} older values "
                f"{self.older[:3]}, {len(self.back)} deletes back {self.back[:3]}, "
                f"{self.increments_lost} increments lost, {self.increments_invented} invented")


def longest_gap_s(times, begin, end):
    """The longest time without an acknowledged write between two moments."""
    moments = [begin] + [moment for moment in times if begin <= moment <= end] + [end]
    return max(later - earlier for earlier, later in zip(moments, moments[1:]))
