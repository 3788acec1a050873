"""Compares what an engine answered with what a file expects.

Both sides are first brought to the same text, a line for each row. Two types have more than one
right text: floats agree to 1e-9 relative, and a numeric that came from a division may carry more or
fewer digits behind the point than PostgreSQL's, so it is compared to the digits that both have.
"""

from __future__ import annotations

import hashlib
import math
import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

from .engine import Result

FLOAT_RELATIVE = 1e-9
# With fewer common digits than this, a shorter numeric is not the same number rounded: it is wrong.
NUMERIC_DIGITS_MIN = 10
HASHED = re.compile(r"(\d+) values hashing to ([0-9a-f]{32})")


def render_value(value: str | None) -> str:
    if value is None:
        return "NULL"
    if value == "":
        return "(empty)"
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    return escaped.replace("\r", "\\r")


def render(result: Result, sort: str) -> list[list[str]]:
    """The rows as they stand in a file, in the order that `sort` says."""
    rows = [[render_value(value) for value in row] for row in result.rows]
    if sort == "rowsort":
        rows.sort()
    elif sort == "valuesort":
        rows = [[value] for value in sorted(value for row in rows for value in row)]
    return rows


def hashed(rows: list[list[str]]) -> str:
    values = [value for row in rows for value in row]
    digest = hashlib.md5("".join(value + "\n" for value in values).encode()).hexdigest()
    return f"{len(values)} values hashing to {digest}"


def to_lines(rows: list[list[str]], hash_threshold: int) -> list[str]:
    if hash_threshold and sum(len(row) for row in rows) > hash_threshold:
        return [hashed(rows)]
    return ["\t".join(row) for row in rows]


def same_float(expected: str, actual: str) -> bool:
    try:
        left, right = float(expected), float(actual)
    except ValueError:
        return False
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return math.isclose(left, right, rel_tol=FLOAT_RELATIVE)


def same_numeric(expected: str, actual: str) -> bool:
    try:
        left, right = Decimal(expected), Decimal(actual)
    except InvalidOperation:
        return False
    if not left.is_finite() or not right.is_finite():
        return str(left) == str(right)
    if left == right:
        return True
    digits = min(-int(left.as_tuple().exponent), -int(right.as_tuple().exponent))
    if digits < NUMERIC_DIGITS_MIN:
        return False
    with localcontext() as context:
        context.prec = 100
        unit = Decimal(1).scaleb(-digits)
        # Each was rounded once already, so the last common digit may differ by one.
        return abs(left.quantize(unit, ROUND_HALF_UP) - right.quantize(unit, ROUND_HALF_UP)) <= unit


def same_value(letter: str, expected: str, actual: str) -> bool:
    if expected == actual:
        return True
    if letter == "R":
        return same_float(expected, actual)
    return letter == "N" and same_numeric(expected, actual)


def _sort_key(types: str, row: list[str]) -> tuple[object, ...]:
    """Sorts rows so that values which count as equal land beside each other."""
    key: list[object] = []
    for letter, value in zip(types, row, strict=False):
        try:
            number = float(value) if letter in "RN" else None
        except ValueError:
            number = None
        key.append((1, 0.0, value) if number is None else (0, float(f"{number:.9g}"), ""))
    return tuple(key)


def differences(types: str, sort: str, expected: list[str], actual: list[list[str]]) -> str:
    """Empty if the rows agree; otherwise what a person needs to see."""
    if len(expected) == 1 and HASHED.fullmatch(expected[0]):
        return "" if hashed(actual) == expected[0] else f"expected {expected[0]}, is {hashed(actual)}"
    wanted = [line.split("\t") for line in expected]
    if sort == "valuesort":
        return "" if wanted == actual else _both(expected, actual)
    if sort == "rowsort":
        wanted = sorted(wanted, key=lambda row: _sort_key(types, row))
        actual = sorted(actual, key=lambda row: _sort_key(types, row))
    if len(wanted) != len(actual):
        return f"{len(wanted)} rows expected, {len(actual)} came\n" + _both(expected, actual)
    for number, (left, right) in enumerate(zip(wanted, actual, strict=True), 1):
        matches = len(left) == len(right) and all(
            same_value(letter, a, b) for letter, a, b in zip(types, left, right, strict=True)
        )
        if not matches:
            return f"row {number} differs\n" + _both(expected, actual)
    return ""


def _both(expected: list[str], actual: list[list[str]]) -> str:
    lines_max = 30
    came = ["\t".join(row) for row in actual]
    left = [f"  - {line}" for line in expected[:lines_max]]
    right = [f"  + {line}" for line in came[:lines_max]]
    return "\n".join([*left, *right])
