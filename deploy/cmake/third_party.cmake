# One target for each library of others, all called mr_*. Include paths are system paths: their warnings are
# not ours. Everything is Debian 12's package, apart from Arrow (arrow.cmake).

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(RocksDB CONFIG REQUIRED)
find_package(simdjson CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(GTest CONFIG REQUIRED)
find_package(benchmark CONFIG REQUIRED)
include(arrow)

# mr_third_party(name LINK libraries... DEFINES definitions...)
function(mr_third_party name)
  cmake_parse_arguments(arg "" "" "LINK;DEFINES" ${ARGN})
  add_library(${name} INTERFACE IMPORTED GLOBAL)
  target_link_libraries(${name} INTERFACE ${arg_LINK})
  target_compile_definitions(${name} INTERFACE ${arg_DEFINES})
endfunction()

# mr_system_library(name HEADER header LIBS libs...): a package without a CMake configuration.
function(mr_system_library name)
  cmake_parse_arguments(arg "" "HEADER" "LIBS;DEFINES" ${ARGN})
  find_path(${name}_include ${arg_HEADER} REQUIRED)
  set(found "")
  foreach(lib IN LISTS arg_LIBS)
    find_library(${name}_${lib} ${lib} REQUIRED)
    list(APPEND found ${${name}_${lib}})
  endforeach()
  mr_third_party(${name} LINK ${found} DEFINES ${arg_DEFINES})
endfunction()

mr_third_party(mr_absl LINK absl::status absl::statusor absl::strings absl::str_format absl::cord
  absl::flat_hash_map absl::flat_hash_set absl::node_hash_map absl::btree absl::inlined_vector
  absl::span absl::time absl::int128 absl::any_invocable absl::function_ref absl::cleanup absl::hash
  absl::core_headers absl::optional absl::stacktrace absl::symbolize)
mr_third_party(mr_protobuf LINK protobuf::libprotobuf)
mr_third_party(mr_grpc LINK gRPC::grpc++ protobuf::libprotobuf mr_absl)
mr_third_party(mr_grpc_reflection LINK gRPC::grpc++_reflection mr_grpc)
mr_third_party(mr_rocksdb LINK RocksDB::rocksdb-shared)
mr_third_party(mr_simdjson LINK simdjson::simdjson)
mr_third_party(mr_spdlog LINK spdlog::spdlog fmt::fmt DEFINES SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL)
mr_third_party(mr_prometheus LINK prometheus-cpp::core prometheus-cpp::pull)
mr_third_party(mr_openssl LINK OpenSSL::SSL OpenSSL::Crypto)
mr_third_party(mr_benchmark LINK benchmark::benchmark)
mr_third_party(mr_gtest LINK GTest::gmock)
mr_third_party(mr_gtest_main LINK GTest::gmock_main)

mr_system_library(mr_pg_query HEADER pg_query.h LIBS pg_query protobuf-c)
mr_system_library(mr_rdkafka HEADER librdkafka/rdkafka.h LIBS rdkafka)
mr_system_library(mr_re2 HEADER re2/re2.h LIBS libre2.a)
mr_system_library(mr_hwy HEADER hwy/highway.h LIBS hwy)
mr_system_library(mr_httplib HEADER httplib.h LIBS cpp-httplib)
mr_system_library(mr_cli11 HEADER CLI/CLI.hpp)
mr_system_library(mr_tomlplusplus HEADER toml++/toml.h DEFINES TOML_HEADER_ONLY=1)
# Header-only: libpg_query exports XXH symbols of its own.
mr_system_library(mr_xxhash HEADER xxhash.h DEFINES XXH_INLINE_ALL)
find_path(mr_libpq_include libpq-fe.h PATH_SUFFIXES postgresql REQUIRED)
find_library(mr_libpq_pq pq REQUIRED)
mr_third_party(mr_libpq LINK ${mr_libpq_pq})
target_include_directories(mr_libpq INTERFACE ${mr_libpq_include})

# The pyarrow wheel's libraries export copies of other people's code, and the dynamic linker takes the first
# definition it meets, in the order in which an executable names its libraries:
#   libparquet        4,266 functions of OpenSSL's libcrypto, and an own simdjson
#   libarrow_compute  an own, newer RE2
# Without care gRPC's TLS would run in libparquet's OpenSSL, and RE2 would match wrongly (seen: "a+" did not
# match "aaa"). So every executable names libcrypto and libsimdjson before all else, and our RE2 is linked
# statically with hidden symbols. tests/integration/link_order/link_order_test.cc watches this. It is one
# argument because CMake reorders and merges equal ones.
add_library(mr_link_first INTERFACE)
set(mr_first_libraries --push-state --no-as-needed ${OPENSSL_CRYPTO_LIBRARY}
  $<TARGET_FILE:simdjson::simdjson> --pop-state ${mr_re2_libre2.a})
list(JOIN mr_first_libraries "," mr_first_libraries)
target_link_libraries(mr_link_first INTERFACE -Wl,${mr_first_libraries})
target_link_options(mr_link_first INTERFACE LINKER:--exclude-libs,libre2.a)
