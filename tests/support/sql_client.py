"""A thin client of millrace.v1.SqlService for tests: the messages come from proto/ itself."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

ROOT = Path(__file__).resolve().parents[2]


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    """All messages of proto/, compiled by the protoc that the build uses."""
    protos = sorted(str(path) for path in (ROOT / "proto").rglob("*.proto"))
    with tempfile.NamedTemporaryFile(suffix=".pb") as out:
        subprocess.run(
            ["protoc", f"-I{ROOT / 'proto'}", "--include_imports", f"-o{out.name}", *protos],
            check=True,
        )
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(out.name).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def message_class(name: str) -> Any:
    """The class of a message, for example message_class("millrace.v1.ExecuteRequest")."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))


class StatementFailed(Exception):
    """A statement failed; `position` counts characters of the text from 1, 0 is unknown."""

    def __init__(self, sqlstate: str, message: str, position: int, hint: str) -> None:
        super().__init__(f"{sqlstate}: {message}")
        self.sqlstate = sqlstate
        self.message = message
        self.position = position
        self.hint = hint


def rows_of(results: list[StatementResult]) -> list[tuple]:
    """The rows of the last statement's result set. Columns may have equal names."""
    return [
        row
        for batch in results[-1].batches
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    ]


@dataclass
class StatementResult:
    """What one statement gave back; without a schema it gave no rows."""

    schema: Any = None
    batches: list[pa.RecordBatch] = field(default_factory=list)
    tag: str = ""
    rows: int = 0
    job_id: str = ""
    notices: list[str] = field(default_factory=list)


class SqlClient:
    """One session: SET statements hold for the statements after them."""

    def __init__(self, address: str, timeout_s: float = 120) -> None:
        self._channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
        self._execute = self._channel.unary_stream(
            "/millrace.v1.SqlService/Execute",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message_class("millrace.v1.ExecuteResponse").FromString,
        )
        self._timeout_s = timeout_s
        self.settings: dict[str, str] = {}
        # What relative paths begin at; empty: the coordinator's.
        self.working_directory = ""

    def execute(self, sql: str, request_id: str = "") -> list[StatementResult]:
        """Runs the statements of a text. Raises StatementFailed."""
        request = message_class("millrace.v1.ExecuteRequest")(
            sql=sql, settings=self.settings, request_id=request_id, working_directory=self.working_directory
        )
        results: list[StatementResult] = []
        schema_message = b""
        try:
            for response in self._execute(request, timeout=self._timeout_s, wait_for_ready=True):
                kind = response.WhichOneof("message")
                if kind == "statement_start" or not results:
                    results.append(StatementResult())
                result = results[-1]
                if kind == "schema":
                    result.schema = response.schema.schema
                    schema_message = response.schema.ipc_message
                elif kind == "batch":
                    stream = pa.BufferReader(schema_message + response.batch.ipc_message)
                    result.batches.append(pa.ipc.open_stream(stream).read_next_batch())
                elif kind == "notice":
                    result.notices.append(response.notice.message)
                elif kind == "statement_end":
                    result.tag = response.statement_end.tag
                    result.rows = response.statement_end.rows
                    result.job_id = response.statement_end.job_id
                elif kind == "setting_changed":
                    self.settings[response.setting_changed.name] = response.setting_changed.value
        except grpc.RpcError as error:
            raise failure_of(error) from None
        return results

    def close(self) -> None:
        self._channel.close()


def failure_of(error: grpc.RpcError) -> StatementFailed:
    """What a failed call says, from the detail in its trailers."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = message_class("millrace.v1.RpcStatus").FromString(value)
            for packed in status.details:
                detail = message_class("millrace.v1.ErrorDetail").FromString(packed.value)
                return StatementFailed(detail.sqlstate, status.message, detail.position, detail.hint)
    return StatementFailed("?????", f"{error.code().name}: {error.details()}", 0, "")
