"""Starts and stops `millrace dev`: a private cluster on loopback, with a data folder of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

READY = re.compile(rb"^ready client=(\S+)$", re.MULTILINE)


class DevCluster:
    """A running cluster. `address` is that of its public API; the system has chosen the ports."""

    START_TIMEOUT_S = 60.0
    STOP_TIMEOUT_S = 20.0

    def __init__(self, build: Path, data_dir: Path, num_workers: int = 2) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir = data_dir
        self._out = data_dir / "dev.out"
        self.log = data_dir / "dev.log"
        binary = build / "bin" / "millrace"
        if not binary.exists():
            raise FileNotFoundError(f"{binary} is not there; run deploy/build.sh first")
        arguments = ["--data-dir", str(data_dir), "--workers", str(num_workers)]
        with self._out.open("wb") as out, self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(binary), "dev", *arguments, "--port", "0", "--control-port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )
        self.address = self._wait_until_ready()

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + self.START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            ready = READY.search(self._out.read_bytes())
            if ready:
                return ready.group(1).decode()
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"millrace dev did not start:\n{self.log_tail()}")

    def log_tail(self, num_lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-num_lines:])

    def kill(self) -> None:
        """SIGKILL: the crash that tests of recovery want."""
        self._process.kill()
        self._process.wait()

    def crash(self) -> None:
        """SIGKILL for every process of the cluster at once, as when the machine goes; returns when they are gone."""
        children = self._children()
        self._process.send_signal(signal.SIGSTOP)  # It must not look after its children any more.
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        self.kill()
        while any(Path(f"/proc/{pid}/exe").exists() for pid in children):
            time.sleep(0.005)

    def _children(self) -> list[int]:
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(self.STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
