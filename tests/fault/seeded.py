#!/usr/bin/env python3
"""Runs a job on real processes, with faults at moments drawn from a seed, and compares all that it has stored with the
same queries of DuckDB over the same files.

    .venv/bin/python tests/fault/seeded.py --seed 7                      all four jobs
    .venv/bin/python tests/fault/seeded.py --seed 7 --runs 25 --parallel 3
    .venv/bin/python tests/fault/seeded.py --seed 7 --job over

See docs/guides/fault_tests.md.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fault_jobs import JOBS, SINK_FORMATS  # noqa: E402
from fault_schedule import Fault, draw_schedule  # noqa: E402
from job_run import JobRun, binaries  # noqa: E402
from support.process_cluster import Process  # noqa: E402
from support.proxied_cluster import ProxiedWorker  # noqa: E402

# Faults come until then; the stream takes some five seconds.
FAULTS_UNTIL_S = 6.0


class FaultyRun(JobRun):
    """A run with the faults of its seed."""

    def __init__(self, build: Path, folder: Path, job: str, seed: int) -> None:
        super().__init__(build, folder, job, seed, SINK_FORMATS[seed % len(SINK_FORMATS)])
        self.schedule = draw_schedule(seed, FAULTS_UNTIL_S)
        self._order = itertools.count()
        # What is still to be done: (moment, tie breaker, what).
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def run(self) -> None:
        """Raises AssertionError for what is not as it should be."""
        try:
            self.start()
            self.submit()
            for fault in self.schedule:
                self._at(fault.at_s, self._apply, fault)
            self.until_finished(self._do_what_is_due)
            self.compare()
        finally:
            self.stop()

    def _at(self, moment: float, what: Callable[..., None], *arguments: object) -> None:
        heapq.heappush(self._due, (moment, next(self._order), lambda: what(*arguments)))

    def _after(self, seconds: float, what: Callable[..., None], *arguments: object) -> None:
        self._at(time.monotonic() - self.begun + seconds, what, *arguments)

    def _do_what_is_due(self) -> bool:
        """What is due after the job's end still comes: its views are served then."""
        while self._due and self._due[0][0] <= time.monotonic() - self.begun:
            heapq.heappop(self._due)[2]()
        return bool(self._due)

    def _apply(self, fault: Fault) -> None:
        workers = self.cluster.live_workers
        worker = workers[fault.worker % len(workers)] if workers else None
        self.note(f"{fault.kind} {worker.name if worker else '-'} {fault}")
        if fault.kind == "kill_coordinator":
            self._kill_coordinator(fault.seconds)
        elif fault.kind == "kill_all":
            for victim in workers:
                victim.process.kill()
                self._after(fault.seconds + 0.01, self._start_worker, victim.name)
            self._kill_coordinator(fault.seconds)
        elif fault.kind == "freeze_coordinator":
            self._freeze(self.cluster.coordinator, fault.seconds)
        elif fault.kind == "add_worker":
            self._start_worker(f"worker-{len(self.cluster.proxied)}")
        elif worker is not None:
            self._apply_to_worker(fault, worker, len(workers))

    def _apply_to_worker(self, fault: Fault, worker: ProxiedWorker, num_workers: int) -> None:
        proxy = worker.control if fault.kind.endswith("control") else worker.data
        if fault.kind == "kill_worker":
            worker.process.kill()
            if num_workers <= 2 or fault.number % 2 == 0:
                name = worker.name if fault.number % 3 == 0 else f"worker-{len(self.cluster.proxied)}"
                self._after(fault.seconds, self._start_worker, name)
        elif fault.kind.startswith("freeze"):
            self._freeze(worker.process, fault.seconds)
        elif fault.kind.startswith("cut"):
            proxy.cut_after(fault.number)
            self._after(1.0, proxy.heal)
        elif fault.kind.startswith("delay"):
            proxy.delay(fault.number / 1000)
            self._after(fault.seconds, proxy.heal)
        else:
            proxy.swallow()
            self._after(fault.seconds, proxy.heal)

    def _freeze(self, process: Process, seconds: float) -> None:
        if process.popen.poll() is None:
            process.freeze()
            self._after(seconds, process.go_on)

    def _kill_coordinator(self, seconds: float) -> None:
        if self.cluster.coordinator_alive:
            self.cluster.kill_coordinator()
            self._after(seconds, self._start_coordinator)

    def _start_coordinator(self) -> None:
        if not self.cluster.coordinator_alive:
            self.cluster.start_coordinator()
            self.note("the coordinator is there again")

    def _start_worker(self, name: str) -> None:
        if all(worker.name != name for worker in self.cluster.live_workers):
            self.cluster.start_proxied_worker(name)
            self.note(f"{name} starts")


def run_once(job: str, seed: int, build: Path | None = None) -> str:
    """Returns what to say of a good run. A failed one raises, and leaves its folder."""
    folder = Path(tempfile.mkdtemp(prefix=f"millrace-fault-{job}-{seed}-"))
    begun = time.monotonic()
    run = FaultyRun(build or binaries(), folder, job, seed)
    plan = "\n".join(f"    {fault}" for fault in run.schedule)
    again = f"tests/fault/seeded.py --seed {seed} --job {job}"
    try:
        run.run()
    except BaseException as error:
        text = f"FAILED  {again}: {type(error).__name__}: {error}\n{plan}\n    kept: {folder}"
        raise AssertionError(text) from error
    shutil.rmtree(folder)
    return f"ok      {again}: {time.monotonic() - begun:.1f} s, attempts {run.attempts}\n{plan}"


def run_many(jobs: list[str], seeds: Sequence[int], parallel: int) -> int:
    """Each run in a process of its own. Returns how many failed."""
    waiting = [(job, seed) for seed in seeds for job in jobs]
    running: list[subprocess.Popen] = []
    failed = 0
    while waiting or running:
        while waiting and len(running) < parallel:
            job, seed = waiting.pop(0)
            command = [sys.executable, __file__, "--seed", str(seed), "--job", job]
            running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        done = [process for process in running if process.poll() is not None]
        for process in done:
            running.remove(process)
            assert process.stdout is not None
            print(process.stdout.read(), end="", flush=True)
            failed += process.returncode != 0
        time.sleep(0.05)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--runs", type=int, default=1, help="seeds one after the other, each for all jobs")
    parser.add_argument("--job", choices=list(JOBS), action="append", help="may be repeated; all four without")
    parser.add_argument("--parallel", type=int, default=1, help="runs at a time")
    arguments = parser.parse_args()
    jobs = arguments.job or list(JOBS)
    if arguments.runs == 1 and len(jobs) == 1:
        try:
            print(run_once(jobs[0], arguments.seed), flush=True)
        except AssertionError as error:
            print(error, flush=True)
            return 1
        return 0
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    failed = run_many(jobs, seeds, arguments.parallel)
    print(f"{len(seeds) * len(jobs)} runs, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
