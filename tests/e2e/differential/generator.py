"""Invents command sequences from a seed. The same seed and count give the same steps.

Few keys and few values, so that commands meet each other's results; relative expiry times are long
and spread, so that the moment at which each server executes a command cannot matter.
"""

import random

KEYS = [b"a", b"b", b"c", b"counter", b"float", b"bits", b"{tag}1", b"{tag}2", b"\x00bin\xff\r\n",
        b"", b"long" * 40]
INTEGERS = [b"0", b"1", b"-1", b"7", b"10", b"100", b"-100", b"9223372036854775807",
            b"-9223372036854775808", b"9223372036854775806", b"12345678901"]
NOT_INTEGERS = [b"", b"x", b"1.5", b"+1", b"01", b" 1", b"1 ", b"0x10", b"9223372036854775808",
                b"-9223372036854775809", b"1e3", b"-0", b"--1"]
FLOATS = [b"0", b"1", b"-1.5", b"0.1", b"3.0e3", b"1e-7", b"1e17", b"5.0e-324", b"1e300", b"inf",
          b"-inf", b"nan", b"1.50", b".5", b"5.", b"0x1p3", b"1e5000", b"12345678.87654321"]
WORDS = [b"", b"foobar", b"hello world", b"\x00\x01\x02", b"\xff" * 9, b"\xf0\x0f" * 4, b"ohmytext",
         b"mynewtext", b"x" * 44, b"y" * 45, b"ab" * 600, b"The quick brown fox"]
OFFSETS = [b"0", b"1", b"-1", b"2", b"-2", b"5", b"-5", b"7", b"8", b"15", b"64", b"-100", b"100",
           b"1000"]
PATTERNS = [b"*", b"?", b"[abc]", b"[^a]", b"{tag}*", b"*o*", b"a*", b"\\a", b"[a-c]", b"nothing*",
            b"[", b"*\xff*", b"\x00*", b""]
FIELD_TYPES = [b"u1", b"u8", b"i8", b"u16", b"i5", b"u63", b"i64", b"i1", b"u64", b"i65", b"u0", b"8"]
# Arguments of unknown commands: their bytes up to a NUL come back in the error (edge_cases/ has it).
PRINTABLE = [b"", b"a b", b"new\r\nline", b"y" * 150, b"\xff", b"'quoted'"]
CLIENTS = 2


