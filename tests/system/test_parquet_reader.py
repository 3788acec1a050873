"""Parquet files of every type that a column can have, with and without filters, against the values written."""

import datetime
import decimal
import math
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.sql_client import StatementFailed, rows_of

EPOCH = datetime.datetime(1970, 1, 1)
DAY = datetime.timedelta(days=1)
NUM_ROWS = 300


def moments(generator):
    return EPOCH + datetime.timedelta(microseconds=generator.randrange(-(10**15), 10**15))


def of_unit(unit):
    step = {"s": 10**6, "ms": 10**3, "us": 1, "ns": 1}[unit]
    return lambda generator: EPOCH + datetime.timedelta(microseconds=generator.randrange(-(10**9), 10**9) * step)


def decimals(precision, scale):
    top = 10**precision - 1
    return lambda generator: decimal.Decimal(generator.randrange(-top, top + 1)).scaleb(
        -scale, context=decimal.Context(prec=80)
    )


def integers(low, high):
    return lambda generator: generator.choice([low, high, generator.randrange(low, high + 1)])


# Name of the column's kind: its type in the file, its type in the table, a value.
KINDS = {
    "i8": (pa.int8(), "smallint", integers(-128, 127)),
    "u8": (pa.uint8(), "smallint", integers(0, 255)),
    "i16": (pa.int16(), "smallint", integers(-(2**15), 2**15 - 1)),
    "u16": (pa.uint16(), "integer", integers(0, 2**16 - 1)),
    "i32": (pa.int32(), "integer", integers(-(2**31), 2**31 - 1)),
    "u32": (pa.uint32(), "bigint", integers(0, 2**32 - 1)),
    "i64": (pa.int64(), "bigint", integers(-(2**63), 2**63 - 1)),
    "f32": (
        pa.float32(),
        "real",
        lambda g: g.choice([0.5, -2.25, math.inf, -math.inf, math.nan, float(g.randrange(99))]),
    ),
    "f64": (pa.float64(), "double precision", lambda g: g.choice([0.1, math.inf, math.nan, g.uniform(-9, 9)])),
    "flag": (pa.bool_(), "boolean", lambda g: g.random() < 0.5),
    "few": (pa.string(), "text", lambda g: g.choice(["", "a", "ä", "b" * 100])),
    "many": (pa.large_string(), "text", lambda g: f"value {g.random()}"),
    "dict": (pa.dictionary(pa.int32(), pa.string()), "text", lambda g: g.choice(["red", "green", "blue"])),
    "bin": (pa.binary(), "bytea", lambda g: g.randbytes(g.randrange(9))),
    "day": (pa.date32(), "date", lambda g: (EPOCH + DAY * g.randrange(-30000, 30000)).date()),
    "s": (pa.timestamp("s"), "timestamp", of_unit("s")),
    "ms": (pa.timestamp("ms"), "timestamp", of_unit("ms")),
    "us": (pa.timestamp("us"), "timestamp", moments),
    "ns": (pa.timestamp("ns"), "timestamp", of_unit("ns")),
    "time_ms": (
        pa.time32("ms"),
        "time",
        lambda g: (EPOCH + datetime.timedelta(milliseconds=g.randrange(86400000))).time(),
    ),
    "time_us": (
        pa.time64("us"),
        "time",
        lambda g: (EPOCH + datetime.timedelta(microseconds=g.randrange(86400000000))).time(),
    ),
    "d9": (pa.decimal128(9, 2), "numeric(9,2)", decimals(9, 2)),
    "d18": (pa.decimal128(18, 5), "numeric(18,5)", decimals(18, 5)),
    "d38": (pa.decimal128(38, 10), "numeric(38,10)", decimals(38, 10)),
    "d256": (pa.decimal256(38, 3), "numeric(38,3)", decimals(38, 3)),
}


def values_of(kind, generator):
    make = KINDS[kind][2]
    return [None if generator.random() < 0.1 else make(generator) for _ in range(NUM_ROWS)]


