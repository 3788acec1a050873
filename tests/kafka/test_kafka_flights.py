"""The flights job with its live part from a topic gives what it gives from files."""

import pathlib
import re
import subprocess
import sys

import pytest
from support.sql_client import SqlClient, rows_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
STORED = (
    "carrier_history",
    "route_history",
    "carrier_hourly",
    "carrier_sliding",
    "carrier_moving",
    "airport_cumulative",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.getbasetemp().parent / "millrace-flights"
    subprocess.run([sys.executable, ROOT / "deploy/flights_data.py", folder], check=True)
    return folder


def script(example: str, data: pathlib.Path, out: pathlib.Path) -> str:
    text = (ROOT / "docs/examples" / example).read_text()
    text = text.replace("data/flights/out", str(out)).replace("data/flights", str(data))
    # As fast as it goes: the rate is for people who watch.
    return re.sub(r",\s*rows_per_second = '\d+'", "", text)


def results_of(address: str, text: str, out: pathlib.Path) -> dict[str, list[tuple]]:
    """Final query, stored results and files, by name; everything the script has made is dropped again."""
    client = SqlClient(address)
    results = {"final": rows_of(client.execute(text))}
    for name in STORED:
        results[name] = sorted(rows_of(client.execute(f"SELECT * FROM {name}")), key=str)
    files = rows_of(client.execute(f"SELECT * FROM '{out}/hourly/*.parquet'"))
    results["files"] = sorted(files, key=str)
    client.execute("DROP MATERIALIZED VIEW carrier_hourly CASCADE")
    for name in ("carrier_history", "route_history", "hourly_files", "live", "history", "airports", "airlines"):
        client.execute(f"DROP TABLE {name}")
    client.close()
    return results


def test_flights_from_a_topic_equal_flights_from_files(cluster, broker_address, name, data, tmp_path):
    subprocess.run(
        [sys.executable, ROOT / "deploy/flights_to_topic.py", data / "live", broker_address, name], check=True
    )
    from_topic = (
        script("flights_kafka.sql", data, tmp_path / "topic")
        .replace("localhost:9092", broker_address)
        .replace("topic = 'flights'", f"topic = '{name}'")
    )
    actual = results_of(cluster.address, from_topic, tmp_path / "topic")
    expected = results_of(cluster.address, script("flights.sql", data, tmp_path / "files"), tmp_path / "files")
    assert len(expected["final"]) > 50 and len(expected["files"]) > 1000
    for what, rows in expected.items():
        assert len(actual[what]) == len(rows), what
        for mine, theirs in zip(actual[what], rows, strict=True):
            for a, b in zip(mine, theirs, strict=True):
                assert a == (pytest.approx(b, rel=1e-9) if isinstance(b, float) else b), (what, mine, theirs)
