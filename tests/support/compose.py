"""A project of deploy/docker-compose.yml with names, ports and folders of a test; needs a Docker engine."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from pathlib import Path

from support.kafka_broker import free_port

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "docker-compose.yml"
# Stays on the machine: it takes minutes to fetch what is in it.
KAFKA_IMAGE = "millrace-kafka:test"


@functools.cache
def why_no_engine() -> str:
    """Empty if a Docker engine and compose v2 can be used."""
    for command in (["docker", "version", "--format", "{{.Server.Version}}"], ["docker", "compose", "version"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        except OSError as error:
            return f"{command[0]} cannot be run: {error.strerror}"
        except subprocess.TimeoutExpired:
            return f"{' '.join(command)} does not answer"
        if done.returncode != 0:
            return f"{' '.join(command[:2])}: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}"
    return ""


def docker(*arguments: str, timeout_s: float = 300) -> str:
    """Runs docker; its standard output. Raises with its standard error."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr or done.stdout}")
    return done.stdout.strip()


class ComposeProject:
    """One cluster in containers that sees the files of folder/data. Nothing of it is left after down("-v")."""

    def __init__(self, name: str, image: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self._environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": name,
            "MILLRACE_IMAGE": image,
            "MILLRACE_FILES": str(folder / "data"),
            "MILLRACE_PORT": "0",
            "MILLRACE_KAFKA_IMAGE": KAFKA_IMAGE,
            # Clients must know it before the broker starts: it tells them to come back to it.
            "KAFKA_PORT": str(free_port()),
        }

    def compose(self, *arguments: str, timeout_s: float = 300) -> str:
        command = ["docker", "compose", "-f", str(FILE), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False, env=self._environment
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}\n{self.logs()}")
        return done.stdout.strip()

    def logs(self, tail: int = 60) -> str:
        command = ["docker", "compose", "-f", str(FILE), "logs", "--no-color", "--tail", str(tail)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=self._environment
        ).stdout

    def up(self, *arguments: str, profile: str = "") -> None:
        """`profile`: the services of that one, too."""
        chosen = ("--profile", profile) if profile else ()
        self.compose(*chosen, "up", "--wait", "--no-build", *arguments)

    def down(self, *arguments: str) -> None:
        # The workers' own folders have no names: what is kept over `down` must not keep them.
        self.compose("rm", "--stop", "--force", "--volumes", "worker")
        self.compose("--profile", "kafka", "down", "--timeout", "20", *arguments)

    @property
    def address(self) -> str:
        return self.compose("port", "coordinator", "7461")

    @property
    def kafka_address(self) -> str:
        """For clients outside of the containers."""
        return f"127.0.0.1:{self._environment['KAFKA_PORT']}"

    def config(self) -> dict:
        return json.loads(self.compose("--profile", "kafka", "config", "--format", "json"))

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "-a", "-q", service).splitlines()

    def network(self) -> str:
        return f"{self.name}_default"


def inspect(container: str, template: str) -> str:
    """One value of `docker inspect`."""
    return docker("inspect", "-f", template, container)
