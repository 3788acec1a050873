"""A crash at every step of a checkpoint and of a sink's commit: after the recovery all results are the same."""

from functools import partial
from pathlib import Path

from at_once import run_at_once
from job_run import JobRun

# Places on the worker, and at which hit to die: the first checkpoint has nothing to lose yet.
WORKER_PLACES = {
    "epoch.before_report": 20,
    "checkpoint.before_link": 2,
    "checkpoint.after_link": 2,
    "checkpoint.before_upload": 2,
    "checkpoint.between_uploads": 4,
    "checkpoint.after_upload": 2,
    "checkpoint.before_report": 2,
    "file_sink.before_sync": 3,
    "file_sink.after_sync": 3,
    "file_sink.after_prepare": 3,
}
COORDINATOR_PLACES = {
    "checkpoint.before_manifest": 2,
    "storage.before_atomic_sync": 4,
    "storage.before_atomic_rename": 4,
    "storage.after_atomic_rename": 4,
    "checkpoint.after_manifest": 2,
    "checkpoint.before_sink_commit": 2,
    "storage.before_commit_rename": 3,
    "storage.after_commit_rename": 3,
    "storage.before_commit_sync": 1,
    "storage.after_commit_sync": 1,
    "sink_commit.before_manifest": 2,
    "sink_commit.after_manifest": 2,
    "checkpoint.before_mark_committed": 2,
    "checkpoint.after_sink_commit": 2,
    "checkpoint.before_removal": 3,
    "checkpoint.after_removal": 2,
}


class CrashingRun(JobRun):
    """Starts what has died again, without its failpoint."""

    stream_seconds = 2.0
    # Who dies closes its connections.
    heartbeat_timeout_s = 20.0
    num_deaths = 0

    def restart_the_dead(self) -> bool:
        if not self.cluster.coordinator_alive:
            self.num_deaths += 1
            self.note("the coordinator has died")
            self.cluster.kill_coordinator()
            self.cluster.start_coordinator()
        for worker in list(self.cluster.proxied):
            if not worker.alive:
                self.num_deaths += 1
                self.note(f"{worker.name} has died")
                self.cluster.proxied.remove(worker)
                self.cluster.start_proxied_worker(worker.name)
        return False

    def run(self, worker_failpoints: tuple[str, ...], coordinator_failpoints: str = "") -> None:
        try:
            self.start(coordinator_failpoints, worker_failpoints)
            self.submit(self.restart_the_dead)
            self.until_finished(self.restart_the_dead)
            assert self.num_deaths == 1
            self.compare()
        finally:
            self.stop()


def test_a_worker_dies_in_a_step_of_a_checkpoint(build_with_failpoints: Path, tmp_path: Path) -> None:
    def case(place: str, hit: int) -> None:
        failpoint = f"{place}={hit}*abort"
        CrashingRun(build_with_failpoints, tmp_path / place, "aggregate", seed=1).run(("", failpoint))

    run_at_once({place: partial(case, place, hit) for place, hit in WORKER_PLACES.items()})


def test_the_coordinator_dies_in_a_step_of_a_checkpoint(build_with_failpoints: Path, tmp_path: Path) -> None:
    def case(place: str, hit: int) -> None:
        failpoint = f"{place}={hit}*abort"
        CrashingRun(build_with_failpoints, tmp_path / place, "aggregate", seed=1).run(("", ""), failpoint)

    run_at_once({place: partial(case, place, hit) for place, hit in COORDINATOR_PLACES.items()})
