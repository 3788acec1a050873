"""Comparing rows of Millrace with rows of DuckDB."""

import math


def comparable(value):
    """Numbers as floats, times without a zone: what both sides can be compared by."""
    if value is None or isinstance(value, str | bool):
        return value
    if hasattr(value, "tzinfo"):
        return value.replace(tzinfo=None).isoformat()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return float(value)


def _sort_key(row):
    return [(value is None, str(type(value)), value if value is not None else 0) for value in row]


def assert_same_rows(actual, expected, name):
    """Equal as multisets; floats agree to 1e-9 relative."""
    left = sorted(([comparable(v) for v in row] for row in actual), key=_sort_key)
    right = sorted(([comparable(v) for v in row] for row in expected), key=_sort_key)
    assert len(left) == len(right), f"{name}: {len(left)} rows instead of {len(right)}"
    for mine, theirs in zip(left, right, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            same = a == b or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-9))
            assert same, f"{name}: {mine} instead of {theirs}"
