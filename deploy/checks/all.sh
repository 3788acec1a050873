#!/usr/bin/env bash
# Every check of the sources, in under a minute; no build needed. Prints a line for each and all findings.
set -uo pipefail
cd "$(dirname "$0")/../.."
python=.venv/bin/python
[ -x "$python" ] || { echo "all.sh: run deploy/setup.sh first" >&2; exit 2; }

passed=0 failed=0
run() {
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

for check in layers sizes names text_rules sqlstates proto_style docs_links; do
  run "$python" "deploy/checks/$check.py"
done
run "$python" -m pytest deploy/checks/self_test.py
run deploy/checks/format.sh

# What others import is typed; scripts of tests and benchmarks are not.
mypy_over() {
  local files
  mapfile -t files < <(git ls-files --cached --others --exclude-standard \
    deploy/'*.py' tests/sql/'*.py' tests/support/'*.py' client/'*.py')
  MYPYPATH=deploy/checks:tests:tests/sql:client/python "$python" -m mypy "${files[@]}"
}
run mypy_over

echo "checks: $passed passed, $failed failed"
[ "$failed" = 0 ]
