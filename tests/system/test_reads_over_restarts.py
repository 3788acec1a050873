"""Statements read a view while its job is restarted: what was planned for the attempt before begins again."""

import threading

from support.job_client import job_call
from support.sql_client import SqlClient, rows_of
from support.waiting import wait_until

NUM_RESTARTS = 8
QUERY = "SELECT count(*) AS rows, count(DISTINCT a.id) AS ids FROM seen a JOIN seen b ON a.id = b.id"


class Reader(threading.Thread):
    """Runs a statement again and again; an error is kept and ends it."""

    def __init__(self, address, sql):
        super().__init__()
        self.done = 0
        self.error = None
        self.over = threading.Event()
        self._client = SqlClient(address)
        self._sql = sql
        self.start()

    def run(self):
        try:
            while not self.over.is_set():
                for rows, ids in rows_of(self._client.execute(self._sql)):
                    assert rows == ids, "a row came twice"
                self.done += 1
        except Exception as error:  # noqa: BLE001  for the thread that joins
            self.error = error
        finally:
            self._client.close()


def test_statements_read_a_view_while_its_job_is_restarted(cluster, client):
    client.execute(
        """CREATE TABLE endless (id bigint) WITH (connector = 'datagen', rows_per_second = '200',
                                                  "id.kind" = 'sequence');
           SET checkpoint_interval = '300 ms'; SET parallelism = 4;
           CREATE MATERIALIZED VIEW seen AS SELECT id FROM endless;
           CREATE TABLE snapshots (rows bigint, ids bigint)"""
    )
    readers = [Reader(cluster.address, sql) for sql in (QUERY, QUERY, f"INSERT INTO snapshots {QUERY}")]
    try:
        for restart in range(NUM_RESTARTS):
            before = [reader.done for reader in readers]
            # It may take longer than the call has time for.
            wait_until(
                lambda restart=restart: (
                    job_call(cluster.address, "Restart", job="seen", request_id=f"restart-{restart}") is not None
                ),
                f"restart {restart}",
            )
            wait_until(
                lambda before=before: all(r.error or r.done > n for r, n in zip(readers, before, strict=True)),
                "all read again",
            )
    finally:
        for reader in readers:
            reader.over.set()
        for reader in readers:
            reader.join()
    assert [reader.error for reader in readers] == [None] * len(readers)
    assert rows_of(client.execute("SELECT count(*) FROM snapshots WHERE rows <> ids")) == [(0,)]
    client.execute("DROP TABLE snapshots; DROP MATERIALIZED VIEW seen; DROP TABLE endless")
