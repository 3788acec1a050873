# find_package(millrace_client): the target millrace::millrace_client. Arrow comes from an installed package or,
# without one, from the pyarrow wheel of Python3_EXECUTABLE.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(absl CONFIG)
find_dependency(Protobuf)
find_dependency(gRPC CONFIG)
include(${CMAKE_CURRENT_LIST_DIR}/arrow.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/millrace_client-targets.cmake)
