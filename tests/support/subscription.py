"""A reader of SUBSCRIBE that runs beside the test: collects rows as they come, and can be looked at and cancelled."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import grpc
import pyarrow as pa
from support.sql_client import StatementFailed, failure_of, message_class


class Subscription:
    """`rows` are (epoch, weight, columns …) in the order in which they came; `error` says how the call ended."""

    def __init__(self, address: str, sql: str) -> None:
        self.rows: list[tuple] = []
        self.names: list[str] = []
        # How many rows had come at the end of each epoch.
        self.ends: list[int] = []
        self.error: StatementFailed | None = None
        self.tag = ""
        self.pause = threading.Event()
        self.pause.set()
        self._channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
        execute = self._channel.unary_stream(
            "/millrace.v1.SqlService/Execute",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message_class("millrace.v1.ExecuteResponse").FromString,
        )
        self._call = execute(message_class("millrace.v1.ExecuteRequest")(sql=sql), wait_for_ready=True)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        schema = b""
        try:
            for response in self._call:
                self.pause.wait()
                kind = response.WhichOneof("message")
                if kind == "schema":
                    schema = response.schema.ipc_message
                    self.names = [field.name for field in response.schema.schema.fields]
                elif kind == "batch":
                    self._take(pa.ipc.open_stream(pa.BufferReader(schema + response.batch.ipc_message)))
                elif kind == "statement_end":
                    self.tag = response.statement_end.tag
        except grpc.RpcError as error:
            self.error = failure_of(error)

    def _take(self, stream: Any) -> None:
        batch = stream.read_next_batch()
        columns = [column.to_pylist() for column in batch.columns]
        self.rows += zip(*columns, strict=True)
        if batch.num_rows == 0:
            self.ends.append(len(self.rows))

    def ended(self) -> bool:
        return not self._thread.is_alive()

    def complete_rows(self) -> list[tuple]:
        """Those of epochs that have come whole."""
        return self.rows[: self.ends[-1] if self.ends else 0]

    def cancel(self) -> None:
        self.pause.set()
        self._call.cancel()
        self._thread.join(60)
        assert self.ended()
        self._channel.close()


def total_of(rows: list[tuple]) -> Counter:
    """The multiset that changes add up to; a mark (weight 0) takes back what lies above its epoch."""
    changes: list[tuple] = []
    for row in rows:
        if row[1] == 0:
            changes = [change for change in changes if change[0] <= row[0]]
        else:
            changes.append(row)
    total: Counter = Counter()
    for _, weight, *columns in changes:
        total[tuple(columns)] += weight
    return Counter({columns: weight for columns, weight in total.items() if weight != 0})


def totals_by_epoch(rows: list[tuple]) -> dict[int, Counter]:
    """What the changes add up to behind each epoch that has a mark."""
    return {row[0]: total_of(rows[: index + 1]) for index, row in enumerate(rows) if row[1] == 0}
