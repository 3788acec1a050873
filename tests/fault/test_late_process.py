"""A worker stands in the middle of a step, is given up, and goes on after its successor has: it changes nothing."""

from functools import partial
from pathlib import Path

from at_once import run_at_once
from job_run import JobRun

PLACES = {
    "epoch.before_report": 20,
    "checkpoint.after_link": 2,
    "checkpoint.between_uploads": 4,
    "checkpoint.before_report": 2,
    # The batch step before the stream writes files, too.
    "file_sink.before_sync": 3,
    "file_sink.after_prepare": 3,
}


class LateRun(JobRun):
    """The second worker stops by itself, and goes on when the next attempt has a checkpoint of its own."""

    stream_seconds = 4.0
    stood = False
    went_on = False

    def run(self) -> None:
        self.start(worker_failpoints=("", self.failpoint))
        self.submit()
        self.until_finished(self.wake_the_late_one)
        assert self.stood, "the failpoint was not reached"
        self.compare()

    def __init__(self, build: Path, folder: Path, failpoint: str) -> None:
        super().__init__(build, folder, "aggregate", seed=1)
        self.failpoint = failpoint
        self._durable = 0

    def wake_the_late_one(self) -> bool:
        late = self.cluster.proxied[1].process
        live = self.live_job()
        if not self.stood:
            self.stood = late.stands()
            self._durable = live.durable_epoch if live else 0
        elif not self.went_on and live and live.attempt > 1 and live.durable_epoch > self._durable:
            self.note(f"goes on after attempt {live.attempt} has made epoch {live.durable_epoch} durable")
            late.go_on()
            self.went_on = True
        return self.stood and not self.went_on


def test_a_late_worker_changes_nothing(build_with_failpoints: Path, tmp_path: Path) -> None:
    def case(place: str, hit: int) -> None:
        run = LateRun(build_with_failpoints, tmp_path / place, f"{place}={hit}*stop")
        try:
            run.run()
            # Nor has it spoiled what a restart reads.
            run.kill_all_and_start()
            run.compare()
        finally:
            run.stop()

    run_at_once({place: partial(case, place, hit) for place, hit in PLACES.items()})
