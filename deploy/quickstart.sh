#!/usr/bin/env bash
# From a fresh Debian 12 machine to a first result: installs what is missing, builds, brings the example data, runs the
# flights job on a private cluster of one coordinator and two workers, and shows where its results lie.
#
#   deploy/quickstart.sh
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*" >&2; }

step "1/4 packages and build (the first time takes about 15 minutes)"
./deploy/setup.sh --minimal
MILLRACE_UNITY=1 ./deploy/build.sh release millrace millrace-coordinator millrace-worker

step "2/4 data: every flight that left New York in 2013"
.venv/bin/python deploy/flights_data.py data/flights

step "3/4 the flights job: ten months of history, two months live, one answer over both"
rm -rf data/flights/out
started=$(date +%s)
build/release/bin/millrace run docs/examples/flights.sql --workers 2
printf 'took %s s\n' "$(($(date +%s) - started))" >&2

step "4/4 where the stored results lie"
cat >&2 <<'TEXT'
  tables    carrier_history, route_history              in the private cluster (it ended with the script)
  files     data/flights/out/carrier_history.parquet
            data/flights/out/route_history.parquet
            data/flights/out/hourly/*.parquet           written by the stream, an hour at a time
  views     carrier_hourly, carrier_sliding, carrier_moving, airport_cumulative

What to try next, on a cluster that stays:
  build/release/bin/millrace dev                                  # in one terminal
  rm -r data/flights/out                                          # else the INSERT adds its hours to those of this run
  build/release/bin/millrace job submit docs/examples/flights.sql --name flights
  build/release/bin/millrace job watch flights                    # steps, tasks, rows, watermarks
  build/release/bin/millrace sql -c 'SELECT * FROM carrier_hourly ORDER BY window_start DESC LIMIT 5'
TEXT
