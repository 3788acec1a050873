# millrace_library, millrace_test, millrace_binary: what a folder's CMakeLists.txt calls. Sources are globbed
# and names come from the path, so a new file or folder needs no edit elsewhere.

# The folder's path with underscores: worker/kernels -> worker_kernels.
function(mr_folder_name out)
  cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE path)
  string(REPLACE "/" "_" name ${path})
  set(${out} ${name} PARENT_SCOPE)
endfunction()

# millrace_library(DEPS targets...): all .cc files of this folder, apart from *_main.cc, as the static library
# mr_<path>. A folder that has headers only becomes an interface library. DEPS are passed on to users.
function(millrace_library)
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  mr_reject_unparsed("millrace_library" "${arg_UNPARSED_ARGUMENTS}")
  mr_folder_name(folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  list(FILTER sources EXCLUDE REGEX "_main\\.cc$")
  if(sources)
    add_library(mr_${folder} STATIC ${sources})
    target_link_libraries(mr_${folder} PRIVATE mr_flags PUBLIC ${arg_DEPS})
    target_include_directories(mr_${folder} PUBLIC ${CMAKE_SOURCE_DIR})
  else()
    add_library(mr_${folder} INTERFACE)
    target_link_libraries(mr_${folder} INTERFACE ${arg_DEPS})
    target_include_directories(mr_${folder} INTERFACE ${CMAKE_SOURCE_DIR})
  endif()
endfunction()

# millrace_test(DEPS targets...): all .cc files of this folder as one GoogleTest executable, test_<path below
# tests>, known to ctest under the same name.
function(millrace_test)
  cmake_parse_arguments(arg "" "" "DEPS" ${ARGN})
  mr_reject_unparsed("millrace_test" "${arg_UNPARSED_ARGUMENTS}")
  mr_folder_name(folder)
  string(REGEX REPLACE "^tests_" "test_" name ${folder})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE mr_link_first mr_flags ${arg_DEPS} mr_gtest_main)
  if(EXISTS ${CMAKE_SOURCE_DIR}/tests/support/CMakeLists.txt AND NOT folder STREQUAL "tests_support")
    target_link_libraries(${name} PRIVATE mr_tests_support)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()

# millrace_binary(NAME name [MAIN file] DEPS targets...): a program. MAIN is needed only where the folder has
# more than one *_main.cc.
function(millrace_binary)
  cmake_parse_arguments(arg "" "NAME;MAIN" "DEPS" ${ARGN})
  mr_reject_unparsed("millrace_binary" "${arg_UNPARSED_ARGUMENTS}")
  if(NOT arg_MAIN)
    file(GLOB arg_MAIN CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_main.cc)
    list(LENGTH arg_MAIN count)
    if(NOT count EQUAL 1)
      message(FATAL_ERROR "millrace_binary(${arg_NAME}): found ${count} files *_main.cc, name one with MAIN")
    endif()
  endif()
  add_executable(${arg_NAME} ${arg_MAIN})
  target_link_libraries(${arg_NAME} PRIVATE mr_link_first mr_flags ${arg_DEPS})
  mr_folder_name(folder)
  if(NOT folder MATCHES "^tests_")
    install(TARGETS ${arg_NAME} RUNTIME DESTINATION bin COMPONENT programs)
  endif()
endfunction()

function(mr_reject_unparsed caller arguments)
  if(arguments)
    message(FATAL_ERROR "${caller}: what is '${arguments}'? Write libraries behind DEPS.")
  endif()
endfunction()
