"""Writes a table as files whose rows arrive a few at a time, for jobs that read them as streams."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .engine import Table
from .table_files import columns_of, write_rows

Row = list[str | None]

# "plain": rows only come, behind a watermark where there is a time. "changing": the table is a view
# that also shows rows which later are taken back.
SHAPES = ("plain", "changing")
ROWS_PER_FILE_MAX = 5
# All rows of a table have come after about this long: some epochs of 20 ms.
ARRIVAL_S = 0.15
RATE_MIN = 20
# Far more than any two rows of a table lie apart.
ANY_DELAY = "100000 days"


@dataclass(frozen=True)
class Arrival:
    """Where the files go, and what is to happen to the rows."""

    folder: Path
    table_format: str
    # One of SHAPES.
    shape: str
    chance: Random


def write_arrival(table: Table, arrival: Arrival) -> list[str]:
    """Writes the files; returns the statements that define the table over them."""
    shutil.rmtree(arrival.folder, ignore_errors=True)
    rows = table.rows()
    if arrival.shape == "plain":
        files = _cut(rows, arrival.chance)
        definition = table.columns + _watermark(table, files, arrival.chance)
        return [_define(table.name, table.columns, definition, files, arrival)]
    names, _ = columns_of(table.columns)
    kept = [[*row, str(number)] for number, row in enumerate(rows, 1)]
    passing = [[*row, str(-number)] for number, row in enumerate(_invented(rows, len(names), arrival.chance), 1)]
    arrival.chance.shuffle(kept)
    mixed = kept + passing
    arrival.chance.shuffle(mixed)
    gone: list[Row] = [[row[-1]] for row in passing]
    columns = f"{table.columns}, slt_row integer"
    return [
        _define(f"{table.name}_rows", columns, columns, _cut(mixed, arrival.chance), arrival),
        _define(f"{table.name}_gone", "slt_row integer", "slt_row integer", _cut(gone, arrival.chance), arrival),
        f"CREATE VIEW {table.name} AS SELECT {', '.join(names)} FROM {table.name}_rows r "
        f"WHERE NOT EXISTS (SELECT 1 FROM {table.name}_gone g WHERE g.slt_row = r.slt_row)",
    ]


def _invented(rows: list[Row], width: int, chance: Random) -> list[Row]:
    """Rows with values of the table's own columns; some are copies of its rows."""
    if not rows:
        return [[None] * width]
    invented: list[Row] = []
    for _ in range(len(rows) // 2 + 1):
        if chance.random() < 0.3:
            invented.append(list(chance.choice(rows)))
        else:
            invented.append([chance.choice(rows)[column] for column in range(width)])
    return invented


def _cut(rows: list[Row], chance: Random) -> list[list[Row]]:
    """Files of random size, now and then an empty one."""
    files: list[list[Row]] = []
    begin = 0
    while begin < len(rows) or not files:
        size = chance.randint(0 if chance.random() < 0.2 else 1, ROWS_PER_FILE_MAX)
        files.append(rows[begin : begin + size])
        begin += size
    return files


def _watermark(table: Table, files: list[list[Row]], chance: Random) -> str:
    """A watermark on the first timestamp that makes no row late, sometimes only just."""
    for position, column in enumerate(re.split(r",(?![^(]*\))", table.columns)):
        name, type_ = column.split(None, 1)
        if type_.strip() != "timestamp":
            continue
        micros = max((_disorder(rows, position) for rows in files), default=0)
        delay = ANY_DELAY if chance.random() < 0.3 else f"{micros / 1e6:.6f} seconds"
        return f", WATERMARK FOR {name} AS {name} - INTERVAL '{delay}'"
    return ""


def _disorder(rows: list[Row], position: int) -> int:
    """How far a row's time lies below the largest before it, in microseconds."""
    largest = dt.datetime.min
    disorder = dt.timedelta()
    for row in rows:
        text = row[position]
        if text is None:
            continue
        time = dt.datetime.fromisoformat(text.ljust(26, "0") if "." in text else text)
        disorder = max(disorder, largest - time)
        largest = max(largest, time)
    return disorder // dt.timedelta(microseconds=1)


def _define(name: str, columns: str, definition: str, files: list[list[Row]], arrival: Arrival) -> str:
    folder = arrival.folder / name
    folder.mkdir(parents=True)
    for number, rows in enumerate(files):
        write_rows(columns, rows, folder / f"{number:03}.{arrival.table_format}")
    rate = max(RATE_MIN, round(sum(map(len, files)) / ARRIVAL_S))
    options = f"connector = 'file', path = '{folder}/*.{arrival.table_format}', rows_per_second = '{rate}'"
    if arrival.table_format == "csv":
        options += ", header = 'true'"
    return f"CREATE TABLE {name} ({definition}) WITH ({options})"
