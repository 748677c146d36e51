"""Checks the tree against its own rules: python3 tests/lint/lint.py [top folder].

Prints `file:line: complaint` for each break of a rule and exits with 1 if there are any.
"""

import os
import sys

import checks

TOP_FOLDERS = ("storage", "merkle", "membership", "rpc", "server", "tests", "tools")
FOLDERS = TOP_FOLDERS + ("docs", ".ci")
TOP_FILES = ("CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", ".clang-tidy", ".clang-format")
TEXT = (".cc", ".h", ".py", ".js", ".mjs", ".cmake", ".in", ".txt", ".md", ".sh", ".json", ".proto",
        ".supp", ".conf", ".service", ".svg")
NOT_OURS = ("node_modules", "__pycache__")
# Generated or data: long by nature.
ANY_LENGTH = ("package-lock.json",)


def read_tree(top):
    """Path below `top` -> text, of every file that people write."""
    files = {}
    for name in TOP_FILES:
        if os.path.isfile(os.path.join(top, name)):
            add(files, top, name)
    for folder in FOLDERS:
        for directory, subfolders, names in os.walk(os.path.join(top, folder)):
            subfolders[:] = [name for name in subfolders if name not in NOT_OURS]
            for name in names:
                path = os.path.relpath(os.path.join(directory, name), top)
                # Scripts that are run by name have no extension.
                if name.endswith(TEXT) or ("." not in name and folder in ("tools", ".ci")):
                    add(files, top, path)
    return files


def add(files, top, path):
    with open(os.path.join(top, path), encoding="utf-8") as file:
        files[path.replace(os.sep, "/")] = file.read()


def complaints(files):
    found = [f"{path}: {what}" for path, what in checks.readmes(files, TOP_FOLDERS)]
    found += [f"{path}: {what}" for path, what in checks.links(files)]
    for path, text in sorted(files.items()):
        if path.endswith(ANY_LENGTH):
            continue
        is_code = not path.endswith((".md", ".txt", ".json")) or path.endswith("CMakeLists.txt")
        for check in checks.EVERY_CHECK if is_code else (checks.loose_ends,):
            found += [f"{path}:{line}: {what}" for line, what in check(path, text)]
    return found


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "..")
    files = read_tree(top)
    if not files:
        sys.exit(f"no files below {top}")
    found = complaints(files)
    print("\n".join(found) if found else f"{len(files)} files keep the rules")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
