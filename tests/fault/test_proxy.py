"""Connections between processes that are cut in the middle of a frame, slow, or half open."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from job_run import JobRun, binaries

NUM_CUTS = 3


class TroubledRun(JobRun):
    def run(self, meanwhile: Callable[[], object]) -> None:
        """Until the job has finished, and all is compared."""

        def step() -> bool:
            meanwhile()
            return False

        self.start()
        self.submit()
        self.until_finished(step)
        self.compare()

    def progress(self) -> tuple[int, int]:
        """(attempt, newest published epoch) of the streaming job; zeros before it is there."""
        live = self.live_job()
        return (live.attempt, live.published_epoch) if live else (0, 0)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[TroubledRun]:
    run = TroubledRun(binaries(), tmp_path, "join", seed=2)
    yield run
    run.stop()


@pytest.mark.parametrize("way", ["control", "data"])
def test_connections_are_cut_in_the_middle_of_a_frame(run: TroubledRun, way: str) -> None:
    """What has come in part counts for nothing: no row is lost and none comes twice."""
    cut_at: list[int] = []

    def cut_again() -> None:
        attempt, epoch = run.progress()
        # Each cut ends an attempt that has published something.
        if len(cut_at) < min(NUM_CUTS, attempt) and epoch > max(cut_at, default=0):
            getattr(run.cluster.proxied[len(cut_at) % 2], way).cut_after(5_000 + 777 * len(cut_at))
            cut_at.append(epoch)

    run.run(cut_again)
    assert len(cut_at) == NUM_CUTS
    assert run.attempts > NUM_CUTS


def test_slow_connections_only_take_longer(run: TroubledRun) -> None:
    def slow_down() -> None:
        for worker in run.cluster.proxied:
            worker.data.delay(0.01)
            worker.data.throttle(2_000_000)
            worker.control.delay(0.005)

    run.run(slow_down)


@pytest.mark.parametrize("way", ["control", "data"])
def test_a_half_open_connection_is_noticed(run: TroubledRun, way: str) -> None:
    """Bytes of one worker go nowhere, for good: the job goes on without it, or over a new connection."""
    swallowing = False

    def swallow() -> None:
        nonlocal swallowing
        attempt, epoch = run.progress()
        if not swallowing and epoch > 0:
            swallowing = True
            getattr(run.cluster.proxied[0], way).swallow()
        if attempt > 1:
            getattr(run.cluster.proxied[0], way).heal()

    run.run(swallow)
    assert swallowing
    assert run.attempts > 1
