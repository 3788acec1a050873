#!/usr/bin/env bash
# Runs every check and every test from nothing, and closes with a line "N passed, N failed".
#
#   tests/run.sh                       all tiers that continuous integration runs: two builds, under an hour on 2 cores
#   tests/run.sh --all                 also unit tests in the release build, clang-tidy, ThreadSanitizer
#   tests/run.sh checks unit sql       only these tiers, and the builds they need
#   tests/run.sh --list                the tiers
#   tests/run.sh --skip asan,fault     all but these
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
deploy/setup.sh
exec .venv/bin/python tests/support/run_tiers.py "$@"
