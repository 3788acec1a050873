"""What the benchmarks share: options, the machine's load, CPU of processes, data by seed, figures and goals.

A benchmark is a script of its own. It measures, hands its figures to `finish`, and takes the options of `options`:
--build, --json and --rounds. With --json it writes them for tests/bench/cluster.py, which runs all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "build" / "bench"
sys.path.insert(0, str(ROOT / "tests"))

# A figure taken above this load says little.
QUIET_LOAD = 1.5
# Share of the machine that others may use during a measurement before it counts as disturbed.
OTHERS_MAX = 0.10
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Figure:
    """One measured figure and what it should be; `goal` None: only to be seen."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    # True: at least the goal; False: at most.
    more_is_better: bool = False
    note: str = ""

    @property
    def met(self) -> bool:
        if self.goal is None:
            return True
        return self.value >= self.goal if self.more_is_better else self.value <= self.goal


def options(doc: str | None, rounds: int = 3) -> argparse.ArgumentParser:
    """The options of every benchmark; a script adds its own."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", help="folder of the build")
    parser.add_argument("--rounds", type=int, default=rounds, help="measurements; the best one counts")
    parser.add_argument("--json", type=pathlib.Path, help="file for the figures")
    return parser


def print_load() -> float:
    load = os.getloadavg()[0]
    print(f"load before the start {load:.2f}{'' if load < QUIET_LOAD else ' (the machine is not quiet)'}", flush=True)
    return load


def number(value: float) -> str:
    """Three digits that count, and thousands apart."""
    digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def print_figures(figures: Iterable[Figure]) -> None:
    print(f"{'figure':50} {'measured':>12} {'goal':>14}  unit")
    for figure in figures:
        goal = "" if figure.goal is None else f"{'≥' if figure.more_is_better else '≤'} {number(figure.goal)}"
        note = " ".join(part for part in ("" if figure.met else "MISSED", figure.note) if part)
        print(f"{figure.name:50} {number(figure.value):>12} {goal:>14}  {figure.unit}{'  ' if note else ''}{note}")


def finish(flags: argparse.Namespace, load: float, figures: list[Figure]) -> int:
    """Prints the figures, and writes them to --json. The exit code: 0, also when a goal is missed."""
    print_figures(figures)
    if flags.json is not None:
        report = {"load": load, "figures": [asdict(figure) for figure in figures]}
        flags.json.write_text(json.dumps(report, indent=1))
    return 0


def process_tree(pid: int) -> list[int]:
    """A process and all below it that live now."""
    pids = [pid]
    for parent in pids:
        for task in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
            # Threads and processes may go while they are looked at.
            with contextlib.suppress(OSError):
                pids.extend(int(child) for child in task.read_text().split())
    return pids


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all below it, those that have ended included."""
    total = 0
    for each in process_tree(pid):
        # The name, in parentheses, may hold anything: what counts comes behind it. What a process has used that is
        # gone by now counts for its parent.
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(field) for field in fields[11:15])
    return total / CLOCK_TICKS


def machine_cpu_seconds() -> float:
    """What all processes of the machine have used since its start."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq = fields[:7]
    return (user + nice + system + irq + softirq) / CLOCK_TICKS


@dataclass
class Measured:
    """One measurement. `others`: CPU seconds of all other processes meanwhile, but this script."""

    wall: float
    cpu: float
    others: float
    result: object

    @property
    def disturbed(self) -> bool:
        return self.others > OTHERS_MAX * self.wall * (os.cpu_count() or 1)


def measure(pid: int, action: Callable[[], object]) -> Measured:
    """Runs an action; CPU is that of `pid` and all below it."""
    mine, machine, own = cpu_seconds(pid), machine_cpu_seconds(), time.process_time()
    start = time.monotonic()
    result = action()
    wall = time.monotonic() - start
    cpu = cpu_seconds(pid) - mine
    others = machine_cpu_seconds() - machine - cpu - (time.process_time() - own)
    return Measured(wall, cpu, max(0.0, others), result)


def measure_quietly(pid: int, action: Callable[[], object], repeats: int = 1) -> Measured:
    """Measures again while others disturb; the least disturbed one counts."""
    runs = []
    for _ in range(1 + repeats):
        runs.append(measure(pid, action))
        if not runs[-1].disturbed:
            return runs[-1]
    return min(runs, key=lambda run: run.others / run.wall)


def timed(action: Callable[[], object]) -> tuple[float, object]:
    start = time.monotonic()
    result = action()
    return time.monotonic() - start, result


def best_and_median(seconds: list[float]) -> tuple[float, float]:
    return min(seconds), statistics.median(seconds)


def made_data(files: dict[str, str]) -> dict[str, pathlib.Path]:
    """Files below build/bench by name, each the result of a DuckDB query that gives the same rows everywhere; the
    ending of a name is its format. They are kept: another query wants another name."""
    DATA.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, query in files.items():
        path = paths[name] = DATA / name
        if path.exists():
            continue
        formats = {
            ".parquet": "FORMAT parquet, COMPRESSION snappy",
            ".csv": "FORMAT csv, HEADER",
            ".json": "FORMAT json",
        }
        # Under its name only when it is whole.
        partial = path.with_name(f"partial-{name}")
        with duckdb.connect() as connection:
            connection.execute("SET threads = 2; SET enable_progress_bar = false")
            connection.execute(f"COPY ({query}) TO '{partial}' ({formats[path.suffix]})")
        partial.rename(path)
    return paths


def hashed_rows(rows: int) -> str:
    """FROM clause of `rows` rows with a column h: a multiplicative hash of the row number below 2³²."""
    return f"(SELECT (i * 2654435761 + 40503) % 4294967296 AS h FROM range({rows}) r(i))"


def same_rows(mine: list[tuple], theirs: list[tuple]) -> bool:
    """The same rows in any order, floats to 1e-9."""

    def key(row):
        return tuple((value is None, value if value is not None else 0) for value in row)

    def same(x, y):
        if x is None or y is None or isinstance(x, str) or isinstance(y, str):
            return x == y
        return math.isclose(float(x), float(y), rel_tol=1e-9)

    return len(mine) == len(theirs) and all(
        all(same(x, y) for x, y in zip(a, b, strict=True))
        for a, b in zip(sorted(mine, key=key), sorted(theirs, key=key), strict=True)
    )
