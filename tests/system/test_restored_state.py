"""State that moves between workers while it is being read back: kills one after the other, and nothing is lost."""

import pytest
from conftest import BUILD
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until

KEYS = 60_000
RATE = 20_000
ROUNDS = 6


@pytest.fixture
def processes(tmp_path):
    running = ProcessCluster(BUILD, tmp_path / "cluster")
    yield running
    running.stop()


class Job:
    """The view's job; every answer may have to wait for a restart."""

    def __init__(self, client: SqlClient) -> None:
        self.client = client

    def ask(self, query: str) -> list[tuple]:
        def answer():
            try:
                return [rows_of(self.client.execute(query))]
            except StatementFailed as error:
                assert error.sqlstate in ("55000", "08006", "53000"), error
                return []

        return wait_until(answer, query)[0]

    def row(self) -> tuple[str, int, int, int]:
        """(state, attempt, published epoch, durable epoch)"""
        return self.ask("SELECT state, attempt, published_epoch, durable_epoch FROM millrace.jobs WHERE name = 'sums'")[
            0
        ]

    def await_attempt_after(self, attempt: int) -> int:
        """A newer attempt has published something."""

        def newer():
            state, now, published, durable = self.row()
            assert state == "running", state
            return now if now > attempt and published > durable else 0

        return wait_until(newer, lambda: f"an attempt after {attempt}: {self.row()}")

    def await_checkpoint_after(self, epoch: int) -> int:
        return wait_until(lambda: (durable := self.row()[3]) > epoch and durable, "another checkpoint")


def test_kills_while_state_is_being_read_back_lose_nothing(processes, tmp_path):
    rows = "".join(f"{i % KEYS},name-{i % KEYS:08}-{'x' * (i % 7)},{i}\n" for i in range(ROUNDS * KEYS))
    (tmp_path / "input.csv").write_text("id,name,v\n" + rows)
    processes.start_coordinator()
    for _ in range(2):
        processes.start_worker()
    client = SqlClient(processes.address)
    client.execute(
        f"""CREATE TABLE input (id bigint, name text, v bigint)
                WITH (connector = 'file', path = '{tmp_path}/input.csv', rows_per_second = '{RATE}');
            SET epoch_interval = '50 ms'; SET checkpoint_interval = '200 ms';
            CREATE MATERIALIZED VIEW sums AS SELECT id, name, sum(v) AS s, count(*) AS n FROM input GROUP BY id, name"""
    )
    job = Job(client)
    durable = job.await_checkpoint_after(0)
    attempt = job.row()[1]
    # Two workers → one; a kill as soon as the new attempt has begun; one → three; again, at a checkpoint.
    processes.workers.pop().kill()
    attempt = job.await_attempt_after(attempt)
    processes.start_worker()
    processes.workers.pop(0).kill()
    attempt = job.await_attempt_after(attempt)
    for _ in range(2):
        processes.start_worker()
    processes.workers.pop(0).kill()
    attempt = job.await_attempt_after(attempt)
    job.await_checkpoint_after(durable)
    processes.workers.pop(0).kill()
    job.await_attempt_after(attempt)
    job.ask("CALL millrace.wait_for('sums', 'complete', 'true', '120 s')")

    def expected(key):
        mine = range(key, ROUNDS * KEYS, KEYS)
        names = {}
        for i in mine:
            names.setdefault(f"name-{key:08}-{'x' * (i % 7)}", []).append(i)
        return {(key, name): (sum(values), len(values)) for name, values in names.items()}

    rows = job.ask("SELECT id, name, s, n FROM sums")
    seen = {(row[0], row[1]): (row[2], row[3]) for row in rows}
    wanted = {}
    for key in range(KEYS):
        wanted.update(expected(key))
    assert seen == wanted
    assert len(rows) == len(wanted)
    client.close()
