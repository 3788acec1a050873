"""A project of deploy/docker-compose.yml with names, ports and folders of a test; needs a Docker engine."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "docker-compose.yml"


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
    """One cluster in containers that sees the files of folder/data. Nothing of it is left after down()."""

    def __init__(self, name: str, image: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self._environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": name,
            "MILLRACE_IMAGE": image,
            "MILLRACE_FILES": str(folder / "data"),
            "MILLRACE_PORT": "0",
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

    def up(self, *arguments: str) -> None:
        self.compose("up", "--wait", "--no-build", *arguments)

    def down(self) -> None:
        self.compose("down", "-v", "--timeout", "20")

    @property
    def address(self) -> str:
        return self.compose("port", "coordinator", "7461")

    def config(self) -> dict:
        return json.loads(self.compose("--profile", "kafka", "config", "--format", "json"))

    def containers(self, service: str) -> list[str]:
        return self.compose("ps", "-a", "-q", service).splitlines()

    def network(self) -> str:
        return f"{self.name}_default"


def inspect(container: str, template: str) -> str:
    """One value of `docker inspect`."""
    return docker("inspect", "-f", template, container)
