#!/usr/bin/env bash
# Lays out in a folder what an image adds to Debian: the three programs, the shared libraries that they load (without
# those of the C library, which Debian has), the example configurations. Everything without symbols.
#
#   deploy/image_tree.sh FOLDER [BUILD]      BUILD: build/release
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  "" | -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
tree=$1
build=${2:-build/release}
programs=(millrace-coordinator millrace-worker millrace)

rm -rf "$tree"
mkdir -p "$tree/opt/millrace/lib" "$tree/etc/ld.so.conf.d" "$tree/etc/millrace"
# Leaves out the path of the build's Python environment, from which the programs have loaded Arrow.
cmake --install "$build" --component programs --prefix "$tree/opt/millrace" --strip > /dev/null
for program in "${programs[@]}"; do
  [ -x "$tree/opt/millrace/bin/$program" ] && continue
  echo "image_tree.sh: $build has no $program; build it first" >&2
  exit 1
done

libraries=$(cd "$build/bin" && ldd "${programs[@]}" | awk '$2 == "=>" {print $3}' | sort -u)
if grep -q '^not' <<< "$libraries"; then
  echo "image_tree.sh: a library is missing: ldd $build/bin/millrace-worker" >&2
  exit 1
fi
while read -r library; do
  case "${library##*/}" in
    libc.so.* | libm.so.* | libdl.so.* | librt.so.* | libpthread.so.* | libresolv.so.*) continue ;;
  esac
  cp -L "$library" "$tree/opt/millrace/lib/"
done <<< "$libraries"
strip --strip-unneeded "$tree"/opt/millrace/lib/*
echo /opt/millrace/lib > "$tree/etc/ld.so.conf.d/000-millrace.conf"
install -m 644 deploy/config/*.toml "$tree/etc/millrace/"
