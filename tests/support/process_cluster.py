"""A coordinator and workers as single processes on loopback, each with failpoints of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

READY = re.compile(rb"^ready (.*)$", re.MULTILINE)
FAILPOINTS = "MILLRACE_FAILPOINTS"


@dataclass
class Process:
    """One running program, and what it said when it was ready."""

    popen: subprocess.Popen[bytes]
    log: Path
    ready: dict[str, str]

    def wait_for_death(self, timeout_s: float = 60.0) -> int:
        return self.popen.wait(timeout_s)

    def freeze(self) -> None:
        """SIGSTOP; returns when the process stands."""
        self.popen.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 60
        while not self.stands():
            assert time.monotonic() < deadline and self.popen.poll() is None, f"it does not stop: {self.log}"
            time.sleep(0.005)

    def stands(self) -> bool:
        """True also if it has stopped by itself: the failpoint action "stop"."""
        try:
            stat = Path(f"/proc/{self.popen.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return stat.rsplit(")", 1)[1].split()[0] == "T"

    def go_on(self) -> None:
        self.popen.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def stop(self, timeout_s: float = 60.0) -> bool:
        """SIGTERM, also for one that stands; False if it had to be killed."""
        if self.popen.poll() is not None:
            return True
        self.popen.send_signal(signal.SIGTERM)
        self.popen.send_signal(signal.SIGCONT)
        try:
            self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True


class ProcessCluster:
    """Starts processes one by one; the system chooses the ports. `failpoints` as in common/base/failpoint.h."""

    START_TIMEOUT_S = 90.0

    def __init__(self, build: Path, folder: Path) -> None:
        self._build = build
        self._folder = folder
        self.folder = folder
        self._num_started = 0
        self.coordinator: Process | None = None
        self.workers: list[Process] = []

    @property
    def address(self) -> str:
        assert self.coordinator is not None
        return self.coordinator.ready["client"]

    def start_coordinator(self, failpoints: str = "", arguments: tuple[str, ...] = ()) -> Process:
        """The data folder stays over restarts, and so do the ports: workers find the next coordinator there."""
        before = self.coordinator.ready if self.coordinator is not None else {}
        self.coordinator = self._start(
            "coordinator",
            [
                "millrace-coordinator",
                *("--listen", before.get("client", "127.0.0.1:0")),
                *("--control-listen", before.get("control", "127.0.0.1:0")),
                *("--data-dir", str(self._folder / "data"), "--allowed-path", "/"),
                *arguments,
            ],
            failpoints,
        )
        return self.coordinator

    def start_worker(
        self, failpoints: str = "", slots: int = 2, name: str = "", arguments: tuple[str, ...] = ()
    ) -> Process:
        """A worker of a name that was there before takes that one's data folder over. Later arguments win."""
        assert self.coordinator is not None
        name = name or f"worker-{self._num_started}"
        worker = self._start(
            name,
            [
                "millrace-worker",
                *("--coordinator", self.coordinator.ready["control"], "--listen", "127.0.0.1:0"),
                *("--slots", str(slots), "--name", name, "--data-dir", str(self._folder / name)),
                # Tests that end do not wait for jobs that go on elsewhere.
                *("--drain-patience", "100 ms"),
                *arguments,
            ],
            failpoints,
            # It may get a task, and be at its failpoint, before it has said that it is ready.
            may_end=failpoints != "",
        )
        self.workers.append(worker)
        return worker

    def _start(self, name: str, command: list[str], failpoints: str, may_end: bool = False) -> Process:
        process = self._spawn(name, command, failpoints)
        self._await_ready(process, may_end)
        return process

    def _spawn(self, name: str, command: list[str], failpoints: str) -> Process:
        self._num_started += 1
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / f"{name}-{self._num_started}.log"
        environment = {key: value for key, value in os.environ.items() if key != FAILPOINTS}
        if failpoints:
            environment[FAILPOINTS] = failpoints
        with log.with_suffix(".out").open("wb") as out_file, log.open("wb") as log_file:
            popen = subprocess.Popen(
                [str(self._build / "bin" / command[0]), *command[1:]],
                stdin=subprocess.PIPE,
                stdout=out_file,
                stderr=log_file,
                env=environment,
            )
        return Process(popen, log, {})

    def _await_ready(self, process: Process, may_end: bool) -> None:
        deadline = time.monotonic() + self.START_TIMEOUT_S
        out = process.log.with_suffix(".out")
        while time.monotonic() < deadline and process.popen.poll() is None:
            ready = READY.search(out.read_bytes())
            if ready:
                words = [word.split("=", 1) for word in ready.group(1).decode().split()]
                process.ready.update({word[0]: word[1] for word in words if len(word) == 2})
                return
            time.sleep(0.02)
        if may_end and process.popen.poll() is not None:
            return
        process.kill()
        log = process.log.read_text(errors="replace")[-4000:]
        raise RuntimeError(f"{process.log.stem} did not start:\n{log}")

    def stop(self) -> list[Path]:
        """Returns the logs of the processes that did not end when they were told to."""
        processes = [*self.workers, *([self.coordinator] if self.coordinator else [])]
        self.workers.clear()
        return [process.log for process in processes if not process.stop()]
