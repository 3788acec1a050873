#!/usr/bin/env bash
# A private PostgreSQL 15 for tests, on loopback, as superuser "mr" in database "postgres", without passwords.
#
#   tests/support/postgres.sh start DIR    makes a cluster in DIR (new or empty), prints its port when it is ready
#   tests/support/postgres.sh stop DIR     stops it and removes DIR
set -euo pipefail

usage() { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# = 2 ] || usage
command=$1 dir=$2

bin=${POSTGRES_BIN:-/usr/lib/postgresql/15/bin}
[ -x "$bin/initdb" ] || { echo "postgres.sh: no PostgreSQL 15 in $bin; run deploy/setup.sh" >&2; exit 1; }

# PostgreSQL refuses to run as root; then the user of Debian's package does it.
as=()
if [ "$(id -u)" = 0 ]; then
  as=(setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$dir")
fi

case $command in
  start)
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    if [ "$(id -u)" = 0 ]; then chown postgres:postgres "$dir"; chmod 755 "$dir"; fi
    cd "$dir"
    "${as[@]}" "$bin/initdb" -D "$dir/pg" -U mr -A trust --no-sync -E UTF8 --locale=C.UTF-8 > "$dir/initdb.log" 2>&1 ||
      { cat "$dir/initdb.log" >&2; exit 1; }
    # Another process may take a free port before PostgreSQL does: then try the next one.
    for _ in 1 2 3 4 5; do
      port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
      options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir -c fsync=off -c timezone=UTC"
      if "${as[@]}" "$bin/pg_ctl" -D "$dir/pg" -w -l "$dir/log" -o "$options" start > "$dir/pg_ctl.log" 2>&1; then
        echo "$port"
        exit 0
      fi
    done
    cat "$dir/log" >&2
    exit 1
    ;;
  stop)
    cd "$dir"
    "${as[@]}" "$bin/pg_ctl" -D "$dir/pg" -m immediate -w stop > /dev/null
    cd / && rm -rf "$dir"
    ;;
  *) usage ;;
esac
