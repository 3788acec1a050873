# mr_proto: C++ classes and gRPC services of every file under proto/, generated into proto_gen/ of the build
# folder. Include them as "millrace/v1/x.pb.h".

set(millrace_proto_root ${CMAKE_SOURCE_DIR}/proto)
set(millrace_proto_out ${CMAKE_BINARY_DIR}/proto_gen)
find_program(MILLRACE_GRPC_PLUGIN grpc_cpp_plugin REQUIRED)
file(MAKE_DIRECTORY ${millrace_proto_out})
file(GLOB_RECURSE millrace_protos CONFIGURE_DEPENDS RELATIVE ${millrace_proto_root}
  ${millrace_proto_root}/*.proto)

set(millrace_proto_sources "")
foreach(proto IN LISTS millrace_protos)
  string(REGEX REPLACE "\\.proto$" "" stem ${millrace_proto_out}/${proto})
  set(outputs ${stem}.pb.cc ${stem}.pb.h)
  set(plugin "")
  file(STRINGS ${millrace_proto_root}/${proto} service REGEX "^service ")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${millrace_proto_root}/${proto})
  if(service)  # A file without a service has no gRPC code to compile.
    list(APPEND outputs ${stem}.grpc.pb.cc ${stem}.grpc.pb.h)
    set(plugin --grpc_out=generate_mock_code=false:${millrace_proto_out}
      --plugin=protoc-gen-grpc=${MILLRACE_GRPC_PLUGIN})
  endif()
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND protobuf::protoc --proto_path=${millrace_proto_root} --cpp_out=${millrace_proto_out} ${plugin}
      ${millrace_proto_root}/${proto}
    DEPENDS ${millrace_proto_root}/${proto}
    COMMENT "protoc ${proto}" VERBATIM)
  list(APPEND millrace_proto_sources ${outputs})
endforeach()

if(millrace_proto_sources)
  add_library(mr_proto STATIC ${millrace_proto_sources})
  target_include_directories(mr_proto SYSTEM PUBLIC ${millrace_proto_out})
  target_link_libraries(mr_proto PUBLIC mr_grpc mr_protobuf)
  # Generated code is big and not hot (rows travel as bytes): optimising it less shortens a build from nothing.
  set_target_properties(mr_proto PROPERTIES UNITY_BUILD OFF)  # Generated files repeat each other's names.
  target_compile_options(mr_proto PRIVATE -g0 -w $<$<STREQUAL:${MILLRACE_KIND},release>:-O1>)
else()
  add_library(mr_proto INTERFACE)
endif()
