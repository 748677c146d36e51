"""The little C++ that the lint has to understand: blanking comments, and where functions are."""

import re

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"'
    r'|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])*\'',
    re.DOTALL)
SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")


def blank(text):
    """`text` with comments, literals and preprocessor lines emptied; every line stays in place."""
    text = TOKEN.sub(lambda match: "\n" * match.group().count("\n"), text)
    return re.sub(r"^[ \t]*#(?:.*\\\n)*.*$", lambda match: "\n" * match.group().count("\n"), text,
                  flags=re.MULTILINE)


def is_function(head):
    """Whether the text between the end of the last statement and a `{` introduces a function body."""
    head = re.sub(r"\boperator\s*[^\s\w(]+", "operator ", head)
    head = re.sub(r"\btemplate\s*<[^(){};]*>(?=\s*\w)", "", head)
    before, parenthesis, _ = head.partition("(")
    return bool(parenthesis) and "=" not in before and not SCOPE.match(head.strip())


def functions(text):
    """(first line, last line) of every function with a body; lambdas belong to what holds them."""
    found = []
    text = blank(text)
    stack = []  # what each open brace is: "scope", "other", or the first line of a function
    start = line = 1
    head = ""
    for position, char in enumerate(text):
        if char == "\n":
            line += 1
        if char == "{":
            in_scope = all(block == "scope" for block in stack)
            if in_scope and is_function(head):
                stack.append(start)
                continue
            stack.append("scope" if in_scope and SCOPE.search(head) else "other")
        elif char == "}":
            block = stack.pop() if stack else "other"
            if isinstance(block, int):
                if text[position + 1:position + 40].lstrip()[:1] in (",", "{"):
                    continue  # a member's braces in a constructor's initializer list
                found.append((block, line))
        elif char != ";" or any(block != "scope" for block in stack):
            if not head.strip():
                start = line
            if not stack or stack[-1] == "scope":
                head += char
            continue
        head = ""
    return found
