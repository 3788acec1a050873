#!/usr/bin/env bash
# Format of C++ (clang-format) and Python (ruff), pinned in deploy/requirements-dev.txt.
#
#   deploy/checks/format.sh [--fix] [files...]     default: all files of the repository
set -euo pipefail
cd "$(dirname "$0")/../.."

fix=0
if [ "${1:-}" = --fix ]; then fix=1; shift; fi
bin=.venv/bin
[ -x "$bin/clang-format" ] || { echo "format.sh: run deploy/setup.sh first" >&2; exit 2; }

if [ $# -gt 0 ]; then
  list=("$@")
else
  mapfile -t list < <(git ls-files --cached --others --exclude-standard)
fi
cpp=() python=() proto=()
for file in "${list[@]}"; do
  [ -f "$file" ] || continue
  case "$file" in
    *.h | *.cc) cpp+=("$file") ;;
    *.py) python+=("$file") ;;
    *.proto) proto+=("$file") ;;
  esac
done

result=0
if [ $fix = 1 ]; then
  [ ${#cpp[@]} = 0 ] || printf '%s\0' "${cpp[@]}" | xargs -0 -P "$(nproc)" -n 20 "$bin/clang-format" -i
  [ $((${#cpp[@]} + ${#proto[@]})) = 0 ] || "$bin/python" deploy/checks/wrap_comments.py "${cpp[@]}" "${proto[@]}"
  if [ ${#python[@]} -gt 0 ]; then
    "$bin/ruff" check -q --no-cache --fix "${python[@]}" || result=1
    "$bin/ruff" format -q --no-cache "${python[@]}"
  fi
else
  # One line a file instead of clang-format's and ruff's excerpts.
  say='[format] run deploy\/checks\/format.sh --fix'
  none() { sort -u | { ! grep .; }; }
  if [ ${#cpp[@]} -gt 0 ]; then
    printf '%s\0' "${cpp[@]}" | xargs -0 -n 200 "$bin/clang-format" --dry-run --Werror 2>&1 |
      sed -n "s/^\([^: ]*\):.*: error: code should be clang-formatted.*/\1: $say/p" | none || result=1
  fi
  if [ ${#python[@]} -gt 0 ]; then
    "$bin/ruff" check -q --no-cache --output-format concise "${python[@]}" || result=1
    "$bin/ruff" format --no-cache --check "${python[@]}" 2>&1 |
      sed -n "s/^ *--> \([^:]*\).*/\1: $say/p; s/^Would reformat: \(.*\)/\1: $say/p" | none || result=1
  fi
fi
echo "format: $((${#cpp[@]} + ${#python[@]})) files, $([ $result = 0 ] && echo ok || echo "not as they should be")"
exit $result
