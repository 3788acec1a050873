"""What a query may take: memory stays bounded however large the input or slow the reader."""

import os
import pathlib
import threading
import time

import grpc
import pytest
from support.sql_client import message_class, rows_of

RSS_MAX_BYTES = 600 << 20
CSV_BYTES = int(os.environ.get("MILLRACE_TEST_CSV_BYTES", str(4 << 30)))
SLOW_ROWS = 50_000_000


def processes_of(cluster) -> list[int]:
    """The processes of a private cluster: all that name its data folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace") if entry.name.isdigit() else ""
        except OSError:
            continue
        if str(cluster.data_dir) in command:
            found.append(int(entry.name))
    return found


class PeakMemory:
    """The largest resident size of any process of the cluster while the block runs."""

    def __init__(self, cluster):
        self._pids = processes_of(cluster)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.peak_bytes = 0

    def _sample(self):
        page = os.sysconf("SC_PAGE_SIZE")
        while not self._stop.wait(0.05):
            for pid in self._pids:
                try:
                    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
                except OSError:
                    continue
                self.peak_bytes = max(self.peak_bytes, pages * page)

    def __enter__(self):
        assert len(self._pids) >= 3
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()


@pytest.fixture
def large_csv(tmp_path):
    """Rows of about 100 bytes until the file is large enough; every hundredth row has flag 1."""
    path = tmp_path / "large.csv"
    row = "{},{},some text that is only there to be skipped by the reader of the file,{}\n"
    block = "".join(row.format(i, i * 7 % 1000, int(i % 100 == 0)) for i in range(10_000)).encode()
    copies = CSV_BYTES // len(block) + 1
    with path.open("wb") as file:
        file.write(b"id,v,note,flag\n")
        for _ in range(copies):
            file.write(block)
    yield path, copies
    path.unlink()


def test_filtering_a_large_csv_stays_small(cluster, client, large_csv):
    path, copies = large_csv
    with PeakMemory(cluster) as memory:
        rows = rows_of(client.execute(f"SELECT count(*), sum(v) FROM '{path}' WHERE flag = 1"))
    assert rows == [(100 * copies, sum(i * 7 % 1000 for i in range(0, 10_000, 100)) * copies)]
    assert memory.peak_bytes < RSS_MAX_BYTES, f"{memory.peak_bytes >> 20} MiB"


def test_a_slow_client_does_not_fill_the_processes(cluster, client):
    client.execute(f"CREATE TABLE many (k bigint, v bigint) WITH (connector = 'datagen', rows = '{SLOW_ROWS}')")
    request = message_class("millrace.v1.ExecuteRequest")(sql="SELECT k, v FROM many")
    channel = grpc.insecure_channel(cluster.address, options=[("grpc.max_receive_message_length", -1)])
    execute = channel.unary_stream(
        "/millrace.v1.SqlService/Execute",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_class("millrace.v1.ExecuteResponse").FromString,
    )
    rows = 0
    with PeakMemory(cluster) as memory:
        for number, response in enumerate(execute(request, timeout=300)):
            if number < 20:
                time.sleep(0.2)
            if response.WhichOneof("message") == "batch":
                rows += response.batch.rows
    channel.close()
    client.execute("DROP TABLE many")
    assert rows == SLOW_ROWS
    assert memory.peak_bytes < RSS_MAX_BYTES, f"{memory.peak_bytes >> 20} MiB"
