"""EXPLAIN ANALYZE on a real cluster of two workers: what operators, tasks and exchanges have done."""

import collections
import json
import pathlib
import re

import pytest
from support.sql_client import rows_of

NUM_FILES = 24
ROWS_PER_FILE = 3000
NUM_ROWS = NUM_FILES * ROWS_PER_FILE
NUM_KEYS = 1000

QUERIES = {
    "aggregate": "SELECT k, count(*), sum(v) FROM facts GROUP BY k",
    "join": "SELECT a.k, count(*) FROM facts a JOIN facts b ON a.id = b.id GROUP BY a.k",
    "filtered": "SELECT k, count(*) FROM facts WHERE v < 50 GROUP BY k",
    "sorted": "SELECT k, count(*) AS n FROM facts GROUP BY k ORDER BY n DESC, k LIMIT 7",
    "distinct": "SELECT count(DISTINCT id) FROM facts",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("facts")
    for index in range(NUM_FILES):
        first = index * ROWS_PER_FILE
        lines = [f"{row},key{row % NUM_KEYS},{row % 100}" for row in range(first, first + ROWS_PER_FILE)]
        (folder / f"part-{index:02}.csv").write_text("id,k,v\n" + "\n".join(lines) + "\n")
    return folder


@pytest.fixture
def facts(client, files):
    client.execute("DROP TABLE IF EXISTS facts")
    client.execute(
        f"CREATE TABLE facts (id bigint, k text, v integer) WITH (connector = 'file', path = '{files}/*.csv')"
    )
    return client


def nodes_of(root):
    yield root
    for node in root["inputs"]:
        yield from nodes_of(node)


def analyze(client, query):
    return json.loads(rows_of(client.execute(f"EXPLAIN (ANALYZE, FORMAT json) {query}"))[0][0])


def exchange_sums(plan):
    """(exchange, worker) → sums of the tasks' counters."""
    sums = collections.defaultdict(collections.Counter)
    for fragment in plan["fragments"]:
        for task in fragment["tasks"]:
            for exchange in task["exchanges"]:
                key = (exchange["exchange_id"], task["worker"])
                sums[key].update({name: n for name, n in exchange.items() if name != "exchange_id"})
    return sums


@pytest.mark.parametrize("name", QUERIES)
def test_every_task_has_rows_and_every_hash_exchange_crosses_the_workers(facts, name):
    plan = analyze(facts, QUERIES[name])
    sums = exchange_sums(plan)
    num_hash_exchanges = 0
    for fragment in plan["fragments"]:
        assert len(fragment["tasks"]) == fragment["parallelism"]
        for task in fragment["tasks"]:
            assert task["rows_in"] > 0, (fragment["id"], task)
            assert task["rows_out"] > 0, (fragment["id"], task)
        for output in fragment["outputs"]:
            if not output["distribution"].startswith("hash"):
                continue
            num_hash_exchanges += 1
            for worker in (1, 2):
                counted = sums[(output["exchange_id"], worker)]
                assert counted["remote_bytes_out"] > 0, (output, worker, counted)
                assert counted["remote_bytes_in"] > 0, (output, worker, counted)
    assert num_hash_exchanges > 0


@pytest.mark.parametrize("name", QUERIES)
def test_what_is_sent_is_received(facts, name):
    by_exchange = collections.defaultdict(collections.Counter)
    for (exchange, _), counted in exchange_sums(analyze(facts, QUERIES[name])).items():
        by_exchange[exchange].update(counted)
    assert by_exchange
    for exchange, counted in by_exchange.items():
        for what in ("rows", "local_bytes", "remote_bytes"):
            assert counted[f"{what}_in"] == counted[f"{what}_out"], (exchange, what)


@pytest.mark.parametrize("name", QUERIES)
def test_operators_pass_rows_on_without_a_loss(facts, name):
    plan = analyze(facts, QUERIES[name])
    for fragment in plan["fragments"]:
        nodes = {node["id"]: node for node in nodes_of(fragment["root"])}
        for task in fragment["tasks"]:
            counters = {operator["node_id"]: operator for operator in task["operators"]}
            assert counters.keys() == nodes.keys(), (fragment["id"], task["task"])
            for node in nodes.values():
                given = sum(counters[child["id"]]["rows_out"] for child in node["inputs"])
                if node["inputs"]:
                    assert counters[node["id"]]["rows_in"] == given, node["op"]
            assert task["rows_out"] == counters[fragment["root"]["id"]]["rows_out"]
    scans = [
        operator["rows_in"]
        for fragment in plan["fragments"]
        for node in nodes_of(fragment["root"])
        if node["op"] == "Scan"
        for task in fragment["tasks"]
        for operator in task["operators"]
        if operator["node_id"] == node["id"]
    ]
    assert sum(scans) in (NUM_ROWS, 2 * NUM_ROWS), scans


def test_the_text_shows_the_same(facts):
    lines = [line for (line,) in rows_of(facts.execute(f"EXPLAIN ANALYZE {QUERIES['aggregate']}"))]
    text = "\n".join(lines)
    # Every operator, scans and exchanges too.
    operators = [line for line in lines if re.match(r"  +[A-Z]", line)]
    assert any("Scan" in line for line in operators)
    assert any("Exchange" in line for line in operators)
    for line in operators:
        counters = re.search(r"\(in (\d+), out (\d+), [\d.]+ ms; by task in/out ([\d/, ]+)\)$", line)
        assert counters, line
        assert int(counters[1]) > 0 and int(counters[2]) > 0, line
        by_task = [tuple(map(int, pair.split("/"))) for pair in counters[3].split(", ")]
        assert sum(rows for rows, _ in by_task) == int(counters[1]), line
        assert sum(rows for _, rows in by_task) == int(counters[2]), line
        assert all(rows > 0 for pair in by_task for rows in pair), line
    assert f"(in {NUM_ROWS}, out {NUM_ROWS}, " in text
    tasks = re.findall(r"^  task \d+ on worker (\d+): in (\d+), out (\d+), busy [\d.]+ ms$", text, re.M)
    assert {worker for worker, _, _ in tasks} == {"1", "2"}
    assert all(int(rows_in) > 0 and int(rows_out) > 0 for _, rows_in, rows_out in tasks)
    side = r"\d+ rows?, (\d+) bytes local, (\d+) bytes remote"
    exchanges = re.findall(rf"^  exchange to fragment 1, worker (\d): sent {side}; received {side}; ", text, re.M)
    assert [worker for worker, *_ in exchanges] == ["1", "2"]
    assert all(int(count) > 0 for _, *counts in exchanges for count in counts), exchanges
