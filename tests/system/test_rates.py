"""rows_per_second is the rate of all tasks together, however many splits there are."""

import time

import pytest
from support.sql_client import rows_of

RATE = 4000
DEADLINE_S = 60


@pytest.mark.parametrize("num_files", [1, 3, 16])
def test_the_rate_does_not_depend_on_the_number_of_splits(client, tmp_path, num_files):
    num_rows = 4 * RATE
    for index in range(num_files):
        # Files of different length: tasks run out of work at different times.
        share = num_rows * 2 * (index + 1) // (num_files * (num_files + 1))
        (tmp_path / f"{index:02}.csv").write_text("".join(f"{row}\n" for row in range(share)))
    client.execute(
        f"""CREATE TABLE paced (id bigint)
            WITH (connector = 'file', path = '{tmp_path}', format = 'csv', header = false,
                  rows_per_second = '{RATE}')"""
    )
    try:
        client.execute(
            "SET epoch_interval = '50 ms'; CREATE MATERIALIZED VIEW paced_seen AS SELECT count(*) AS n FROM paced"
        )
        seen = []
        deadline = time.monotonic() + DEADLINE_S
        while not seen or seen[-1][1] < num_rows * 0.95:
            assert time.monotonic() < deadline, seen[-3:]
            [(count,)] = rows_of(client.execute("SELECT n FROM paced_seen"))
            seen.append((time.monotonic(), count))
            time.sleep(0.02)
        begin = next(entry for entry in seen if entry[1] >= num_rows * 0.25)
        rate = (seen[-1][1] - begin[1]) / (seen[-1][0] - begin[0])
        assert 0.85 * RATE < rate < 1.15 * RATE, f"{rate:.0f} rows per second"
    finally:
        client.execute("DROP MATERIALIZED VIEW IF EXISTS paced_seen; DROP TABLE paced; RESET epoch_interval")
