#!/usr/bin/env python3
"""Batch queries on ten million rows: Millrace (two workers of one slot) against DuckDB (two threads), in turn.

Usage: tests/bench/batch.py [--rows N] [--rounds N] [--only NAME] [--build build/release] [--json FILE]

Makes its data by seed below build/bench (kept for the next run), checks that both give the same rows, then runs each
query in turn and prints best and median of each side and the ratio of the bests. Start-up is not part of a time.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile

import duckdb
from harness import (
    DATA,
    Figure,
    best_and_median,
    finish,
    hashed_rows,
    made_data,
    options,
    print_load,
    same_rows,
    timed,
)
from support.dev_cluster import DevCluster
from support.sql_client import SqlClient, rows_of

GOAL = 3.0

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


def batch_data(rows: int) -> dict[str, pathlib.Path]:
    """The tables of the queries, by their letter."""
    names = {"t": f"t-{rows}.parquet", "d": f"d-{rows}.parquet", "c": f"c-{rows}.csv"}
    paths = made_data(
        {
            names["t"]: f"""SELECT (h % 100)::BIGINT AS k100, (h // 100 % 1000)::BIGINT AS k1000,
               (h // 7 % 1000000)::BIGINT AS k1m, ((h // 7 % 1000000) * 7919 + 13)::BIGINT AS sparse,
               'customer-' || lpad((h // 11 % 10000)::VARCHAR, 6, '0') AS name,
               CASE WHEN h % 10 = 0 THEN NULL ELSE (h // 13 % 1000)::BIGINT END AS knull,
               CASE WHEN h % 7 = 0 THEN NULL ELSE (h % 10007)::BIGINT END AS vnull,
               (h % 100003)::BIGINT AS v, (h // 3 % 1000000) / 1000.0::DOUBLE AS price FROM {hashed_rows(rows)}""",
            names["d"]: "SELECT (i * 7919 + 13)::BIGINT AS id, (i % 1000)::BIGINT AS w FROM range(1000000) r(i)",
            names["c"]: f"SELECT * FROM '{DATA / names['t']}'",
        }
    )
    return {letter: paths[name] for letter, name in names.items()}


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--only", default="", help="part of the names of the queries to run")
    flags = parser.parse_args()

    paths = batch_data(flags.rows)
    load = print_load()
    duck = duckdb.connect()
    duck.execute("SET threads = 2")
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        cluster = DevCluster(flags.build, pathlib.Path(folder), num_workers=2)
        try:
            client = SqlClient(cluster.address, timeout_s=600)
            print(f"{'query':16} {'ours best':>10} {'median':>8} {'DuckDB best':>12} {'median':>8} {'ratio':>7}")
            for name, text in QUERIES.items():
                if flags.only not in name:
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
                (mine_best, mine_median), (their_best, their_median) = map(best_and_median, (ours, theirs))
                ratio = mine_best / their_best
                ours_text = f"{mine_best:10.3f} {mine_median:8.3f}"
                print(f"{name:16} {ours_text} {their_best:12.3f} {their_median:8.3f} {ratio:7.2f}", flush=True)
                figures.append(Figure(f"batch {name}, of DuckDB's time", ratio, "×", GOAL))
        finally:
            cluster.stop()
    print(f"DuckDB {duckdb.__version__}, {flags.rows:,} rows")
    return finish(flags, load, figures)


if __name__ == "__main__":
    sys.exit(main())
