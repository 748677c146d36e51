"""The rules of the tree that a compiler doesn't check. Each check yields (line, complaint)."""

import ast
import posixpath
import re

from source import functions

MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 70
MAX_README_LINES = 30

# What a folder may include of ours; the longest prefix of a file's path decides.
MAY_INCLUDE = {
    "storage/base/": ("storage/base/",),
    "storage/": ("storage/",),
    "merkle/": ("storage/base/", "merkle/"),
    "membership/": ("storage/base/", "membership/"),
    "rpc/": ("storage/base/", "merkle/", "membership/", "rpc/"),
    "server/resp/": ("storage/base/", "server/resp/"),
    "server/public/": ("syntropy/", "storage/base/status.h"),
    "server/": ("storage/", "merkle/", "membership/", "rpc/", "server/", "syntropy/"),
    "tools/": ("storage/", "merkle/", "membership/", "rpc/", "server/", "syntropy/", "tools/"),
    "tests/": ("storage/", "merkle/", "membership/", "rpc/", "server/", "syntropy/", "tools/",
               "tests/"),
    "docs/": (),  # examples are programs of others: they include <syntropy/...> as installed
}
# Folders whose headers and sources are free of these libraries.
PURE = ("merkle/", "membership/", "server/public/")
IMPURE_HEADER = re.compile(r"(rocksdb|boost|asio|google/protobuf)/|asio\.hpp|.*\.pb\.h$")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|sleep)\s*\(")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|home|root|Users)/\w")
LINK = re.compile(r"\]\(([^)#:\s]+)[^):\s]*\)")
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E)\b")


def is_cpp(path):
    return path.endswith((".cc", ".h"))


def includes(path, text):
    """Dependencies point downwards only, and every include starts at the top folder."""
    if not is_cpp(path):
        return
    folder = max((f for f in MAY_INCLUDE if path.startswith(f)), key=len, default=None)
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        if path.startswith(PURE) and IMPURE_HEADER.match(header):
            yield number, f"{header} must stay out of {folder}"
        if quote == '"' and folder and not header.startswith(MAY_INCLUDE[folder]):
            allowed = ", ".join(MAY_INCLUDE[folder]) or "nothing of ours"
            yield number, f"{folder} must not include {header} (it may include: {allowed})"


def file_length(path, text):
    lines = text.count("\n")
    if lines > MAX_FILE_LINES:
        yield 1, f"{lines} lines; a file stops at {MAX_FILE_LINES}"


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno


def function_length(path, text):
    spans = functions(text) if is_cpp(path) else ()
    if path.endswith(".py"):
        spans = python_functions(text)
    for first, last in spans:
        if last - first + 1 > MAX_FUNCTION_LINES:
            yield first, f"a function of {last - first + 1} lines; the limit is {MAX_FUNCTION_LINES}"


def header_form(path, text):
    if not path.endswith(".h"):
        return
    if not text.startswith("//"):
        yield 1, "a header starts with a comment that says its purpose"
    if "#pragma once" not in text:
        yield 1, "#pragma once is missing"


def no_sleeps(path, text):
    """A test that needs to sleep has found a missing seam."""
    if not (path.startswith("tests/") and is_cpp(path)):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if SLEEP.search(line.split("//")[0]):
            yield number, "no sleeps in tests: pass the time in, or wait for the event"


def loose_ends(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield number, "a path of someone's machine"
        if UNFINISHED.search(line):
            yield number, "unfinished work is an issue, not a comment"


def readmes(files, top_folders):
    """(path, complaint) for the READMEs of the top folders. `files` maps paths to texts."""
    for folder in top_folders:
        if not any(path.startswith(folder + "/") for path in files):
            continue
        path = folder + "/README.md"
        if path not in files:
            yield path, "every top folder has a README"
        elif files[path].count("\n") > MAX_README_LINES:
            yield path, f"a folder's README has at most {MAX_README_LINES} lines"


def links(files):
    """(path, complaint) for links in Markdown pages that lead nowhere in the tree."""
    for path, text in files.items():
        if not path.endswith(".md"):
            continue
        for target in LINK.findall(text):
            place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            if place not in files and not any(name.startswith(place + "/") for name in files):
                yield path, f"a link to {target}, which does not exist"


FILE_CHECKS = (includes, file_length, function_length, header_form, no_sleeps)
EVERY_CHECK = FILE_CHECKS + (loose_ends,)
