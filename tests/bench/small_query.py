#!/usr/bin/env python3
"""A query over a small stored table on a warm cluster, over gRPC: latency at a client, and CPU that it costs.

One client sends one statement after another: a row by its key, and an aggregate over all rows. CPU is that of the
coordinator and its two workers; the latency has the client's own work in it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from harness import Figure, finish, measure_quietly, options, print_load
from support.dev_cluster import DevCluster
from support.sql_client import SqlClient

NUM_ROWS = 1000
WARM_UP = 200
GOAL_P99_MS = 10.0
QUERIES = {
    "row by key": "SELECT k, v, t FROM small WHERE k = 417",
    "aggregate": "SELECT k % 10 AS g, count(*), sum(v) FROM small GROUP BY 1",
}


def percentile(sorted_values: list[float], share: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def latencies_ms(client: SqlClient, sql: str, runs: int) -> list[float]:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        client.execute(sql)
        times.append(1000 * (time.perf_counter() - start))
    return sorted(times)


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="queries of each round")
    flags = parser.parse_args()
    load = print_load()
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        cluster = DevCluster(flags.build, Path(folder))
        try:
            client = SqlClient(cluster.address)
            client.execute(
                f"""CREATE TABLE small AS SELECT CAST(g AS bigint) AS k, g * 0.5 AS v, 'row ' || g AS t
                    FROM generate_series(1, {NUM_ROWS}) s(g)"""
            )
            for name, sql in QUERIES.items():
                latencies_ms(client, sql, WARM_UP)
                rounds = [
                    measure_quietly(cluster.pid, lambda sql=sql: latencies_ms(client, sql, flags.runs))
                    for _ in range(flags.rounds)
                ]
                times = min((run.result for run in rounds), key=lambda each: percentile(each, 0.99))
                figures += [
                    Figure(f"{name}: p50", percentile(times, 0.50), "ms"),
                    Figure(f"{name}: p99", percentile(times, 0.99), "ms", GOAL_P99_MS),
                    Figure(f"{name}: p99.9", percentile(times, 0.999), "ms"),
                    Figure(f"{name}: CPU", min(1000 * run.cpu / flags.runs for run in rounds), "ms per query"),
                ]
            client.close()
        finally:
            cluster.stop()
    return finish(flags, load, figures)


if __name__ == "__main__":
    sys.exit(main())
