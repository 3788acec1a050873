"""Writes values that came as Arrow as PostgreSQL would write them as text (time zone UTC)."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa

EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
MICROS_PER_DAY = 86_400_000_000


def format_float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def format_real(value: float) -> str:
    """The shortest text that gives the same four bytes again."""
    for digits in range(1, 10):
        shorter = float(f"{value:.{digits}g}")
        if math.isnan(value) or pa.scalar(shorter, pa.float32()).as_py() == value:
            return format_float(shorter)
    return format_float(value)


def format_date(days: int) -> str:
    ordinal = days + EPOCH_DAY
    if not dt.date.min.toordinal() <= ordinal <= dt.date.max.toordinal():
        return f"day {days}"
    return dt.date.fromordinal(ordinal).isoformat()


def format_time(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + (f".{fraction:06}".rstrip("0") if fraction else "")


def format_timestamp(micros: int) -> str:
    days, of_day = divmod(micros, MICROS_PER_DAY)
    return f"{format_date(days)} {format_time(of_day)}"


def format_interval(months: int, days: int, nanos: int) -> str:
    """Interval style "postgres": 1 year 2 mons -3 days +04:05:06."""
    parts: list[str] = []
    negative_before = False
    years = int(months / 12)
    for count, unit in ((years, "year"), (months - years * 12, "mon"), (days, "day")):
        if count:
            sign = "+" if negative_before and count > 0 else ""
            parts.append(f"{sign}{count} {unit}{'' if count == 1 else 's'}")
            negative_before = count < 0
    micros = int(nanos / 1000)
    if micros or not parts:
        sign = "-" if micros < 0 else "+" if negative_before else ""
        parts.append(sign + format_time(abs(micros)))
    return " ".join(parts)


def _format_binary(value: bytes) -> str:
    return "\\x" + value.hex()


def _formatter(type_: pa.DataType) -> Callable[[Any], str]:
    """Formats the Python value of a scalar of this type."""
    formatters: list[tuple[Callable[[pa.DataType], bool], Callable[[Any], str]]] = [
        (pa.types.is_boolean, lambda value: "t" if value else "f"),
        (pa.types.is_integer, str),
        (pa.types.is_float32, format_real),
        (pa.types.is_floating, format_float),
        (pa.types.is_decimal, lambda value: format(Decimal(value), "f")),
        (pa.types.is_date32, format_date),
        (pa.types.is_time, format_time),
        (pa.types.is_fixed_size_binary, lambda value: str(uuid.UUID(bytes=value))),
        (pa.types.is_binary, _format_binary),
        (pa.types.is_large_binary, _format_binary),
        (pa.types.is_interval, lambda value: format_interval(*value)),
    ]
    if pa.types.is_timestamp(type_):
        zone = "+00" if type_.tz else ""
        return lambda value: format_timestamp(value) + zone
    return next((format_ for is_type, format_ in formatters if is_type(type_)), str)


def column_texts(column: pa.Array) -> list[str | None]:
    """The values of a column as text; NULL is None."""
    type_ = column.type
    if pa.types.is_dictionary(type_):
        return column_texts(column.dictionary_decode())
    format_ = _formatter(type_)
    # Python's date and datetime know neither years beyond 9999 nor BC: take the numbers.
    if pa.types.is_date32(type_):
        column = column.view(pa.int32())
    elif pa.types.is_time(type_) or pa.types.is_timestamp(type_):
        column = column.view(pa.int64())
    return [None if value is None else format_(value) for value in column.to_pylist()]