class Generator:
    """Yields steps through steps(count)."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.in_multi = [False] * CLIENTS
        self.database_known = True

    def steps(self, count):
        steps = []
        while len(steps) < count:
            client = self.random.randrange(CLIENTS)
            for _ in range(self.random.choice([1, 1, 2, 5, 20])):
                steps.append(self._step(client))
        for client in range(CLIENTS):
            steps.append(("reconnect", client))
        return steps + [("state",), ("cmd", 0, [b"FLUSHALL"]), ("state",)]

    # --- one step

    def _step(self, client):
        dice = self.random.random()
        if not self.in_multi[client]:
            if dice < 0.01:
                return ("cross_dump", client, self.key(), self.key())
            if dice < 0.02:
                return ("scan", client, self.scan_options())
            if dice < 0.022:
                return ("vanish", client, self.key())
            if dice < 0.024:
                return ("state",)
            if dice < 0.026:
                return ("reconnect", client)
        args = self._mutate(self._command(client))
        name = args[0].upper() if args else b""
        if name == b"MULTI" and len(args) == 1:
            self.in_multi[client] = True
        elif name in (b"EXEC", b"DISCARD", b"RESET") and len(args) == 1:
            self.in_multi[client] = False
        return ("cmd", client, args)

    def _command(self, client):
        if self.in_multi[client]:
            if self.random.random() < 0.12:
                return [self.random.choice([b"EXEC", b"EXEC", b"EXEC", b"EXEC", b"DISCARD"])]
        elif self.random.random() < 0.04:
            return [b"MULTI"]
        group = self.random.choices(
            [self.simple, self.string, self.number, self.range_or_bits, self.bitfield, self.keyspace,
             self.expiry, self.lcs, self.multi_key, self.session], [10, 12, 8, 10, 6, 10, 8, 3, 6, 3])[0]
        return group()

    def _mutate(self, args):
        """Now and then a wrong number of arguments, a junk one, or another case."""
        dice = self.random.random()
        if dice < 0.015 and len(args) > 1:
            args = args[:-1]
        elif dice < 0.03 and args[0].upper() not in OPEN_ENDED:
            args = args + [self.junk()]
        elif dice < 0.045 and len(args) > 1 and args[0].upper() not in NEVER_MUTATED:
            args = list(args)
            args[self.random.randrange(1, len(args))] = self.junk()
        elif dice < 0.1:
            args = [args[0].lower()] + args[1:]
        elif dice < 0.105:
            args = [self.pick(b"nosuch", b"GETT", b"xx" * 100), *self.random.sample(PRINTABLE, 2)]
        return args

    # --- arguments

    def pick(self, *choices):
        return self.random.choice(choices)

    def key(self):
        return self.random.choice(KEYS)

    def keys(self, most=4):
        return [self.key() for _ in range(self.random.randint(1, most))]

    def junk(self):
        return self.random.choice(NOT_INTEGERS + WORDS[:4] + INTEGERS[:4])

    def integer(self):
        if self.random.random() < 0.1:
            return self.random.choice(NOT_INTEGERS)
        if self.random.random() < 0.5:
            return str(self.random.randint(-1000, 1000)).encode()
        return self.random.choice(INTEGERS)

    def offset(self):
        return self.random.choice(OFFSETS)

    def value(self):
        dice = self.random.random()
        if dice < 0.3:
            return self.integer()
        if dice < 0.4:
            return self.random.choice(FLOATS)
        if dice < 0.8:
            return self.random.choice(WORDS)
        size = self.random.choice([3, 20, 43, 46, 300, 5000])
        return bytes(self.random.choice(b"abcdef\x00\xff") for _ in range(size))

    def seconds(self):
        """A relative time, far enough and spread so that equal ones do not occur."""
        return self.random.randint(1000, 100_000_000)

    def expiry_option(self):
        """One of EX, PX, EXAT, PXAT with its argument; now and then a wrong one."""
        if self.random.random() < 0.06:
            return [self.pick(b"EX", b"PX", b"EXAT", b"PXAT"),
                    self.pick(b"0", b"-1", b"x", b"9223372036854775807", b"1.5", b"")]
        unit = self.pick(b"EX", b"PX", b"EXAT", b"PXAT", b"ex")
        seconds = self.seconds()
        absolute = 4_000_000_000 + seconds
        number = {b"EX": seconds, b"ex": seconds, b"PX": seconds * 1000 + 7, b"EXAT": absolute,
                  b"PXAT": absolute * 1000 + 13}[unit]
        return [unit, str(number).encode()]

    # --- groups of commands

    def simple(self):
        return self.pick(
            lambda: [b"GET", self.key()],
            lambda: [b"SET", self.key(), self.value()],
            lambda: [b"EXISTS"] + self.keys(),
            lambda: [b"STRLEN", self.key()],
            lambda: [b"TYPE", self.key()],
            lambda: [b"DEL"] + self.keys(2))()

    def set_options(self):
        options = []
        for option in (b"NX", b"XX", b"GET", b"KEEPTTL"):
            if self.random.random() < 0.15:
                options.append([option])
        if self.random.random() < 0.35:
            options.append(self.expiry_option())
        self.random.shuffle(options)
        return sum(options, [])

    def string(self):
        return self.pick(
            lambda: [b"SET", self.key(), self.value()] + self.set_options(),
            lambda: [b"SETNX", self.key(), self.value()],
            lambda: [b"SETEX", self.key(), str(self.seconds()).encode(), self.value()],
            lambda: [b"PSETEX", self.key(), str(self.seconds() * 1000).encode(), self.value()],
            lambda: [b"GETSET", self.key(), self.value()],
            lambda: [b"GETDEL", self.key()],
            lambda: [b"GETEX", self.key()],
            lambda: [b"GETEX", self.key()] + self.expiry_option(),
            lambda: [b"GETEX", self.key(), b"PERSIST"],
            lambda: [b"APPEND", self.key(), self.value()])()

    def number(self):
        return self.pick(
            lambda: [b"INCR", self.number_key()],
            lambda: [b"DECR", self.number_key()],
            lambda: [b"INCRBY", self.number_key(), self.integer()],
            lambda: [b"DECRBY", self.number_key(), self.integer()],
            lambda: [b"INCRBYFLOAT", self.number_key(), self.random.choice(FLOATS)],
            lambda: [b"SET", self.number_key(), self.random.choice(FLOATS + INTEGERS)])()

    def number_key(self):
        return self.pick(b"counter", b"float", b"counter", b"float", self.key())

    def range_or_bits(self):
        unit = [self.pick(b"BYTE", b"BIT", b"bit")] if self.random.random() < 0.5 else []
        return self.pick(
            lambda: [b"GETRANGE", self.key(), self.offset(), self.offset()],
            lambda: [b"SUBSTR", self.key(), self.offset(), self.offset()],
            lambda: [b"SETRANGE", self.key(), self.offset(), self.value()],
            lambda: [b"SETBIT", self.key(), self.offset(), self.pick(b"0", b"1", b"1", b"2")],
            lambda: [b"GETBIT", self.key(), self.offset()],
            lambda: [b"BITCOUNT", self.key()],
            lambda: [b"BITCOUNT", self.key(), self.offset(), self.offset()] + unit,
            lambda: [b"BITPOS", self.key(), self.pick(b"0", b"1")],
            lambda: [b"BITPOS", self.key(), self.pick(b"0", b"1"), self.offset()],
            lambda: [b"BITPOS", self.key(), self.pick(b"0", b"1"), self.offset(), self.offset()] + unit,
            lambda: [b"BITOP", self.pick(b"AND", b"OR", b"XOR", b"xor"), self.key()] + self.keys(3),
            lambda: [b"BITOP", b"NOT", self.key(), self.key()])()

    def bitfield(self):
        if self.random.random() < 0.2:
            return [b"BITFIELD_RO", self.key()] + sum(
                [[b"GET", self.random.choice(FIELD_TYPES), self.field_offset()]
                 for _ in range(self.random.randint(0, 3))], [])
        operations = []
        for _ in range(self.random.randint(0, 5)):
            operations += self.pick(
                lambda: [b"OVERFLOW", self.pick(b"WRAP", b"SAT", b"FAIL", b"sat")],
                lambda: [b"GET", self.field_type(), self.field_offset()],
                lambda: [b"SET", self.field_type(), self.field_offset(), self.field_value()],
                lambda: [b"INCRBY", self.field_type(), self.field_offset(), self.integer()])()
        return [b"BITFIELD", self.key()] + operations

    def field_type(self):
        return self.random.choice(FIELD_TYPES[:8] if self.random.random() < 0.95 else FIELD_TYPES)

    def field_value(self):
        """Not the least integers: how Redis saturates them depends on an overflow in its own C code."""
        value = self.integer()
        return b"-922337203685477580" if value == INTEGERS[8] else value

    def field_offset(self):
        return self.pick(b"0", b"1", b"7", b"8", b"#0", b"#1", b"#3", b"100", b"-1", b"#", b"31")

    def keyspace(self):
        return self.pick(
            lambda: [b"RENAME", self.key(), self.key()],
            lambda: [b"RENAMENX", self.key(), self.key()],
            lambda: [b"COPY", self.key(), self.key()] + self.copy_options(),
            lambda: [b"MOVE", self.key(), self.database()],
            lambda: [b"SWAPDB", self.database(), self.database()],
            lambda: [b"KEYS", self.random.choice(PATTERNS)],
            lambda: [b"DBSIZE"],
            lambda: [b"TOUCH"] + self.keys(),
            lambda: [b"UNLINK"] + self.keys(2),
            lambda: [b"OBJECT", b"REFCOUNT", b"nosuchkey"],
            lambda: [b"DEL"] + self.keys(),
            lambda: [b"RANDOMKEY"],
            lambda: self.pick([b"FLUSHDB"], [b"DBSIZE"], [b"DBSIZE"], [b"FLUSHALL", b"SYNC"],
                              [b"FLUSHDB", b"ASYNC"], [b"KEYS", b"*"]))()

    def copy_options(self):
        options = []
        if self.random.random() < 0.4:
            options += [b"DB", self.database()]
        if self.random.random() < 0.5:
            options.append(self.pick(b"REPLACE", b"replace"))
        return options

    def database(self):
        if self.random.random() < 0.05:
            return self.pick(b"99", b"-1", b"x", b"16")
        return self.pick(b"0", b"1", b"2", b"3")

    def scan_options(self):
        options = []
        if self.random.random() < 0.5:
            options += [b"MATCH", self.random.choice(PATTERNS)]
        if self.random.random() < 0.5:
            options += [b"COUNT", self.pick(b"1", b"3", b"10", b"1000")]
        if self.random.random() < 0.3:
            options += [b"TYPE", self.pick(b"string", b"list", b"STRING", b"nosuch")]
        return options

    def expiry(self):
        condition = self.random.choices([[], [b"NX"], [b"XX"], [b"GT"], [b"LT"], [b"XX", b"GT"],
                                         [b"lt", b"xx"], [b"NX", b"XX"], [b"GT", b"LT"]],
                                        [8, 2, 2, 3, 3, 1, 1, 1, 1])[0]
        seconds = self.seconds()
        absolute = self.pick(4_000_000_000, 4_000_000_001, 4_000_000_000 + seconds)
        past = self.pick(b"-1", b"0", b"1", b"-9223372036854775808", b"9223372036854775807")
        return self.pick(
            lambda: [b"EXPIRE", self.key(), str(seconds).encode()] + condition,
            lambda: [b"PEXPIRE", self.key(), str(seconds * 1000 + 3).encode()] + condition,
            lambda: [b"EXPIREAT", self.key(), str(absolute).encode()] + condition,
            lambda: [b"PEXPIREAT", self.key(), str(absolute * 1000).encode()] + condition,
            lambda: [b"EXPIREAT", self.key(), past] + condition,
            lambda: [self.pick(b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME"), self.key()],
            lambda: [b"PERSIST", self.key()])()

    def lcs(self):
        options = []
        for option in ([b"LEN"], [b"IDX"], [b"WITHMATCHLEN"],
                       [b"MINMATCHLEN", self.pick(b"0", b"1", b"2", b"4", b"-1", b"x")]):
            if self.random.random() < 0.4:
                options += option
        return [b"LCS", self.key(), self.key()] + options

    def multi_key(self):
        pairs = sum([[self.key(), self.value()] for _ in range(self.random.randint(1, 4))], [])
        return self.pick(
            lambda: [b"MSET"] + pairs,
            lambda: [b"MSETNX"] + pairs,
            lambda: [b"MGET"] + self.keys(6))()

    def session(self):
        return self.pick(
            lambda: [b"SELECT", self.database()],
            lambda: [b"WATCH"] + self.keys(3),
            lambda: [b"UNWATCH"],
            lambda: [b"PING"],
            lambda: [b"PING", self.value()],
            lambda: [b"ECHO", self.value()],
            lambda: [b"HELLO", self.pick(b"2", b"3", b"3", b"4", b"x")],
            lambda: [b"CLIENT", b"SETNAME", self.pick(b"one", b"two", b"with space", b"")],
            lambda: [b"CLIENT", b"GETNAME"],
            lambda: [b"RESET"],
            lambda: [b"EXEC"],
            lambda: [b"DISCARD"],
            lambda: [b"OBJECT", b"HELP"],
            lambda: [b"TIME"])()


# A further argument changes what these do for later steps: their cases are in the tables.
OPEN_ENDED = {b"EXEC", b"FLUSHALL", b"FLUSHDB", b"EXPIRE", b"PEXPIRE"}
# Junk here would expire keys at a moment of its own.
NEVER_MUTATED = {b"EXPIRE", b"PEXPIRE", b"SETEX", b"PSETEX", b"SET", b"GETEX"}
