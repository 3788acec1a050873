#!/usr/bin/env python3
"""Scans of CSV and Parquet: ours against DuckDB's, on the same generated files, two threads each.

    python tests/bench/scan/scan_bench.py --bench build/release/bin/bench_scan [--rows 10000000] [--dir /tmp]

Needs the Python package duckdb. Every result is compared before a time counts. Prints best and median of --runs
runs, taken in turn, and the ratio of the best; removes the files.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import duckdb

# Name, our type, DuckDB's expression over the row number i.
COLUMNS = (
    ("id", "int8", "i"),
    ("partkey", "int4", "(hash(i) % 200000)::INTEGER"),
    ("suppkey", "int4", "(hash(i + 1) % 10000)::INTEGER"),
    ("quantity", "numeric", "((hash(i + 2) % 5000) / 100)::DECIMAL(15,2)"),
    ("price", "numeric", "((hash(i + 3) % 9000000) / 100)::DECIMAL(15,2)"),
    ("discount", "float8", "round((hash(i + 4) % 11) / 100, 2)"),
    ("flag", "text", "['A','N','R'][1 + (hash(i + 5) % 3)::INTEGER]"),
    ("ship", "date", "DATE '1992-01-01' + (hash(i + 6) % 2500)::INTEGER"),
    ("ts", "timestamp", "TIMESTAMP '2020-01-01' + INTERVAL 1 SECOND * (hash(i + 7) % 9999999)"),
    ("comment", "text", "'comment ' || md5(i::VARCHAR)"),
)
SUMS = {
    "int8": "sum({0})",
    "int4": "sum({0})",
    "numeric": "sum({0})",
    "float8": "sum({0})",
    "text": "sum(strlen({0}))",
    "date": "sum({0} - DATE '1970-01-01')",
    "timestamp": "sum(epoch_us({0}))",
}
CASES = (
    ("all columns", [name for name, _, _ in COLUMNS]),
    ("three numbers", ["quantity", "price", "discount"]),
    ("two texts", ["flag", "comment"]),
    ("date and time", ["ship", "ts"]),
)


def ours(bench: str, path: Path, threads: int, read: list[str]) -> tuple[float, dict[str, float]]:
    columns = [f"{n}:{t}{':read' if n in read else ''}" for n, t, _ in COLUMNS]
    output = subprocess.run(
        [bench, str(path), str(threads), *columns], check=True, capture_output=True, text=True
    ).stdout
    result = json.loads(output)
    return result["seconds"], result["sums"] | {"rows": result["rows"]}


def theirs(connection: duckdb.DuckDBPyConnection, path: Path, read: list[str]) -> tuple[float, dict[str, float]]:
    types = {n: t for n, t, _ in COLUMNS}
    names = {
        "int8": "BIGINT",
        "int4": "INTEGER",
        "numeric": "DECIMAL(15,2)",
        "float8": "DOUBLE",
        "text": "VARCHAR",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
    }
    spec = ", ".join(f"'{n}': '{names[t]}'" for n, t, _ in COLUMNS)
    source = f"'{path}'"
    if path.suffix == ".csv":
        source = f"read_csv('{path}', header=true, columns={{{spec}}})"
    sums = ", ".join(f"{SUMS[types[n]].format(n)} AS {n}" for n in read)
    begin = time.perf_counter()
    (row,) = connection.sql(f"SELECT count(*) AS rows, {sums} FROM {source}").fetchall()
    seconds = time.perf_counter() - begin
    return seconds, dict(zip(["rows", *read], map(float, row), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", required=True)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dir", default=None)
    arguments = parser.parse_args()
    connection = duckdb.connect()
    connection.sql(f"SET threads = {arguments.threads}")
    print(f"duckdb {duckdb.__version__}, load {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory(dir=arguments.dir, prefix="millrace_bench_") as folder:
        select = ", ".join(f"{e} AS {n}" for n, _, e in COLUMNS)
        for suffix, options in ((".csv", "HEADER"), (".parquet", "FORMAT parquet")):
            path = Path(folder) / f"rows{suffix}"
            connection.sql(f"COPY (SELECT {select} FROM range({arguments.rows}) t(i)) TO '{path}' ({options})")
            megabytes = path.stat().st_size / 1e6
            print(f"\n{path.name}: {megabytes:.0f} MB")
            for title, read in CASES:
                times: dict[str, list[float]] = {"ours": [], "duckdb": []}
                for _ in range(arguments.runs):
                    seconds, result = ours(arguments.bench, path, arguments.threads, read)
                    times["ours"].append(seconds)
                    seconds, expected = theirs(connection, path, read)
                    times["duckdb"].append(seconds)
                    for name, value in expected.items():
                        assert math.isclose(result[name], value, rel_tol=1e-9), (name, result[name], value)
                best = {k: min(v) for k, v in times.items()}
                median = {k: statistics.median(v) for k, v in times.items()}
                print(
                    f"  {title:15} ours {best['ours']:.3f} s (median {median['ours']:.3f}), "
                    f"duckdb {best['duckdb']:.3f} s (median {median['duckdb']:.3f}), "
                    f"ratio {best['ours'] / best['duckdb']:.2f}, "
                    f"ours {megabytes / best['ours'] / arguments.threads:.0f} MB/s a thread"
                )


if __name__ == "__main__":
    main()
