"""Writes rows that came as text into the files that Millrace reads."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

# Small, so that a file has several row groups.
ROW_GROUP_ROWS = 7


def write_rows(columns: str, rows: list[list[str | None]], path: Path) -> None:
    """One CSV or Parquet file, by the name's end; `columns` as "id integer, name text"."""
    names, types = columns_of(columns)
    values = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    texts = [pa.array(column, pa.string()) for column in values]
    if path.suffix == ".csv":
        pa.csv.write_csv(pa.table(texts, names), path, pa.csv.WriteOptions(quoting_style="needed"))
    else:
        typed = [_typed(text, type_) for text, type_ in zip(texts, types, strict=True)]
        pa.parquet.write_table(pa.table(typed, names), path, row_group_size=ROW_GROUP_ROWS)


def columns_of(definition: str) -> tuple[list[str], list[pa.DataType]]:
    """Names and Arrow types of "id integer, price numeric(10,2)"."""
    names, types = [], []
    for column in re.split(r",(?![^(]*\))", definition):
        name, type_ = column.split(None, 1)
        names.append(name)
        types.append(_arrow_type(type_.strip()))
    return names, types


def _typed(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    """The values of a column of text; Arrow has no cast for times of day."""
    if not pa.types.is_time(type_):
        return texts.cast(type_)
    times = [None if text is None else dt.time.fromisoformat(text) for text in texts.to_pylist()]
    return pa.array(times, type_)


def _arrow_type(name: str) -> pa.DataType:
    plain = {
        "boolean": pa.bool_(), "smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64(),
        "real": pa.float32(), "double precision": pa.float64(), "text": pa.string(),
        "date": pa.date32(), "time": pa.time64("us"), "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    decimal = re.fullmatch(r"numeric\((\d+),\s*(\d+)\)", name)
    if decimal:
        return pa.decimal128(int(decimal.group(1)), int(decimal.group(2)))
    return plain[name]
