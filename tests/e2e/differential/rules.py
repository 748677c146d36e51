"""Which replies count as equal.

Everything is compared byte for byte, but what two correct servers may answer differently: the
order of KEYS, what depends on the moment (TTL and its kin, with a tolerance), identities of the
process, help texts and notes, and dumps (steps.py restores each server's dumps on the other).
OBJECT ENCODING is compared for values as they were set: how Redis holds one that was changed in
place depends on how it came about, and nothing but memory follows from it.
"""

TOLERANCE_S = 15  # between the two servers' turns; a loaded machine has taken 5 s
UNIT_PER_SECOND = {b"TTL": 1, b"EXPIRETIME": 1, b"PTTL": 1000, b"PEXPIRETIME": 1000}
# Compared by shape: the types of the replies and of their elements, not the contents.
SHAPE_ONLY = {b"TIME", b"LASTSAVE", b"RANDOMKEY", b"DUMP", b"SCAN", b"INFO"}
SHAPE_ONLY_SUBCOMMANDS = {
    (b"CLIENT", b"ID"), (b"CLIENT", b"INFO"), (b"CLIENT", b"LIST"), (b"OBJECT", b"IDLETIME"),
    (b"MEMORY", b"USAGE"), (b"COMMAND", b"COUNT"),
}
# The set of commands differs, and texts that are Redis' own are not ours.
OWN_LISTS = {(b"COMMAND", b"LIST"), (b"COMMAND", b"DOCS"), (b"SLOWLOG", b"GET")}


def name_of(args, index=0):
    return args[index].upper() if len(args) > index else b""


def is_help(args):
    return len(args) == 2 and args[1].upper() == b"HELP"


def compare(args, left, right):
    """None when the two replies to `args` (bytes each) count as equal, else what differs."""
    if left == right:
        return None
    name, pair = name_of(args), (name_of(args), name_of(args, 1))
    if left[0] != right[0]:
        return "types differ"
    if left[0] in "-":
        return "errors differ"
    if (left[1] is None) != (right[1] is None):
        return "one is null"
    if name in UNIT_PER_SECOND:
        return _compare_times(UNIT_PER_SECOND[name], int(left[1]), int(right[1]))
    if name == b"KEYS":
        return None if sorted(left[1]) == sorted(right[1]) else "other keys"
    if name in SHAPE_ONLY or pair in SHAPE_ONLY_SUBCOMMANDS:
        return None if shape(left) == shape(right) else "other shape"
    if pair in OWN_LISTS or is_help(args):
        return None
    if name == b"HELLO":
        return _compare_maps(left, right, ignore={b"id", b"version"})
    if pair == (b"CONFIG", b"GET"):
        return _compare_maps(left, right, ignore=())
    if pair == (b"COMMAND", b"INFO"):
        return None if unordered(left) == unordered(right) else "other command description"
    return "replies differ"


def _compare_times(per_second, left, right):
    if left < 0 or right < 0:
        return "times differ"
    return None if abs(left - right) <= TOLERANCE_S * per_second else "times differ"


def _compare_maps(left, right, ignore):
    def as_dict(reply):
        items = reply[1]
        return {items[i][1]: items[i + 1] for i in range(0, len(items), 2)
                if items[i][1] not in ignore}
    return None if as_dict(left) == as_dict(right) else "maps differ"


def shape(reply):
    """The type, and for a fixed-size aggregate of scalars the types of its elements."""
    kind, content = reply
    if isinstance(content, list):
        return (kind, tuple(sorted({shape(item)[0] for item in content})))
    return (kind, content is None)


def unordered(reply):
    """COMMAND INFO's reply with every set (flags, categories) sorted and no notes of key specs."""
    kind, content = reply
    if not isinstance(content, list):
        return reply
    for position, item in enumerate(content):
        if item[1] == b"notes":
            content = content[:position] + content[position + 2:]
            break
    items = [unordered(item) for item in content]
    scalar = all(not isinstance(item[1], list) for item in items)
    named = scalar and all(item[0] in "+$" for item in items)
    return (kind, sorted(items, key=repr) if named or kind == "~" else items)
