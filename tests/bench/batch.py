#!/usr/bin/env python3
"""Batch queries on ten million rows: Millrace (two workers of one slot) against DuckDB (two threads), in turn.

Usage: tests/bench/batch.py [--rows N] [--rounds N] [--only NAME] [--build build/release] [--json FILE]

Makes its data by seed below build/bench (kept for the next run), checks that both give the same rows, then runs each
query in turn and prints best and median of each side and the ratio of the bests. Start-up is not part of a time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import pathlib
import statistics
import sys
import tempfile
import time

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.dev_cluster import DevCluster  # noqa: E402
from support.sql_client import SqlClient, rows_of  # noqa: E402

GOAL = 3.0
QUIET_LOAD = 1.5

# {t} rows, {d} dimension with one million sparse keys, {c} the same rows as CSV.
QUERIES = {
    "group_100": "SELECT k100, sum(v) AS s FROM {t} GROUP BY k100",
    "group_1m": "SELECT k1m, sum(v) AS s FROM {t} GROUP BY k1m",
    "group_two_keys": "SELECT k100, k1000, sum(v) AS s FROM {t} GROUP BY k100, k1000",
    "group_text": "SELECT name, sum(v) AS s FROM {t} GROUP BY name",
    "group_nulls": "SELECT knull, sum(vnull) AS s, count(vnull) AS c FROM {t} GROUP BY knull",
    "filtered_scan": "SELECT count(*) AS c, sum(v) AS s FROM {t} WHERE k1000 < 50 AND price > 500",
    "sort_limit": "SELECT k1m, price, v FROM {t} ORDER BY price DESC, v, k1m LIMIT 100",
    "join_1m_sparse": "SELECT count(*) AS c, sum(t.v + d.w) AS s FROM {t} t JOIN {d} d ON t.sparse = d.id",
    "csv_scan": "SELECT count(*) AS c, sum(v) AS s, max(price) AS m FROM {c}",
}


def make_data(folder: pathlib.Path, rows: int) -> dict[str, str]:
    paths = {
        name: str(folder / f"{name}-{rows}.{kind}") for name, kind in (("t", "parquet"), ("d", "parquet"), ("c", "csv"))
    }
    if all(pathlib.Path(path).exists() for path in paths.values()):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    # A multiplicative hash of the row number: the same data on every machine.
    connection.execute(
        f"""CREATE TABLE t AS
        SELECT (h % 100)::BIGINT AS k100, (h // 100 % 1000)::BIGINT AS k1000, (h // 7 % 1000000)::BIGINT AS k1m,
               ((h // 7 % 1000000) * 7919 + 13)::BIGINT AS sparse,
               'customer-' || lpad((h // 11 % 10000)::VARCHAR, 6, '0') AS name,
               CASE WHEN h % 10 = 0 THEN NULL ELSE (h // 13 % 1000)::BIGINT END AS knull,
               CASE WHEN h % 7 = 0 THEN NULL ELSE (h % 10007)::BIGINT END AS vnull,
               (h % 100003)::BIGINT AS v, (h // 3 % 1000000) / 1000.0::DOUBLE AS price
        FROM (SELECT (i * 2654435761 + 40503) % 4294967296 AS h FROM range({rows}) r(i))"""
    )
    connection.execute(
        "CREATE TABLE d AS SELECT (i * 7919 + 13)::BIGINT AS id, (i % 1000)::BIGINT AS w FROM range(1000000) r(i)"
    )
    connection.execute(f"COPY t TO '{paths['t']}' (FORMAT parquet, COMPRESSION snappy)")
    connection.execute(f"COPY d TO '{paths['d']}' (FORMAT parquet, COMPRESSION snappy)")
    connection.execute(f"COPY t TO '{paths['c']}' (FORMAT csv, HEADER)")
    return paths


def same_rows(mine: list[tuple], theirs: list[tuple]) -> bool:
    def key(row):
        return tuple((value is None, value if value is not None else 0) for value in row)

    if len(mine) != len(theirs):
        return False
    for a, b in zip(sorted(mine, key=key), sorted(theirs, key=key), strict=True):
        for x, y in zip(a, b, strict=True):
            if x is None or y is None:
                if x is not y:
                    return False
            elif not math.isclose(
                float(x) if not isinstance(x, str) else 0, float(y) if not isinstance(y, str) else 0, rel_tol=1e-9
            ) or (isinstance(x, str) and x != y):
                return False
    return True


def timed(action) -> tuple[float, object]:
    start = time.monotonic()
    result = action()
    return time.monotonic() - start, result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--json", default="")
    flags = parser.parse_args()

    paths = make_data(ROOT / "build" / "bench", flags.rows)
    load = os.getloadavg()[0]
    print(f"load before the start {load:.2f}{'' if load < QUIET_LOAD else ' (the machine is not quiet)'}")
    duck = duckdb.connect()
    duck.execute("SET threads = 2")
    report = {"duckdb": duckdb.__version__, "rows": flags.rows, "load": load, "queries": {}}
    with tempfile.TemporaryDirectory() as folder:
        cluster = DevCluster(ROOT / flags.build, pathlib.Path(folder), num_workers=2)
        try:
            client = SqlClient(cluster.address, timeout_s=600)
            print(f"{'query':16} {'ours best':>10} {'median':>8} {'DuckDB best':>12} {'median':>8} {'ratio':>7}")
            for name, text in QUERIES.items():
                if flags.only and flags.only not in name:
                    continue
                sql = text.format(**{k: f"'{v}'" for k, v in paths.items()})
                ours, theirs = [], []
                for _ in range(flags.rounds):
                    seconds, mine = timed(lambda sql=sql: client.execute(sql))
                    ours.append(seconds)
                    seconds, other = timed(lambda sql=sql: duck.execute(sql).fetchall())
                    theirs.append(seconds)
                if not same_rows(rows_of(mine), other):
                    print(f"{name:16} DIFFERENT ROWS")
                    return 1
                ratio = min(ours) / min(theirs)
                report["queries"][name] = {"ours": ours, "duckdb": theirs, "ratio": ratio}
                print(
                    f"{name:16} {min(ours):10.3f} {statistics.median(ours):8.3f} {min(theirs):12.3f} "
                    f"{statistics.median(theirs):8.3f} {ratio:7.2f}{'' if ratio <= GOAL else '  over the goal of 3'}"
                )
        finally:
            cluster.stop()
    if flags.json:
        pathlib.Path(flags.json).write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
