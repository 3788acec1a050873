#!/usr/bin/env python3
"""What a cluster with nothing to do costs: CPU and memory of the coordinator and of each of two workers.

Without a job; then with one streaming job that waits for rows (a view over a followed folder joined with a stored
table). The figures are those of the process that uses most.
"""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile
import time

from harness import CLOCK_TICKS, Figure, finish, options, print_load, process_tree
from support.dev_cluster import DevCluster
from support.sql_client import SqlClient

GOAL_CPU_PERCENT = 2.0
GOAL_RSS_MIB = 150.0
SECONDS = 20
PAGE = os.sysconf("SC_PAGESIZE")


def servers(pid: int) -> dict[int, str]:
    """The coordinator and the workers below a cluster's process."""
    found = {}
    for each in process_tree(pid):
        name = pathlib.Path(f"/proc/{each}/exe").resolve().name
        if name in ("millrace-coordinator", "millrace-worker"):
            found[each] = name
    return found


def own_cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:13]) / CLOCK_TICKS


def rss_mib(pid: int) -> float:
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / (1 << 20)


def idle(pid: int, name: str, seconds: int, rounds: int) -> list[Figure]:
    """The least of several rounds: what the processes do besides, they do once."""
    cpu: dict[str, float] = {}
    rss: dict[str, float] = {}
    for _ in range(rounds):
        before = {each: own_cpu_seconds(each) for each in servers(pid)}
        time.sleep(seconds)
        used: dict[str, float] = {}
        for each, program in servers(pid).items():
            percent = 100 * (own_cpu_seconds(each) - before[each]) / seconds
            used[program] = max(used.get(program, 0.0), percent)
            rss[program] = max(rss.get(program, 0.0), rss_mib(each))
        for program, percent in used.items():
            cpu[program] = min(cpu.get(program, percent), percent)
    figures = []
    for program in sorted(cpu):
        figures.append(Figure(f"{name}: {program}, CPU", cpu[program], "% of a core", GOAL_CPU_PERCENT))
        figures.append(Figure(f"{name}: {program}, memory", rss[program], "MiB", GOAL_RSS_MIB))
    return figures


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="length of each round")
    flags = parser.parse_args()
    load = print_load()
    with tempfile.TemporaryDirectory() as folder:
        cluster = DevCluster(flags.build, pathlib.Path(folder) / "data")
        try:
            figures = idle(cluster.pid, "no job", flags.seconds, flags.rounds)
            events = pathlib.Path(folder) / "events"
            events.mkdir()
            (events / "a.csv").write_text("k,v\n" + "".join(f"{row % 10},{row}\n" for row in range(1000)))
            client = SqlClient(cluster.address)
            client.execute(
                f"""CREATE TABLE names AS
                    SELECT CAST(g AS integer) AS k, 'n' || g AS name FROM generate_series(0, 9) s(g);
                    CREATE TABLE events (k integer, v bigint)
                    WITH (connector = 'file', path = '{events}/*.csv', follow = true);
                    CREATE MATERIALIZED VIEW totals AS
                    SELECT n.name, sum(e.v) AS total FROM events e JOIN names n ON n.k = e.k GROUP BY n.name;
                    CALL millrace.wait_for('totals', 'rows', 1000)"""
            )
            client.close()
            figures += idle(cluster.pid, "one idle job", flags.seconds, flags.rounds)
        finally:
            cluster.stop()
    return finish(flags, load, figures)


if __name__ == "__main__":
    sys.exit(main())
