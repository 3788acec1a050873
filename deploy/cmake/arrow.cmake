# mr_arrow (mr_arrow_core and scalar compute), mr_parquet, mr_arrow_s3.
#
# An installed Arrow with CMake packages comes first. Otherwise Arrow is taken from the pyarrow wheel of the
# Python that configured us: it ships headers and libraries, but no CMake package. The wheel's library folder
# goes into the build's rpath by itself, because the imported targets are shared libraries with a path.

find_package(Arrow CONFIG QUIET)
find_package(Parquet CONFIG QUIET)

if(Arrow_FOUND AND Parquet_FOUND)
  message(STATUS "Arrow ${Arrow_VERSION} from ${Arrow_DIR}")
  add_library(mr_arrow_core INTERFACE IMPORTED GLOBAL)
  target_link_libraries(mr_arrow_core INTERFACE Arrow::arrow_shared)
  add_library(mr_arrow INTERFACE IMPORTED GLOBAL)
  target_link_libraries(mr_arrow INTERFACE mr_arrow_core)
  find_package(ArrowCompute CONFIG QUIET)
  if(TARGET ArrowCompute::arrow_compute_shared)
    target_link_libraries(mr_arrow INTERFACE ArrowCompute::arrow_compute_shared)
  endif()
  add_library(mr_parquet INTERFACE IMPORTED GLOBAL)
  target_link_libraries(mr_parquet INTERFACE Parquet::parquet_shared mr_arrow)
  add_library(mr_arrow_s3 INTERFACE IMPORTED GLOBAL)
  target_link_libraries(mr_arrow_s3 INTERFACE mr_arrow)
  return()
endif()

find_package(Python3 COMPONENTS Interpreter REQUIRED)
execute_process(
  COMMAND ${Python3_EXECUTABLE} -c
    "import pyarrow; print(pyarrow.__version__, pyarrow.get_include(), pyarrow.get_library_dirs()[0], sep=';')"
  OUTPUT_VARIABLE millrace_pyarrow OUTPUT_STRIP_TRAILING_WHITESPACE
  RESULT_VARIABLE millrace_pyarrow_failed ERROR_VARIABLE millrace_pyarrow_error)
if(millrace_pyarrow_failed)
  message(FATAL_ERROR "No installed Arrow and no pyarrow in ${Python3_EXECUTABLE}. Run deploy/setup.sh, or "
    "pass -DPython3_EXECUTABLE=<a Python that has pyarrow>.\n${millrace_pyarrow_error}")
endif()
list(GET millrace_pyarrow 0 millrace_arrow_version)
list(GET millrace_pyarrow 1 millrace_arrow_include)
list(GET millrace_pyarrow 2 millrace_arrow_libs)
message(STATUS "Arrow ${millrace_arrow_version} from the pyarrow wheel in ${millrace_arrow_libs}")

# The wheel's files are called libarrow.so.2600 and the like, without the plain .so link.
function(mr_arrow_component target stem)
  file(GLOB files ${millrace_arrow_libs}/lib${stem}.so.*)
  list(LENGTH files count)
  if(NOT count EQUAL 1)
    message(FATAL_ERROR "expected one lib${stem}.so.* in ${millrace_arrow_libs}, found ${count}")
  endif()
  add_library(${target} SHARED IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES IMPORTED_LOCATION ${files}
    INTERFACE_INCLUDE_DIRECTORIES ${millrace_arrow_include})
endfunction()

mr_arrow_component(mr_arrow_core arrow)
mr_arrow_component(mr_arrow_compute arrow_compute)
mr_arrow_component(mr_parquet_core parquet)
mr_arrow_component(mr_arrow_s3_core arrow_s3)

add_library(mr_arrow INTERFACE IMPORTED GLOBAL)
target_link_libraries(mr_arrow INTERFACE mr_arrow_compute mr_arrow_core)
add_library(mr_parquet INTERFACE IMPORTED GLOBAL)
target_link_libraries(mr_parquet INTERFACE mr_parquet_core mr_arrow)
add_library(mr_arrow_s3 INTERFACE IMPORTED GLOBAL)
target_link_libraries(mr_arrow_s3 INTERFACE mr_arrow_s3_core mr_arrow)
