"""Shared pieces of the system tests: real processes on loopback."""

import os
import pathlib
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.dev_cluster import DevCluster  # noqa: E402
from support.sql_client import SqlClient  # noqa: E402

BUILD = ROOT / "build" / os.environ.get("MILLRACE_BUILD", "release")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[DevCluster]:
    """A private cluster of two workers for all tests of a file."""
    running = DevCluster(BUILD, tmp_path_factory.mktemp("cluster"))
    yield running
    running.stop()


@pytest.fixture
def client(cluster) -> Iterator[SqlClient]:
    connection = SqlClient(cluster.address)
    yield connection
    connection.close()
