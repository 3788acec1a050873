#!/usr/bin/env bash
# Packs programs that are built already into the image of deploy/Dockerfile: seconds instead of a build from nothing.
# The machine must be a Debian 12 like the image.
#
#   deploy/image.sh [TAG [BUILD]]    default: millrace:local, which deploy/docker-compose.yml runs, from build/release
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
if [ "$(. /etc/os-release && echo "$VERSION_CODENAME")" != bookworm ]; then
  echo "image.sh: programs of this machine do not run on Debian 12; use docker build -f deploy/Dockerfile ." >&2
  exit 1
fi
trap 'rm -rf build/image' EXIT
deploy/image_tree.sh build/image "${2:-build/release}"
docker build -q -f deploy/Dockerfile --build-arg BINARIES=prebuilt -t "${1:-millrace:local}" .
