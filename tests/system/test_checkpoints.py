"""The command line shows, makes and verifies checkpoints."""

import json
import pathlib
import subprocess

import pytest
from conftest import BUILD
from fused_job import NUM_ROWS, FusedJob
from support.waiting import wait_until

TOKEN = "_shared-storage-token"


@pytest.fixture
def job(tmp_path):
    running = FusedJob(tmp_path / "job")
    running.cluster.start_worker()
    running.submit()
    yield running
    running.stop()


def inspect(job, *arguments, code=0):
    return json.loads(job.millrace("checkpoint", "inspect", "fused", "--json", *arguments, code=code))


def folder_of(job):
    return job.cluster.folder / "data" / "checkpoints"


def test_the_newest_checkpoints_are_kept_and_nothing_else_lies_there(job):
    wait_until(lambda: len(job.checkpoints()) == 3, job.status)
    job.millrace("job", "stop", "fused")
    kept = job.checkpoints()
    assert len(kept) == 3
    assert [int(c["epoch"]) for c in kept] == sorted((int(c["epoch"]) for c in kept), reverse=True)
    manifests = {path.relative_to(folder_of(job)).as_posix() for path in folder_of(job).rglob("manifest-*")}
    assert manifests == {c["manifest"] for c in kept}
    needed = set()
    for checkpoint in kept:
        detail = inspect(job, "--epoch", checkpoint["epoch"], "--verify")
        assert all(file["damage"] == "" for file in detail["files"])
        assert sum(int(file["size_bytes"]) for file in detail["files"]) == int(checkpoint["size_bytes"])
        needed |= {file["path"] for file in detail["files"]}
    job_folder = folder_of(job) / kept[0]["manifest"].split("/")[0]
    there = {path.relative_to(job_folder).as_posix() for path in job_folder.rglob("*") if path.is_file()}
    assert there - {manifest.split("/")[1] for manifest in manifests} == needed


def test_a_checkpoint_on_request_is_durable_when_the_command_returns(job):
    job.wait_for_checkpoint()
    before = int(job.checkpoints()[0]["epoch"])
    made = json.loads(job.millrace("checkpoint", "create", "fused", "--json").splitlines()[0])
    assert made["job_name"] == "totals"
    assert int(made["checkpoint"]["epoch"]) > before
    assert int(made["checkpoint"]["duration_micros"]) > 0
    detail = inspect(job, "--epoch", made["checkpoint"]["epoch"])
    assert len(detail["plan_hash"]) == 16
    assert {position["table"] for position in detail["positions"]} == {"events"}
    assert 0 < sum(int(position["rows"]) for position in detail["positions"]) <= NUM_ROWS
    text = job.millrace("checkpoint", "inspect", "fused")
    assert "events/part-0.csv" in text and "checksum" in text
    assert "no checkpoint of epoch 1" in job_error(job, "--epoch", "1")


def job_error(job, *arguments):
    command = [BUILD / "bin" / "millrace", "checkpoint", "inspect", "fused", *arguments]
    command += ["--server", job.cluster.address]
    return subprocess.run(command, check=False, capture_output=True, text=True).stderr


def test_verify_names_the_file_that_is_damaged(job):
    job.wait_for_checkpoint()
    job.millrace("job", "stop", "fused")
    files = [file for file in inspect(job)["files"] if int(file["size_bytes"]) > 100]
    folder = folder_of(job) / job.checkpoints()[0]["manifest"].split("/")[0]
    victim = folder / files[0]["path"]
    content = bytearray(victim.read_bytes())
    content[50] ^= 1
    victim.write_bytes(content)
    damaged = [file for file in inspect(job, "--verify", code=1)["files"] if file["damage"]]
    assert [file["path"] for file in damaged] == [files[0]["path"]]
    assert "checksum" in damaged[0]["damage"]
    # The job says so, instead of going on with what is wrong.
    job.millrace("job", "restart", "fused")
    wait_until(lambda: job.status()["state"] == "JOB_STATE_FAILED", job.status)
    assert "is damaged" in job.status()["error"]["message"]
    content[50] ^= 1
    victim.write_bytes(content)
    job.millrace("job", "restart", "fused")
    job.wait_for_end()
    job.check()