def write(path, columns, **options):
    # An empty row group stands in the middle.
    table = pa.table({name: pa.array(values, KINDS[name][0]) for name, values in columns.items()})
    with pq.ParquetWriter(path, table.schema, **options) as writer:
        writer.write_table(table.slice(0, 100), row_group_size=30)
        writer.write_table(table.slice(0, 0))
        writer.write_table(table.slice(100), row_group_size=30)


def plain(value):
    return "nan" if isinstance(value, float) and math.isnan(value) else value


@pytest.mark.parametrize("as_integer", [False, True])
def test_every_type_reads_back(client, tmp_path, as_integer):
    generator = random.Random(1)
    columns = {kind: values_of(kind, generator) for kind in KINDS}
    write(tmp_path / "t.parquet", columns, store_decimal_as_integer=as_integer)
    declared = ", ".join(f'"{kind}" {KINDS[kind][1]}' for kind in KINDS)
    client.execute(f"CREATE TABLE wide ({declared}) WITH (connector = 'file', path = '{tmp_path}/t.parquet')")
    try:
        for kind, values in columns.items():
            actual = [plain(value) for (value,) in rows_of(client.execute(f'SELECT "{kind}" FROM wide'))]
            expected = [plain(value) for value in values]
            assert sorted(map(repr, actual)) == sorted(map(repr, expected)), kind
        # The types that the file itself tells.
        inferred = rows_of(
            client.execute(f"SELECT count(*) AS a, count(ns) AS b, count(d9) AS c FROM '{tmp_path}/t.parquet'")
        )
        assert inferred == [
            (NUM_ROWS, sum(v is not None for v in columns["ns"]), sum(v is not None for v in columns["d9"]))
        ]
    finally:
        client.execute("DROP TABLE wide")


def literal(value):
    if isinstance(value, bool | int | decimal.Decimal):
        return str(value)
    if isinstance(value, float):
        return f"'{value}'"
    return f"'{value}'"


def order(value):
    """PostgreSQL's order: NaN is greater than all else."""
    if isinstance(value, float):
        return (math.isnan(value), 0.0 if math.isnan(value) else value)
    return value.encode() if isinstance(value, str) else value


COMPARISONS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
    "<>": lambda a, b: a != b,
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("flag", "bin", "d256")])
def test_filters_skip_row_groups_and_no_row(client, tmp_path, kind):
    generator = random.Random(kind)
    values = values_of(kind, generator)
    if kind not in ("f32", "f64"):
        values.sort(key=lambda value: (value is None, order(value) if value is not None else 0))
    write(tmp_path / "t.parquet", {kind: values})
    client.execute(
        f"CREATE TABLE t (\"{kind}\" {KINDS[kind][1]}) WITH (connector = 'file', path = '{tmp_path}/t.parquet')"
    )
    present = [value for value in values if value is not None]
    try:
        for name, compare in COMPARISONS.items():
            for bound in (generator.choice(present), min(present, key=order), max(present, key=order)):
                query = f'SELECT count(*) FROM t WHERE "{kind}" {name} CAST({literal(bound)} AS {KINDS[kind][1]})'
                expected = sum(compare(order(value), order(bound)) for value in present)
                assert rows_of(client.execute(query)) == [(expected,)], query
    finally:
        client.execute("DROP TABLE t")


def test_what_cannot_be_read_is_said(client, tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1, 2], "l": [[1], [2]], "s": [{"x": 1}, {"x": 2}]}), path)
    for column, sqlstate in (("l text", "0A000"), ("s text", "0A000"), ("b integer", "42703"), ("a date", "42804")):
        client.execute(f"CREATE TABLE odd ({column}) WITH (connector = 'file', path = '{path}')")
        try:
            with pytest.raises(StatementFailed) as failure:
                client.execute("SELECT * FROM odd")
        finally:
            client.execute("DROP TABLE odd")
        assert failure.value.sqlstate == sqlstate, failure.value
        assert str(path) in failure.value.message
        assert f'"{column.split()[0]}"' in failure.value.message
