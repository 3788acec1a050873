"""A cluster as users start it by hand: from the example configurations, with folders and ports of a test."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

from support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
READY = re.compile(rb"^ready (.*)$", re.MULTILINE)


class Program:
    """One running program of the cluster."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        self._out = log.with_suffix(".out")
        with self._out.open("wb") as out, log.open("wb") as err:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def ready(self, deadline_s: float = 90) -> dict[str, str]:
        """The fields of its ready line."""

        def line() -> re.Match[bytes] | None:
            if self.popen.poll() is not None:
                raise RuntimeError(f"it ended with {self.popen.returncode}:\n{self.text()}")
            return READY.search(self._out.read_bytes())

        found = wait_until(line, self.text, deadline_s)
        assert found
        return dict(word.split("=", 1) for word in found.group(1).decode().split())

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def send(self, number: int) -> None:
        self.popen.send_signal(number)

    def wait(self, deadline_s: float = 90) -> int:
        return self.popen.wait(deadline_s)

    def kill(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()


class ConfiguredCluster:
    """Processes that read deploy/config/; what a machine would differ in is set by flags."""

    def __init__(self, build: Path, folder: Path) -> None:
        self._build = build
        self.folder = folder
        self.data_dir = folder / "data"
        self.checkpoint_dir = folder / "checkpoints"
        self._programs: list[Program] = []
        self.coordinator: Program | None = None
        # Kept over restarts of the coordinator, once the system has chosen them.
        self.address = "127.0.0.1:0"
        self.control = "127.0.0.1:0"
        folder.mkdir(parents=True, exist_ok=True)

    def start_coordinator(self, *arguments: str) -> Program:
        self.coordinator = self._start(
            "coordinator",
            *("--listen", self.address, "--control-listen", self.control),
            *("--data-dir", str(self.data_dir), "--checkpoint-dir", str(self.checkpoint_dir)),
            *("--allowed-path", "/", *arguments),
        )
        ready = self.coordinator.ready()
        self.address, self.control = ready["client"], ready["control"]
        return self.coordinator

    def start_worker(self, name: str, *arguments: str) -> Program:
        """The worker may be refused: ask for its ready line."""
        return self._start(
            "worker",
            *("--coordinator", self.control, "--listen", "0.0.0.0:0", "--name", name, "--slots", "2"),
            *("--data-dir", str(self.folder / name), *arguments),
        )

    def _start(self, role: str, *arguments: str) -> Program:
        log = self.folder / f"{role}-{len(self._programs)}.log"
        command = [str(self._build / "bin" / f"millrace-{role}"), "--config", f"{ROOT}/deploy/config/{role}.toml"]
        program = Program([*command, *arguments], log)
        self._programs.append(program)
        return program

    def cli(self, *arguments: str, server: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(self._build / "bin" / "millrace"), *arguments, "--server", server or self.address]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def workers(self) -> dict[int, dict]:
        """What the coordinator knows of its workers, by id."""
        listed = self.cli("worker", "list", "--json")
        assert listed.returncode == 0, listed.stderr
        return {row["worker_id"]: row for row in map(json.loads, listed.stdout.splitlines())}

    def state_of(self, worker: int) -> str:
        return self.workers()[worker]["state"].removeprefix("WORKER_STATE_").lower()

    def stop(self) -> None:
        for program in reversed(self._programs):
            if program.popen.poll() is None:
                os.kill(program.popen.pid, signal.SIGKILL)
            program.popen.wait()