def goes_on(job, after: int) -> bool:
    # It tries again some times only.
    if job.status()["state"] == "JOB_STATE_FAILED":
        job.millrace("job", "restart", "fused")
    return any(int(checkpoint["epoch"]) > after for checkpoint in job.checkpoints())


def content_of(folder: pathlib.Path) -> dict[pathlib.Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_of_another_cluster_stays_as_it_is(job):
    """It is mounted by mistake while the job runs; the numbers of jobs are the same in all clusters."""
    job.wait_for_checkpoint()
    own = folder_of(job)
    other = own.with_name("other")
    job_folder = job.checkpoints()[0]["manifest"].split("/")[0]
    (other / job_folder / "1-w1").mkdir(parents=True)
    (other / job_folder / "manifest-1-1.pb").write_text("theirs")
    (other / job_folder / "1-w1" / "1.sst").write_text("theirs")
    (other / TOKEN).write_text((own / TOKEN).read_text().replace("token ", "token 0"))
    before = content_of(other)
    # Not in the middle of a checkpoint.
    newest = job.wait_for_checkpoint(int(job.checkpoints()[0]["epoch"]))
    away = own.rename(own.with_name("away"))
    other.rename(own)
    wait_until(lambda: "is another folder" in job.millrace("job", "get", "totals", "--json"), job.status)
    assert content_of(own) == before
    own.rename(other)
    away.rename(own)
    wait_until(lambda: goes_on(job, newest), job.status)
    job.wait_for_end()
    job.check()


def test_a_coordinator_does_not_start_without_the_checkpoints_of_its_jobs(job):
    newest = job.wait_for_checkpoint()
    job.cluster.coordinator.kill()
    away = folder_of(job).rename(folder_of(job).with_name("away"))
    # Its file system is not mounted: an empty folder is in its place.
    folder_of(job).mkdir()
    with pytest.raises(RuntimeError, match=f"checkpoint-dir {folder_of(job)} is not the folder .*\n.*mounted"):
        job.start_coordinator()
    assert list(folder_of(job).iterdir()) == []
    folder_of(job).rmdir()
    away.rename(folder_of(job))
    job.start_coordinator()
    wait_until(lambda: goes_on(job, newest), job.status)
    job.wait_for_end()
    job.check()


def test_going_back_to_a_checkpoint_that_cannot_be_restored_is_refused_and_removes_nothing(job):
    wait_until(lambda: len(job.checkpoints()) == 3 and job.files(), job.status)
    job.millrace("job", "stop", "fused")
    kept = job.checkpoints()
    job_folder = folder_of(job) / kept[0]["manifest"].split("/")[0]
    victim = job_folder / inspect(job, "--epoch", kept[2]["epoch"])["files"][0]["path"]
    away = victim.rename(victim.with_name("away"))
    before = job.files()
    refused = subprocess.run(
        [BUILD / "bin" / "millrace", "job", "restart", "fused", "--checkpoint", kept[2]["epoch"]]
        + ["--server", job.cluster.address],
        check=False,
        capture_output=True,
        text=True,
    )
    assert refused.returncode != 0
    assert f"{victim} is not there" in refused.stderr
    assert (job.files(), job.checkpoints()) == (before, kept)
    assert job.status()["state"] == "JOB_STATE_STOPPED"
    away.rename(victim)
    job.millrace("job", "restart", "fused", "--checkpoint", kept[2]["epoch"])
    job.wait_for_end()
    job.check()


def test_a_dropped_job_leaves_no_checkpoints(job):
    job.wait_for_checkpoint()
    job.millrace("job", "stop", "fused")
    job.millrace("sql", "-c", "DROP TABLE events CASCADE")
    assert list(folder_of(job).glob("job-*")) == []
