"""Writes the files that a page shows: extract.py <page.md> <folder>.

A code block belongs to a file when the line before it is `<!-- file: NAME -->`. So the example that
a reader copies from the page is the one that is built and run.
"""

import os
import re
import sys

BLOCK = re.compile(r"^<!-- file: ([\w.-]+) -->\n```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def main():
    page, folder = sys.argv[1:]
    with open(page, encoding="utf-8") as file:
        blocks = BLOCK.findall(file.read())
    if not blocks:
        sys.exit(f"{page} shows no file")
    os.makedirs(folder, exist_ok=True)
    for name, text in blocks:
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
        print(f"{os.path.join(folder, name)}: {text.count(chr(10))} lines")


if __name__ == "__main__":
    main()
