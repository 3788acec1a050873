"""The test client against a scripted server: what the wire carries arrives as rows, settings and errors."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pyarrow as pa
import pytest
from support.sql_client import SqlClient, StatementFailed, message_class

SCHEMA = pa.schema([("id", pa.int32()), ("name", pa.string())])


def ipc_messages(batch: pa.RecordBatch) -> tuple[bytes, bytes]:
    """The schema message and the batch message, each without the end of the stream."""
    return batch.schema.serialize().to_pybytes(), batch.serialize().to_pybytes()


class ScriptedService(grpc.GenericRpcHandler):
    """Answers every Execute call with the responses of its script."""

    def __init__(self) -> None:
        self.requests: list[Any] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        assert handler_call_details.method == "/millrace.v1.SqlService/Execute"
        return grpc.unary_stream_rpc_method_handler(
            self.execute,
            request_deserializer=message_class("millrace.v1.ExecuteRequest").FromString,
            response_serializer=lambda response: response.SerializeToString(),
        )

    def execute(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        self.requests.append(request)
        response = message_class("millrace.v1.ExecuteResponse")
        if request.sql == "fail":
            detail = message_class("millrace.v1.ErrorDetail")(sqlstate="22012", position=8, hint="do not")
            status = message_class("millrace.v1.RpcStatus")(code=3, message="division by zero")
            status.details.add().Pack(detail)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "division by zero")
        if request.sql.startswith("SET"):
            yield response(statement_start={})
            yield response(setting_changed={"name": "parallelism", "value": "2"})
            yield response(statement_end={"tag": "SET"})
            return
        first = pa.record_batch([pa.array([1, 2], pa.int32()), pa.array(["a", None])], schema=SCHEMA)
        second = pa.record_batch([pa.array([3], pa.int32()), pa.array(["c"])], schema=SCHEMA)
        schema_message, _ = ipc_messages(first)
        fields = [{"name": "id", "type": {"id": 3}}, {"name": "name", "type": {"id": 8}}]
        yield response(statement_start={})
        yield response(schema={"schema": {"fields": fields}, "ipc_message": schema_message})
        for batch in (first, second):
            yield response(batch={"ipc_message": ipc_messages(batch)[1], "rows": batch.num_rows})
        yield response(notice={"message": "careful"})
        yield response(statement_end={"tag": "SELECT", "rows": 3})


@pytest.fixture
def served() -> Iterator[tuple[SqlClient, ScriptedService]]:
    service = ScriptedService()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = SqlClient(f"127.0.0.1:{port}")
    yield client, service
    client.close()
    server.stop(0).wait()


def test_batches_become_rows(served: tuple[SqlClient, ScriptedService]) -> None:
    client, _ = served
    (result,) = client.execute("SELECT")
    assert [batch.num_rows for batch in result.batches] == [2, 1]
    assert pa.Table.from_batches(result.batches).to_pydict() == {"id": [1, 2, 3], "name": ["a", None, "c"]}
    assert (result.tag, result.rows, result.notices) == ("SELECT", 3, ["careful"])


def test_settings_are_kept_for_the_next_statement(served: tuple[SqlClient, ScriptedService]) -> None:
    client, service = served
    client.execute("SET parallelism = 2")
    client.execute("SELECT")
    assert dict(service.requests[-1].settings) == {"parallelism": "2"}


def test_errors_carry_code_position_and_hint(served: tuple[SqlClient, ScriptedService]) -> None:
    client, _ = served
    with pytest.raises(StatementFailed) as failed:
        client.execute("fail")
    error = failed.value
    assert (error.sqlstate, error.message, error.position, error.hint) == ("22012", "division by zero", 8, "do not")
