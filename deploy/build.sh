#!/usr/bin/env bash
# Configures and builds into build/<kind>; the programs are then in build/<kind>/bin.
#
#   deploy/build.sh [release|debug|asan|tsan] [targets...]     default: release, the programs
#   deploy/build.sh debug all                                  everything, tests too
#
# MILLRACE_JOBS sets the number of parallel compilations (default: one a core, at most one for each 2 GB).
# MILLRACE_UNITY=1 makes a new build folder that compiles several sources as one: half of the time from nothing,
# but more to do after each change.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=release
case "${1:-}" in
  release | debug | asan | tsan) kind=$1; shift ;;
  -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
targets=("$@")
[ "${#targets[@]}" -gt 0 ] || targets=(millrace-coordinator millrace-worker millrace millrace-client-example)

deploy/setup.sh --minimal

jobs=${MILLRACE_JOBS:-}
if [ -z "$jobs" ]; then
  jobs=$(nproc)
  memory_jobs=$(awk '/MemTotal/ {print int($2 / 2097152)}' /proc/meminfo)
  [ "$memory_jobs" -ge "$jobs" ] || jobs=$memory_jobs
  [ "$jobs" -ge 1 ] || jobs=1
fi

export CCACHE_SLOPPINESS=pch_defines,time_macros
folder=build/$kind
if [ ! -f "$folder/build.ninja" ] || [ "$folder/CMakeCache.txt" -ot .venv/millrace-requirements ]; then
  mkdir -p "$folder"
  if ! cmake -S . -B "$folder" -G Ninja -DMILLRACE_KIND="$kind" \
      -DMILLRACE_UNITY="${MILLRACE_UNITY:-0}" \
      -DPython3_EXECUTABLE="$PWD/.venv/bin/python" > "$folder/configure.log" 2>&1; then
    tail -n 40 "$folder/configure.log" >&2
    exit 1
  fi
fi
ninja -C "$folder" -j "$jobs" "${targets[@]}"
