"""A Kafka broker for tests and examples: one node (KRaft), on loopback, with its data in a folder of its own.

Its jars come from Maven Central by mvn and are kept in build/kafka, so the first start takes a minute.

From a shell: kafka_broker.py start DIR     prints host:port when it is ready; the broker goes on by itself
              kafka_broker.py stop DIR
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POM = Path(__file__).with_name("kafka") / "pom.xml"
JARS = ROOT / "build" / "kafka"
HEAP_MB = 384

PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},ELSEWHERE://127.0.0.1:{elsewhere},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},ELSEWHERE://{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,ELSEWHERE:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
num.partitions=1
num.network.threads=2
num.io.threads=2
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=16777216
log.retention.ms=-1
"""

LOG4J = """rootLogger.level = WARN
rootLogger.appenderRef.c.ref = C
appender.c.name = C
appender.c.type = CONSOLE
appender.c.layout.type = PatternLayout
appender.c.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1} %m%n
"""


class NoBroker(Exception):
    """A broker cannot be had on this machine; the text says why."""


def fetch_jars() -> None:
    """Makes JARS complete, once."""
    if (JARS / "complete").exists():
        return
    for program in ("mvn", "java"):
        if shutil.which(program) is None:
            raise NoBroker(f"{program} is not installed")
    JARS.mkdir(parents=True, exist_ok=True)
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    done = subprocess.run([*command, f"-DoutputDirectory={JARS}"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoBroker(f"mvn cannot fetch the broker's jars:\n{(done.stdout + done.stderr)[-2000:]}")
    (JARS / "log4j2.properties").write_text(LOG4J)
    (JARS / "complete").touch()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class KafkaBroker:
    """A broker that runs, unless it was stopped; started again it has the same addresses and data."""

    START_TIMEOUT_S = 120.0

    def __init__(self, folder: Path, advertised: str = "elsewhere.example:9092") -> None:
        """`advertised`: where clients that come to `elsewhere` are sent."""
        fetch_jars()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        self._elsewhere_port = free_port()
        self._properties = folder / "server.properties"
        self._properties.write_text(
            PROPERTIES.format(
                controller=free_port(),
                port=self._port,
                elsewhere=self._elsewhere_port,
                advertised=advertised,
                data=folder / "data",
            )
        )
        self._process: subprocess.Popen[bytes] | None = None
        # The identity of a test's broker need not be random.
        self._java("kafka.tools.StorageTool", "format", "-t", "bWlsbHJhY2UtdGVzdHMtMQ", "-c", str(self._properties))
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def elsewhere(self) -> str:
        """A second address that answers, and tells clients to go on to another one than itself."""
        return f"127.0.0.1:{self._elsewhere_port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        assert self._process is None
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command(HEAP_MB), "kafka.Kafka", str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + self.START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.kill()
        raise NoBroker(f"the broker did not start:\n{self.log_tail()}")

    def log_tail(self) -> str:
        return (self._folder / "broker.log").read_text(errors="replace")[-3000:]

    def stop(self) -> None:
        """An orderly end, as an administrator's restart begins."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _command(self, heap_mb: int) -> list[str]:
        return [
            *("java", f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m", "-XX:+UseSerialGC"),
            *("-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*:{JARS}"),
        ]

    def _java(self, *arguments: str) -> None:
        done = subprocess.run([*self._command(128), *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NoBroker(f"{arguments[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1] not in ("start", "stop"):
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[2]).resolve()
    pid_file = folder / "pid"
    if sys.argv[1] == "start":
        try:
            broker = KafkaBroker(folder)
        except NoBroker as error:
            print(error, file=sys.stderr)
            return 1
        pid_file.write_text(str(broker.pid))
        print(broker.address)
        return 0
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}/exe").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
