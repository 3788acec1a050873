"""I11: what an epoch costs grows with its changes, not with the state."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.sql_client import rows_of
from support.waiting import wait_until

DEADLINE_S = 120
NUM_KEYS = 1_000_000
NUM_GROUPS = 50_000
CHANGED = 100
ROUNDS = 5

VIEWS = {
    "totals": "SELECT k, count(*) AS n, sum(v) AS s FROM items GROUP BY k",
    "joined": "SELECT i.k, i.v, n.name FROM items i JOIN names n ON i.k = n.k",
    "leaders": """SELECT g, k, v FROM (SELECT g, k, v, row_number() OVER (PARTITION BY g ORDER BY v DESC, k) AS place
                  FROM items) ranked WHERE place <= 3""",
}
# A changed row may touch its group or its partners, the row that it replaces, and the first rows of its group;
# the view sink sees the old and the new row.
TOUCHED_MAX = {"totals": 4 * CHANGED, "joined": 4 * CHANGED, "leaders": 16 * CHANGED}
# The first three rows of each group, in the operator and in the view.
STORED_MIN = {"totals": NUM_KEYS, "joined": NUM_KEYS, "leaders": 6 * NUM_GROUPS}
DELTA_MAX = {"totals": 2 * CHANGED, "joined": CHANGED, "leaders": 2 * CHANGED}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("million")
    keys = pa.array(range(NUM_KEYS), pa.int64())
    groups = pa.array((key % NUM_GROUPS for key in range(NUM_KEYS)), pa.int64())
    values = pa.array((key * 7919 % 1000 for key in range(NUM_KEYS)), pa.int64())
    pq.write_table(pa.table({"k": keys, "g": groups, "v": values}), folder / "items.parquet")
    names = pa.array((f"n{key}" for key in range(NUM_KEYS)), pa.string())
    pq.write_table(pa.table({"k": keys, "name": names}), folder / "names.parquet")
    return folder


@pytest.fixture
def loaded(client, files):
    """Views that hold a million rows, over stored tables that they follow."""
    client.execute("CREATE TABLE items (k bigint, g bigint, v bigint); CREATE TABLE names (k bigint, name text)")
    client.execute(f"COPY items FROM '{files}/items.parquet'; COPY names FROM '{files}/names.parquet'")
    yield client
    for view in VIEWS:
        client.execute(f"DROP MATERIALIZED VIEW IF EXISTS {view}")
    client.execute("DROP TABLE items; DROP TABLE names")


def job_of(client, view):
    return rows_of(client.execute(f"SELECT id FROM millrace.jobs WHERE name = '{view}'"))[0][0]


def touched(client, job):
    """By operator: stored rows touched since the start."""
    return dict(
        rows_of(
            client.execute(
                f"""SELECT operator, CAST(sum(rows_touched) AS bigint) FROM millrace.operators
                    WHERE job_id = {job} GROUP BY operator"""
            )
        )
    )


def settled(client, job):
    """The counters come with heartbeats: waits until they show the newest published epoch in all tasks."""
    behind = f"""SELECT count(*) FROM millrace.tasks WHERE job_id = {job}
                 AND epoch < (SELECT max(epoch) FROM millrace.epochs WHERE job_id = {job})"""
    wait_until(lambda: rows_of(client.execute(behind)) == [(0,)], "counters of the newest epoch")
    return touched(client, job)


@pytest.mark.parametrize("view", VIEWS)
def test_an_epoch_touches_what_has_changed(loaded, view):
    client = loaded
    client.execute(f"CREATE MATERIALIZED VIEW {view} AS {VIEWS[view]}")
    client.execute(f"CALL millrace.wait_for('{view}', 'complete', 'true', '120 s')")
    job = job_of(client, view)
    before = settled(client, job)
    stored = rows_of(
        client.execute(f"SELECT CAST(sum(state_rows) AS bigint) FROM millrace.operators WHERE job_id = {job}")
    )[0][0]
    assert stored >= STORED_MIN[view]
    assert max(before.values()) >= NUM_KEYS // 4
    [(newest,)] = rows_of(client.execute(f"SELECT max(epoch) FROM millrace.epochs WHERE job_id = {job}"))

    for number in range(ROUNDS):
        values = ", ".join(
            f"({key}, {key % NUM_GROUPS}, {2000 + number})"
            for key in range(number * 977, NUM_KEYS, NUM_KEYS // CHANGED)
        )
        client.execute(f"INSERT INTO items VALUES {values}; FLUSH")
        after = settled(client, job)
        grown = {operator: after[operator] - before.get(operator, 0) for operator in after}
        assert max(grown.values()) > 0
        for operator, rows in grown.items():
            assert rows <= TOUCHED_MAX[view], (operator, grown)
        before = after
        epochs = rows_of(
            client.execute(
                f"""SELECT epoch, rows_touched, view_rows_changed FROM millrace.epochs
                    WHERE job_id = {job} AND epoch > {newest} ORDER BY epoch"""
            )
        )
        assert epochs
        for epoch, rows_touched, view_rows_changed in epochs:
            assert rows_touched <= 4 * TOUCHED_MAX[view], epoch
            assert view_rows_changed <= DELTA_MAX[view], epoch
        newest = epochs[-1][0]
