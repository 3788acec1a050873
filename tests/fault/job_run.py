"""One run of a job of fault_jobs.py on real processes, and the comparison of all that it has stored."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "system"))

from comparison import assert_same_rows  # noqa: E402
from fault_jobs import JOBS, JobFiles, script_of, stored_results  # noqa: E402
from fault_schedule import TIMEOUT_S  # noqa: E402
from folder_watch import FolderWatch, listed_files, read_rows, visible_files  # noqa: E402
from support.job_client import job_call, state_name  # noqa: E402
from support.proxied_cluster import ProxiedCluster  # noqa: E402
from support.sql_client import SqlClient, StatementFailed, rows_of  # noqa: E402

DEADLINE_S = 300
# What a client meets while a job or a coordinator is on its way back; it asks again.
PASSING = ("55000", "08006", "08001", "53000", "57P03")


def binaries() -> Path:
    """The release build if it is there, because it is fast; else the one with failpoints."""
    release = ROOT / "build" / os.environ.get("MILLRACE_FAULT_BUILD", "release")
    if (release / "bin" / "millrace-worker").exists():
        return release
    return ROOT / "build" / os.environ.get("MILLRACE_BUILD", "asan")


class JobRun:
    """Files, a cluster and a job: `start`, `submit`, `until_finished`, `compare`, and `stop` whatever happens."""

    # How long the streams read their files, without faults.
    stream_seconds = 4.0
    # Silence after which a worker is given up. A busy machine makes workers silent, too.
    heartbeat_timeout_s = TIMEOUT_S

    def __init__(self, build: Path, folder: Path, job: str, seed: int, sink_format: str = "csv", *more: str) -> None:
        """`more` arguments are the coordinator's."""
        self.job = JOBS[job]
        self.seed = seed
        self.folder = folder
        self.sink_format = sink_format
        self.target = folder / "out"
        self.target.mkdir(parents=True)
        self.files = JobFiles(folder / "files", seed)
        timeout = ("--heartbeat-interval", "200 ms", "--heartbeat-timeout", f"{self.heartbeat_timeout_s:.1f} s")
        self.cluster = ProxiedCluster(build, folder / "cluster", (*timeout, *more))
        self.attempts = 0
        self.begun = 0.0
        self._watch: FolderWatch | None = None
        self._log = (folder / "faults.log").open("w")

    def start(self, coordinator_failpoints: str = "", worker_failpoints: Sequence[str] = ("", "", "")) -> None:
        """As many workers as there are texts of failpoints."""
        self.cluster.start_coordinator(coordinator_failpoints)
        for index, failpoints in enumerate(worker_failpoints):
            self.cluster.start_proxied_worker(f"worker-{index}", failpoints)
        self._watch = FolderWatch(self.target)

    def stop(self) -> None:
        """Raises if the sink's folder has ever shown what it must not, or if a process does not end."""
        findings = self._watch.stop() if self._watch else []
        self.note("the end")
        self._log.close()
        findings += [f"the process does not end: {log}" for log in self.cluster.stop()]
        assert not findings, "\n".join(findings)

    def note(self, text: str) -> None:
        self._log.write(f"{time.strftime('%H:%M:%S')} {time.monotonic() - self.begun:6.2f} s  {text}\n")
        self._log.flush()

    def submit(self, after: Callable[[], None] = lambda: None) -> None:
        """With a request id, so that it may be repeated when the coordinator dies in the middle."""
        deadline = time.monotonic() + DEADLINE_S
        num_workers = len(self.cluster.proxied)
        while len(rows_of(self.sql("SELECT id FROM millrace.workers"))) < num_workers:
            assert time.monotonic() < deadline, "the workers do not register"
            time.sleep(0.05)
        self.begun = time.monotonic()
        self.note(f"job {self.job.name}, seed {self.seed}")
        script = ";\n".join(script_of(self.job, self.files.folder, self.target, self.sink_format, self.stream_seconds))
        while not self.job_call("Submit", sql=script, name="script", request_id=f"seed-{self.seed}"):
            assert time.monotonic() < deadline, "the job cannot be submitted"
            after()

    def job_call(self, method: str, **fields: object):
        return job_call(self.cluster.address, method, **fields)

    def live_job(self):
        """The status of the streaming job, which is called as its view; None before it is there."""
        answer = self.job_call("Get", job="live")
        return answer.status if answer else None

    def kill_all_and_start(self) -> None:
        names = [worker.name for worker in self.cluster.live_workers]
        for worker in self.cluster.live_workers:
            worker.process.kill()
        self.cluster.kill_coordinator()
        self.cluster.start_coordinator()
        for name in names:
            self.cluster.start_proxied_worker(name)

    def until_finished(self, meanwhile: Callable[[], bool]) -> None:
        """Calls `meanwhile` again and again until the job has finished and it returns that nothing is left to do."""
        deadline = time.monotonic() + DEADLINE_S
        answer = None
        finished = False
        while meanwhile() or not finished:
            answer = self.job_call("Get", job="script") or answer
            if answer is not None and not finished:
                state = state_name(answer.status)
                assert state in ("CREATED", "RUNNING", "FINISHED"), f"the job is {state}: {answer.status.error.message}"
                finished = state == "FINISHED"
                if finished:
                    self.note("the job has finished")
            assert time.monotonic() < deadline, f"the job does not come to its end: {answer}"
            time.sleep(0.02)

    def sql(self, query: str) -> list:
        """Asks again while a view is on its way back."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            client = SqlClient(self.cluster.address, timeout_s=30)
            try:
                return client.execute(query)
            except StatementFailed as error:
                if time.monotonic() > deadline or error.sqlstate not in PASSING:
                    raise
                time.sleep(0.1)
            finally:
                client.close()

    def compare(self) -> None:
        for name, (mine, theirs) in stored_results(self.job).items():
            assert_same_rows(rows_of(self.sql(mine)), self.files.query(theirs), name)
        rows = [row for path in visible_files(self.target) for row in read_rows(path)]
        assert_same_rows(rows, self.files.query(self.job.expected_sink), "the sink's folder")
        assert listed_files(self.target) == visible_files(self.target)
        staged = [path.name for path in self.target.glob("_staging*")]
        assert not staged, f"staged files are left: {staged}"
        live = self.live_job()
        assert live is not None
        self.attempts = live.attempt
