"""A folder is full or read-only for a while: the job shows the cause, the last checkpoint stays good, and when there is
space again the job goes on to the same results."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from job_run import JobRun, binaries
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until

FOLDER_MB = 8


class MountedFolder:
    """A small file system in memory. It takes the administrator's rights."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._ballast = path / "_ballast"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FOLDER_MB}m", "tmpfs", path], check=True)

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as out:
            chunk = b"x" * 4096
            try:
                while True:
                    out.write(chunk)
            except OSError:
                return

    def make_room(self) -> None:
        self._ballast.unlink()

    def forbid_writing(self) -> None:
        self._remount("ro")

    def permit_writing(self) -> None:
        self._remount("rw")

    def _remount(self, mode: str) -> None:
        # Busy while a file is open for writing.
        command = ["mount", "-o", f"remount,{mode}", self.path]
        wait_until(lambda: subprocess.run(command, check=False, capture_output=True).returncode == 0, f"{command}")

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", self.path], check=True)


def _may_mount() -> bool:
    unshared = subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True)
    return os.geteuid() == 0 and unshared.returncode == 0


needs_mounts = pytest.mark.skipif(not _may_mount(), reason="LEFT OUT: a full disk takes the right to mount one")


@pytest.fixture
def checkpoints(tmp_path: Path) -> Iterator[MountedFolder]:
    folder = MountedFolder(tmp_path / "checkpoints")
    yield folder
    folder.unmount()


class DiskRun(JobRun):
    """Trouble begins after the first checkpoint."""

    def __init__(self, folder: Path, checkpoints: Path) -> None:
        super().__init__(binaries(), folder, "aggregate", 1, "csv", "--checkpoint-dir", str(checkpoints))
        self.troubled = False
        self.causes: list[str] = []

    def look(self, begin: Callable[[], None], end: Callable[[], None]) -> bool:
        """Ends the trouble as soon as the job has shown its cause."""
        live = self.live_job()
        if live is None:
            return False
        if not self.troubled and live.durable_epoch > 0:
            self.note(f"trouble begins at epoch {live.durable_epoch}")
            begin()
            self.troubled = True
        elif self.troubled and not self.causes:
            self.causes = [error.message for error in (live.error, *(r.cause for r in live.restarts)) if error.message]
            if self.causes:
                self.note(f"the job shows: {self.causes}")
                end()
        return False


@pytest.fixture
def run(tmp_path: Path, checkpoints: MountedFolder) -> Iterator[DiskRun]:
    run = DiskRun(tmp_path / "run", checkpoints.path)
    yield run
    run.stop()


@needs_mounts
def test_the_job_goes_on_when_there_is_space_again(run: DiskRun, checkpoints: MountedFolder) -> None:
    run.start()
    run.submit()
    run.until_finished(lambda: run.look(checkpoints.fill, checkpoints.make_room))
    assert "No space left on device" in run.causes[0]
    run.compare()


@needs_mounts
def test_the_job_goes_on_when_the_folder_may_be_written_again(run: DiskRun, checkpoints: MountedFolder) -> None:
    run.start()
    run.submit()
    run.until_finished(lambda: run.look(checkpoints.forbid_writing, checkpoints.permit_writing))
    assert "Read-only file system" in run.causes[0]
    run.compare()


@needs_mounts
def test_the_last_checkpoint_stays_good_while_the_disk_is_full(run: DiskRun, checkpoints: MountedFolder) -> None:
    """All processes die meanwhile, too."""
    run.start()
    run.submit()

    def die() -> None:
        run.kill_all_and_start()
        checkpoints.make_room()

    run.until_finished(lambda: run.look(checkpoints.fill, die))
    run.compare()


@needs_mounts
def test_the_job_goes_on_when_the_sink_has_space_again(tmp_path: Path) -> None:
    run = DiskRun(tmp_path / "run", tmp_path / "checkpoints")
    target = MountedFolder(run.target)
    try:
        run.start()
        run.submit()
        run.until_finished(lambda: run.look(target.fill, target.make_room))
        assert "No space left on device" in run.causes[0]
        run.compare()
    finally:
        run.stop()
        target.unmount()


@needs_mounts
def test_the_job_goes_on_when_a_worker_has_space_again(tmp_path: Path) -> None:
    run = DiskRun(tmp_path / "run", tmp_path / "checkpoints")
    local = MountedFolder(tmp_path / "run" / "cluster" / "worker-0")
    try:
        run.start()
        run.submit()
        run.until_finished(lambda: run.look(local.fill, local.make_room))
        assert "No space left on device" in run.causes[0]
        run.compare()
    finally:
        run.stop()
        local.unmount()


@needs_mounts
def test_statements_work_again_when_the_data_folder_has_space(tmp_path: Path) -> None:
    data = MountedFolder(tmp_path / "data")
    cluster = ProcessCluster(binaries(), tmp_path)
    try:
        cluster.start_coordinator()
        cluster.start_worker()
        client = SqlClient(cluster.address)
        client.execute("CREATE TABLE kept (a integer); INSERT INTO kept VALUES (1), (2)")
        data.fill()
        with pytest.raises(StatementFailed, match="No space left on device") as failed:
            client.execute("INSERT INTO kept VALUES (3)")
        assert failed.value.sqlstate == "53100"
        # Small records still fit into what the files have.
        with pytest.raises(StatementFailed, match="No space left on device") as failed:
            for number in range(1000):
                client.execute(
                    f"CREATE VIEW v{number} AS SELECT {', '.join(f'a + {i} AS a{i}' for i in range(99))} FROM kept"
                )
        assert failed.value.sqlstate == "53100"
        assert rows_of(client.execute("SELECT sum(a) FROM kept")) == [(3,)]
        data.make_room()
        client.execute("INSERT INTO kept VALUES (4); CREATE TABLE fresh (a integer)")
        assert rows_of(client.execute("SELECT sum(a) FROM kept")) == [(7,)]
        client.close()
        # And what was acknowledged is durable.
        cluster.stop()
        cluster.start_coordinator()
        cluster.start_worker()
        client = SqlClient(cluster.address)
        assert rows_of(client.execute("SELECT sum(a) FROM kept")) == [(7,)]
        assert rows_of(client.execute("SELECT count(*) FROM fresh")) == [(0,)]
        client.close()
    finally:
        cluster.stop()
        data.unmount()
