"""Shared pieces of the tests in containers, which need a Docker engine."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.compose import why_no_engine  # noqa: E402

BUILD = ROOT / "build" / os.environ.get("MILLRACE_BUILD", "release")


def pytest_configure() -> None:
    reason = why_no_engine()
    if reason:
        pytest.exit(f"LEFT OUT, there is no Docker engine: {reason}", returncode=1)
