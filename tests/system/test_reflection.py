"""The client port describes itself: a tool that has no proto files finds the services and calls them."""

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICES = {"SqlService", "JobService", "CheckpointService", "ClusterService"}
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

# The part of the standard protocol that is used here: name of a field, its number, its message or None for bytes.
PROTOCOL = {
    "Request": [("file_containing_symbol", 4, None), ("list_services", 7, None)],
    "Response": [("file_descriptor_response", 4, "Files"), ("list_services_response", 6, "Services")],
    "Files": [("file_descriptor_proto", 1, None)],
    "Services": [("service", 1, "Service")],
    "Service": [("name", 1, None)],
}


def protocol_class(name):
    file = descriptor_pb2.FileDescriptorProto(name="reflection_of_tests.proto", package="reflection_of_tests")
    kinds = descriptor_pb2.FieldDescriptorProto
    for message, fields in PROTOCOL.items():
        added = file.message_type.add(name=message)
        for field, number, kind in fields:
            repeated = field in ("file_descriptor_proto", "service")
            added.field.add(
                name=field,
                number=number,
                label=kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL,
                type=kinds.TYPE_BYTES if kind is None else kinds.TYPE_MESSAGE,
                type_name=None if kind is None else f".reflection_of_tests.{kind}",
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"reflection_of_tests.{name}"))


def ask(channel, **question):
    call = channel.stream_stream(
        REFLECTION,
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=protocol_class("Response").FromString,
    )
    [answer] = call(iter([protocol_class("Request")(**question)]), timeout=20)
    return answer


def test_a_tool_without_proto_files_finds_the_services_and_calls_them(cluster):
    with grpc.insecure_channel(cluster.address) as channel:
        services = {entry.name.decode() for entry in ask(channel, list_services=b"*").list_services_response.service}
        assert {f"millrace.v1.{name}" for name in SERVICES} <= services
        assert not any(name in service for service in services for name in ("ControlService", "DataService"))

        answer = ask(channel, file_containing_symbol=b"millrace.v1.ClusterService")
        pool = descriptor_pool.DescriptorPool()
        for serialized in answer.file_descriptor_response.file_descriptor_proto:
            pool.AddSerializedFile(serialized)
        method = pool.FindServiceByName("millrace.v1.ClusterService").FindMethodByName("ListWorkers")
        call = channel.unary_unary(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        workers = call(message_factory.GetMessageClass(method.input_type)(), timeout=20).workers
        assert sorted(worker.name for worker in workers) == ["worker-1", "worker-2"]
