"""Shared pieces of the tests against a real broker: the broker, a cluster, topics."""

from __future__ import annotations

import itertools
import os
import pathlib
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.dev_cluster import DevCluster  # noqa: E402
from support.kafka_broker import KafkaBroker, NoBroker, fetch_jars  # noqa: E402
from support.kafka_topics import Topics  # noqa: E402
from support.sql_client import SqlClient  # noqa: E402

BUILD = ROOT / "build" / os.environ.get("MILLRACE_BUILD", "release")

_numbers = itertools.count()


# Without a broker nothing here can run; MILLRACE_KAFKA=required makes that an error.
collect_ignore_glob: list[str] = []
try:
    fetch_jars()
except NoBroker as error:
    if os.environ.get("MILLRACE_KAFKA") == "required":
        raise
    print(f"\n*** NO KAFKA BROKER: the tests of tests/kafka are left out: {error}", file=sys.stderr)
    collect_ignore_glob.append("test_*.py")


@pytest.fixture(scope="session")
def broker_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker for all tests; MILLRACE_KAFKA_BROKER=host:port names one that runs already."""
    running = os.environ.get("MILLRACE_KAFKA_BROKER")
    if running:
        yield running
        return
    started = KafkaBroker(tmp_path_factory.mktemp("broker"))
    yield started.address
    started.stop()


@pytest.fixture(scope="session")
def topics(broker_address: str) -> Topics:
    return Topics(broker_address)


@pytest.fixture
def name() -> str:
    """A name of its own for each test: of its topic, and of what it creates."""
    return f"t{os.getpid()}_{next(_numbers)}"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevCluster]:
    """A private cluster of two workers for all tests."""
    running = DevCluster(BUILD, tmp_path_factory.mktemp("cluster"))
    yield running
    running.stop()


@pytest.fixture
def client(cluster: DevCluster) -> Iterator[SqlClient]:
    connection = SqlClient(cluster.address)
    yield connection
    connection.close()
