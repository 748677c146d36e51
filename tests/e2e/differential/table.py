"""Reads the hand-written edge cases (edge_cases/README.md says how they are written)."""

import re

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})|\\(.)", re.DOTALL)
_REPEAT = re.compile(rb"<([^<>]+?)\*(\d+)>")
_NAMED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}


def unescape(data):
    def one(match):
        if match.group(1):
            return bytes([int(match.group(1), 16)])
        return _NAMED.get(match.group(2), match.group(2))
    return _ESCAPE.sub(one, data)


def arguments(text):
    """The arguments of a line, as bytes."""
    result = []
    for match in _QUOTED.finditer(text):
        quoted, single, bare = match.groups()
        data = (quoted if quoted is not None else single if single is not None else bare)
        data = data.encode("latin-1")
        if single is None:
            data = _REPEAT.sub(lambda m: m.group(1) * int(m.group(2)), data)
            data = unescape(data)
        result.append(data)
    return result


def parse_line(line):
    client = 0
    if line.startswith("2> "):
        client, line = 1, line[3:]
    # Lower case directives: no case of the tables needs a lower case command of the same name.
    args = arguments(line)
    directive = line.split()[0]
    if directive == "raw":
        return ("raw", client, args[2], -1 if args[1] == b"close" else int(args[1]))
    if directive == "scan":
        return ("scan", client, args[1:])
    if directive == "vanish":
        return ("vanish", client, args[1])
    if directive == "cross_dump":
        return ("cross_dump", client, args[1], args[2])
    if directive == "state":
        return ("state",)
    return ("cmd", client, args)


def read_cases(path):
    """[(title, steps, line number of each step)] of a file."""
    cases = []
    with open(path, encoding="ascii") as lines:
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\n")
            if line.startswith("--- "):
                cases.append((line[4:], [], []))
            elif line and not line.startswith("# "):
                cases[-1][1].append(parse_line(line))
                cases[-1][2].append(number)
    return cases
