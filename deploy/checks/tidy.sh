#!/usr/bin/env bash
# clang-tidy, by default over the sources that differ from the branch that this one left (3 to 4 s a file).
#
#   deploy/checks/tidy.sh [--since COMMIT | --all | files...]
set -euo pipefail
cd "$(dirname "$0")/../.."

# A build folder of its own, in which every source is compiled by itself; only the generated headers are made.
build=build/tidy
[ -x .venv/bin/clang-tidy ] || { echo "tidy.sh: run deploy/setup.sh first" >&2; exit 2; }
mkdir -p "$build"
cmake -S . -B "$build" -G Ninja -DMILLRACE_KIND=debug -DMILLRACE_UNITY=OFF \
  -DPython3_EXECUTABLE="$PWD/.venv/bin/python" > "$build/configure.log" 2>&1 ||
  { cat "$build/configure.log" >&2; exit 2; }
ninja -C "$build" mr_proto > "$build/proto.log" 2>&1 || { cat "$build/proto.log" >&2; exit 2; }

case "${1:-}" in
  --all) mapfile -t list < <(git ls-files '*.cc') ;;
  --since) mapfile -t list < <(git diff --name-only --diff-filter=d "$2" -- '*.cc') ;;
  "")
    base=$(git merge-base HEAD origin/main 2>/dev/null || true)
    if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then
      base=$(git rev-parse -q --verify HEAD~1 || true)
    fi
    [ -n "$base" ] || { echo "tidy: nothing to compare with"; exit 0; }
    mapfile -t list < <(git diff --name-only --diff-filter=d "$base" -- '*.cc')
    ;;
  *) list=("$@") ;;
esac
# Files that no target compiles (a folder that is not part of the build) are not looked at.
files=()
for file in "${list[@]}"; do
  grep -qF "\"file\": \"$PWD/$file\"" "$build/compile_commands.json" && files+=("$file")
done
[ ${#files[@]} -gt 0 ] || { echo "tidy: 0 files, ok"; exit 0; }
result=0
printf '%s\0' "${files[@]}" |
  xargs -0 -P "$(nproc)" -n 1 .venv/bin/clang-tidy --quiet -p "$build" 2>/dev/null |
  { ! grep -E '(warning|error):' ; } || result=1
echo "tidy: ${#files[@]} files, $([ $result = 0 ] && echo ok || echo "findings above")"
exit $result
