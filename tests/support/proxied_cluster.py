"""A cluster of single processes that speak to each other through proxies, so that each connection can be troubled."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from pathlib import Path

from support.process_cluster import Process, ProcessCluster
from support.tcp_proxy import TcpProxy


@dataclass
class ProxiedWorker:
    """A worker, the way to its coordinator, and the way to it for data of other workers and the coordinator."""

    name: str
    process: Process
    control: TcpProxy
    data: TcpProxy

    @property
    def alive(self) -> bool:
        return self.process.popen.poll() is None


def listening_address(pid: int, timeout_s: float = 60.0) -> str:
    """The loopback address on which a process listens."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        sockets = set()
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(str(link.readlink()))
            except OSError:
                continue
        # IPv4 addresses of gRPC are in the table of IPv6.
        tables = [Path(f"/proc/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
        for line in itertools.chain(*tables):
            fields = line.split()
            listens = fields[3] == "0A"
            if listens and f"socket:[{fields[9]}]" in sockets:
                return f"127.0.0.1:{int(fields[1].split(':')[1], 16)}"
        time.sleep(0.01)
    raise RuntimeError(f"process {pid} does not listen")


class ProxiedCluster(ProcessCluster):
    """Processes may be killed and started in any order: a worker does not wait for its coordinator, and finds the
    restarted one under the address that its proxy keeps."""

    def __init__(self, build: Path, folder: Path, coordinator_arguments: tuple[str, ...] = ()) -> None:
        super().__init__(build, folder)
        self._coordinator_arguments = (*coordinator_arguments, "--exit-with-parent")
        self.proxied: list[ProxiedWorker] = []

    def start_coordinator(self, failpoints: str = "", arguments: tuple[str, ...] = ()) -> Process:
        process = super().start_coordinator(failpoints, (*self._coordinator_arguments, *arguments))
        for worker in self.proxied:
            worker.control.set_target(process.ready["control"])
        return process

    def start_proxied_worker(self, name: str, failpoints: str = "", slots: int = 2) -> ProxiedWorker:
        """Returns as soon as the worker listens; it may not have registered yet."""
        assert self.coordinator is not None
        control = TcpProxy(self.coordinator.ready["control"])
        data = TcpProxy()
        process = self._spawn(
            name,
            [
                "millrace-worker",
                *("--coordinator", control.address, "--listen", "127.0.0.1:0", "--advertise", data.address),
                *("--slots", str(slots), "--name", name, "--data-dir", str(self._folder / name)),
                *("--exit-with-parent", "--drain-patience", "100 ms"),
            ],
            failpoints,
        )
        self.workers.append(process)
        data.set_target(listening_address(process.popen.pid))
        worker = ProxiedWorker(name, process, control, data)
        self.proxied.append(worker)
        return worker

    @property
    def live_workers(self) -> list[ProxiedWorker]:
        return [worker for worker in self.proxied if worker.alive]

    def kill_coordinator(self) -> None:
        assert self.coordinator is not None
        self.coordinator.kill()
        # Until the next one is there, connecting is refused.
        for worker in self.proxied:
            worker.control.set_target("")

    @property
    def coordinator_alive(self) -> bool:
        return self.coordinator is not None and self.coordinator.popen.poll() is None

    def stop(self) -> list[Path]:
        stuck = super().stop()
        for worker in self.proxied:
            worker.control.close()
            worker.data.close()
        self.proxied.clear()
        return stuck
