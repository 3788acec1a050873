"""Files that nobody reads yet hold event time at their least time, where they tell it, and not for ever."""

import datetime
import time

import pyarrow as pa
import pyarrow.parquet as pq
from support.sql_client import rows_of

ROWS_PER_FILE = 6000
NUM_FILES = 3
RATE = 4000
DEADLINE_S = 60
START = datetime.datetime(2024, 1, 1)


def test_windows_of_the_first_file_close_while_the_others_wait(client, tmp_path):
    for index in range(NUM_FILES):
        begin = index * ROWS_PER_FILE
        pq.write_table(
            pa.table(
                {
                    "id": range(begin, begin + ROWS_PER_FILE),
                    "ts": pa.array(
                        [START + datetime.timedelta(seconds=second) for second in range(begin, begin + ROWS_PER_FILE)],
                        pa.timestamp("ms" if index == 1 else "ns"),
                    ),
                }
            ),
            tmp_path / f"{index}.parquet",
            row_group_size=1000,
        )
    client.execute(
        f"""CREATE TABLE history (id bigint, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '10 seconds')
            WITH (connector = 'file', path = '{tmp_path}/*.parquet', rows_per_second = '{RATE}')"""
    )
    try:
        client.execute("SET parallelism = 1; SET epoch_interval = '50 ms'")
        client.execute(
            """CREATE MATERIALIZED VIEW minutes WITH (emit = 'on_window_close') AS
               SELECT window_start, count(*) AS n FROM tumble(history, ts, INTERVAL '1 minute')
               GROUP BY window_start, window_end"""
        )
        read = "SELECT sum(rows) AS r FROM millrace.positions WHERE job = 'minutes' AND epoch = {}"
        early = False
        deadline = time.monotonic() + DEADLINE_S
        while not early:
            assert time.monotonic() < deadline
            [(epoch,)] = rows_of(client.execute("SELECT published_epoch FROM millrace.jobs WHERE name = 'minutes'"))
            positions = rows_of(client.execute(read.format(epoch)))
            closed = rows_of(client.execute(f"SELECT n FROM minutes AS OF EPOCH {epoch}"))
            early = bool(closed) and 0 < (positions[0][0] or 0) < ROWS_PER_FILE
            assert (positions[0][0] or 0) < NUM_FILES * ROWS_PER_FILE, "no window closed before the last file"
            time.sleep(0.02)
        client.execute("CALL millrace.wait_for('minutes', 'complete', 0, INTERVAL '60 seconds')")
        assert rows_of(client.execute("SELECT count(*) AS w, sum(n) AS n FROM minutes")) == [
            (NUM_FILES * ROWS_PER_FILE // 60, NUM_FILES * ROWS_PER_FILE)
        ]
    finally:
        client.execute("DROP MATERIALIZED VIEW IF EXISTS minutes; DROP TABLE history")
        client.execute("RESET parallelism; RESET epoch_interval")
