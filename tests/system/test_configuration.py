"""docs/reference/configuration.md and the examples in deploy/config name what the programs really know."""

import re
import subprocess
import tomllib

import pytest
from conftest import BUILD, ROOT

FLAG = re.compile(r"^  --(\S+)(?: VALUE)?\s+(.*)$", re.MULTILINE)
ROW = re.compile(r"^\| `([^`]+)` \| (.*) \|$", re.MULTILINE)
# Not settings.
OTHERS = {"config", "version", "help"}


def settings(program: str) -> dict[str, str]:
    shown = subprocess.run([BUILD / "bin" / program, "--help"], capture_output=True, text=True, check=True).stdout
    return {name: text for name, text in FLAG.findall(shown) if name not in OTHERS}


@pytest.mark.parametrize("program", ["millrace-coordinator", "millrace-worker"])
def test_the_reference_has_every_setting_with_the_words_of_help(program):
    text = (ROOT / "docs/reference/configuration.md").read_text()
    section = text.split(f"## {program}\n")[1].split("\n## ")[0]
    assert dict(ROW.findall(section)) == settings(program)


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("coordinator", ["--epoch-interval", "1 us"]),
        ("coordinator", ["--epoch-interval", "1 day"]),
        ("coordinator", ["--heartbeat-interval", "1 us"]),
        ("coordinator", ["--allowed-path", ""]),
        ("worker", ["--advertise", "x:y:z"]),
        ("worker", ["--advertise", "localhost:0"]),
        ("worker", ["--advertise", "localhost:99999"]),
    ],
)
def test_a_setting_out_of_its_bounds_ends_the_start(tmp_path, program, arguments):
    command = [BUILD / "bin" / f"millrace-{program}", "--data-dir", tmp_path / "d", *arguments]
    started = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert started.returncode == 2, started.stderr
    assert arguments[0].removeprefix("--") in started.stderr


@pytest.mark.parametrize("role", ["coordinator", "worker"])
def test_the_example_names_only_settings_also_in_comments(role):
    example = (ROOT / f"deploy/config/{role}.toml").read_text()
    keys = set(tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", example, flags=re.MULTILINE)))
    assert keys and keys <= {name.replace("-", "_") for name in settings(f"millrace-{role}")}
