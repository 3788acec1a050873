# The four kinds of build. MILLRACE_KIND replaces CMAKE_BUILD_TYPE: one word fixes optimisation, sanitizers
# and failpoints, so two people who say "debug" mean the same thing.

set(MILLRACE_KIND "debug" CACHE STRING "debug, release, asan or tsan")
set_property(CACHE MILLRACE_KIND PROPERTY STRINGS debug release asan tsan)
set(CMAKE_BUILD_TYPE "" CACHE STRING "not used: see MILLRACE_KIND" FORCE)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

# g++ 12 takes members of a std::variant for uninitialised once a sanitizer has rewritten the code.
set(wrong_in_sanitizers -Wno-maybe-uninitialized)

if(MILLRACE_KIND STREQUAL "debug")
  add_compile_options(-O0 -g1)
  add_compile_definitions(MILLRACE_FAILPOINTS=1)
elseif(MILLRACE_KIND STREQUAL "release")
  # x86-64-v3 (AVX2, BMI2, FMA; every server since 2015) also for g++'s own vectoriser.
  add_compile_options(-O2 -g1 -march=x86-64-v3 -fno-omit-frame-pointer -ffp-contract=off)
  add_compile_definitions(NDEBUG MILLRACE_FAILPOINTS=0)
elseif(MILLRACE_KIND STREQUAL "asan")
  # -fno-sanitize=vptr: it wants the type information of libraries that were built without it.
  add_compile_options(-O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined
    -fno-sanitize=vptr -fno-sanitize-recover=undefined ${wrong_in_sanitizers})
  add_link_options(-fsanitize=address,undefined)
  add_compile_definitions(MILLRACE_FAILPOINTS=1)
elseif(MILLRACE_KIND STREQUAL "tsan")
  add_compile_options(-O1 -g1 -fno-omit-frame-pointer -fsanitize=thread ${wrong_in_sanitizers})
  add_link_options(-fsanitize=thread)
  add_compile_definitions(MILLRACE_FAILPOINTS=1)
else()
  message(FATAL_ERROR "MILLRACE_KIND is '${MILLRACE_KIND}'; it must be debug, release, asan or tsan")
endif()

# Most of a build from nothing is reading headers, over and over: several sources compiled as one take half of the time.
# For builds that happen once; somebody who changes one file is better off without.
option(MILLRACE_UNITY "Compile the sources of a folder eight at a time" OFF)
if(MILLRACE_UNITY)
  set(CMAKE_UNITY_BUILD ON)
  set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
  # To the compiler every source is then a header, whose classes must not hold file-local types.
  add_compile_options(-Wno-subobject-linkage)
endif()

find_program(MILLRACE_CCACHE ccache)
if(MILLRACE_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${MILLRACE_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MILLRACE_CCACHE})
endif()

find_program(MILLRACE_MOLD mold)
if(MILLRACE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
# Libraries that a binary links but does not call are not loaded at start.
add_link_options(-Wl,--as-needed)

# What our own code is compiled with; generated and foreign code is not held to it.
add_library(mr_flags INTERFACE)
target_compile_options(mr_flags INTERFACE -Wall -Wextra -Wshadow -Werror)
target_include_directories(mr_flags INTERFACE ${CMAKE_SOURCE_DIR})
