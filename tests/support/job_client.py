"""A thin client of millrace.v1.JobService for tests of coordinators that come and go."""

from __future__ import annotations

from typing import Any

import grpc
from support.sql_client import message_class

NO_ANSWER = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.NOT_FOUND)


def job_call(address: str, method: str, **fields: Any) -> Any | None:
    """The answer of JobService's `method` (Submit, Get, …) to a request with these fields; None if the coordinator is
    dead or stands, or knows no such job."""
    name = f"millrace.v1.{method}Job"
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(
            f"/millrace.v1.JobService/{method}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message_class(f"{name}Response").FromString,
        )
        try:
            return call(message_class(f"{name}Request")(**fields), timeout=5)
        except grpc.RpcError as error:
            if error.code() in NO_ANSWER:
                return None
            raise


def state_name(status: Any) -> str:
    """ "RUNNING", "FINISHED", … of a JobStatus."""
    states = message_class("millrace.v1.JobStatus").DESCRIPTOR.fields_by_name["state"].enum_type
    return states.values_by_number[status.state].name.removeprefix("JOB_STATE_")
