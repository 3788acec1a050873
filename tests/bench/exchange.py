#!/usr/bin/env python3
"""What the exchange between processes costs: two workers of one slot through gRPC against one worker of two slots.

Usage: tests/bench/exchange.py [--rows N] [--rounds N] [--build build/release] [--json FILE]

A hash-partitioned aggregation and a hash-partitioned join of ten million rows each; the join's other side is too large
to be copied to every task. Both clusters run at the same time and take the queries in turn, so that both see the same
machine; first their plans are looked at, and their results compared with DuckDB's. The ratio of the best wall times
counts.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile

import duckdb
from batch import batch_data
from harness import (
    Figure,
    Measured,
    best_and_median,
    finish,
    made_data,
    measure_quietly,
    options,
    print_load,
    same_rows,
)
from support.dev_cluster import DevCluster
from support.sql_client import SqlClient, rows_of

GOAL = 1.6

QUERIES = {
    "aggregation": """SELECT count(*) AS n, sum(s) AS s, max(s) AS m
                      FROM (SELECT k1m, sum(v) AS s FROM {t} GROUP BY k1m) g""",
    "join": "SELECT count(*) AS n, sum(t.v + e.w) AS s FROM {t} t JOIN {e} e ON t.sparse = e.id",
}


def exchange_data(rows: int) -> dict[str, pathlib.Path]:
    """Those of the batch queries, and e: a dimension with 0.3 keys for each row, a million of which occur."""
    name = f"e-{rows}.parquet"
    keys = max(1_000_000, rows * 3 // 10)
    made = made_data({name: f"SELECT (i * 7919 + 13)::BIGINT AS id, (i % 1000)::BIGINT AS w FROM range({keys}) r(i)"})
    return {**batch_data(rows), "e": made[name]}


def goes_by_hash(plan: str) -> bool:
    """EXPLAIN's text: rows are spread by hash, and no side of a join is copied to every task."""
    return "hash by" in plan and "broadcast" not in plan


class Cluster:
    def __init__(self, build: pathlib.Path, folder: pathlib.Path, num_workers: int, num_slots: int) -> None:
        self._cluster = DevCluster(build, folder, num_workers, num_slots)
        self._client = SqlClient(self._cluster.address, timeout_s=600)

    def rows(self, sql: str) -> list[tuple]:
        return rows_of(self._client.execute(sql))

    def measure(self, sql: str) -> Measured:
        return measure_quietly(self._cluster.pid, lambda: self._client.execute(sql))

    def stop(self) -> None:
        self._client.close()
        self._cluster.stop()


def main() -> int:
    parser = options(__doc__, rounds=5)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--only", default="", help="part of the names of the queries to run")
    flags = parser.parse_args()

    paths = exchange_data(flags.rows)
    load = print_load()
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        clusters: dict[str, Cluster] = {}
        try:
            clusters["one worker"] = Cluster(flags.build, pathlib.Path(folder) / "one", 1, 2)
            clusters["two workers"] = Cluster(flags.build, pathlib.Path(folder) / "two", 2, 1)
            for name, text in QUERIES.items():
                if flags.only not in name:
                    continue
                sql = text.format(**{letter: f"'{path}'" for letter, path in paths.items()})
                expected = duckdb.execute(sql).fetchall()
                for label, cluster in clusters.items():
                    plan = "\n".join(line for (line,) in cluster.rows(f"EXPLAIN {sql}"))
                    if not goes_by_hash(plan):
                        print(f"{name}, {label}: not by hash\n{plan}")
                        return 1
                    if not same_rows(cluster.rows(sql), expected):
                        print(f"{name}, {label}: other rows than DuckDB's")
                        return 1
                runs: dict[str, list[Measured]] = {label: [] for label in clusters}
                for _ in range(flags.rounds):
                    for label, cluster in clusters.items():
                        runs[label].append(cluster.measure(sql))
                best = {}
                for label, measured in runs.items():
                    best[label], median = best_and_median([run.wall for run in measured])
                    cpu = min(run.cpu for run in measured)
                    print(
                        f"{name}, {label}: best {best[label]:.3f} s, median {median:.3f} s, CPU {cpu:.2f} s", flush=True
                    )
                ratio = best["two workers"] / best["one worker"]
                figures.append(Figure(f"exchange, {name}, two workers of one's time", ratio, "×", GOAL))
        finally:
            for cluster in clusters.values():
                cluster.stop()
    return finish(flags, load, figures)


if __name__ == "__main__":
    sys.exit(main())
