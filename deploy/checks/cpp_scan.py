"""A light reader of C++: enough structure to measure functions, without a compiler.

It blanks comments and literals, then walks the braces. A brace that opens behind a parameter list
at namespace or class scope starts a function; inside functions only control statements count as
nesting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKENS = re.compile(
    r'R"(?P<delimiter>[^()\s\\]{0,16})\(.*?\)(?P=delimiter)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"
    r"|//[^\n]*"
    r"|/\*.*?\*/",
    re.DOTALL,
)
_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
_CONTROL = re.compile(r"\b(if|for|while|switch|do|else|try|catch)\b")
_NOT_A_NAME = re.compile(r"(ABSL_|MR_|decltype|noexcept|alignas|requires)")
_NAME = re.compile(r"([~\w:]+|operator\s*[^\s\w(]{1,3}|operator\s*\(\s*\))\s*\($")


@dataclass(frozen=True)
class Function:
    name: str
    line: int
    num_lines: int
    num_parameters: int
    nesting: int


def blank_literals(text: str, keep_strings: bool = False) -> str:
    """Replaces comments and literals by spaces; line breaks stay, so positions do too."""

    def blank(match: re.Match[str]) -> str:
        token = match.group(0)
        if keep_strings and token[0] in "R\"'":
            return token
        return re.sub(r"[^\n]", " ", token)

    return _TOKENS.sub(blank, text)


def _without_preprocessor(text: str) -> str:
    lines = text.split("\n")
    continued = False
    for index, line in enumerate(lines):
        if continued or line.lstrip().startswith("#"):
            continued = line.endswith("\\")
            lines[index] = ""
        else:
            continued = False
    return "\n".join(lines)


def _parameter_list(head: str) -> tuple[str, str] | None:
    """Name and parameters of the function whose declaration, without body, is `head`."""
    depth = 0
    start = 0
    for position, character in enumerate(head):
        if character == "(":
            if depth == 0:
                start = position
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                named = _NAME.search(head[: start + 1])
                name = named.group(1) if named else ""
                if name and not _NOT_A_NAME.match(name):
                    return name, head[start + 1 : position]
    return None


def _count_parameters(parameters: str) -> int:
    if not parameters.strip() or parameters.strip() == "void":
        return 0
    depth = 0
    count = 1
    for character in parameters:
        if character in "(<[{":
            depth += 1
        elif character in ")>]}":
            depth -= 1
        elif character == "," and depth == 0:
            count += 1
    return count


def functions(text: str) -> list[Function]:
    """All function definitions of a file. Lambdas belong to the function around them."""
    clean = _without_preprocessor(blank_literals(text))
    found: list[Function] = []
    # Each open brace: "scope", "function", "control" or "block".
    stack: list[str] = []
    current: tuple[str, int, int] | None = None
    nesting = 0
    head_start = 0
    for position, character in enumerate(clean):
        if character == "{":
            head = clean[head_start:position]
            kind = "block"
            if current is not None:
                kind = "control" if _CONTROL.search(head) else "block"
                nesting = max(nesting, stack.count("control") + (kind == "control"))
            elif "(" in head and _parameter_list(head) and not _is_scope(head):
                name, parameters = _parameter_list(head) or ("", "")
                kind = "function"
                first = clean.count("\n", 0, head_start + len(head) - len(head.lstrip())) + 1
                current = (name, first, _count_parameters(parameters))
                nesting = 0
            elif _SCOPE.search(head):
                kind = "scope"
            stack.append(kind)
            head_start = position + 1
        elif character == "}":
            kind = stack.pop() if stack else "scope"
            if kind == "function" and current is not None:
                last = clean.count("\n", 0, position) + 1
                name, first, parameters_count = current
                found.append(Function(name, first, last - first + 1, parameters_count, nesting))
                current = None
            head_start = position + 1
        elif character == ";" and not _inside_parentheses(clean, head_start, position):
            head_start = position + 1
    return found


def _is_scope(head: str) -> bool:
    before_parenthesis = head.split("(", 1)[0]
    match = re.search(r"\b(namespace|class|struct|union|enum)\b", before_parenthesis)
    # "struct X f(...) {" does not occur in our code; "class ABSL_LOCKABLE(...) X {" may.
    return match is not None and "template" not in before_parenthesis


def _inside_parentheses(text: str, start: int, end: int) -> bool:
    return text.count("(", start, end) > text.count(")", start, end)
