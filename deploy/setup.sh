#!/usr/bin/env bash
# Installs what Millrace needs on Debian 12: packages by apt-get, and a Python environment in .venv.
# It may be run again at any time; when everything is there it takes a second and touches nothing.
#
#   deploy/setup.sh             everything: build, run, tests, checks
#   deploy/setup.sh --minimal   only what building and running need
set -euo pipefail
cd "$(dirname "$0")/.."

minimal=0
for argument in "$@"; do
  case "$argument" in
    --minimal) minimal=1 ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "setup.sh: unknown option $argument (there is --minimal)" >&2; exit 2 ;;
  esac
done

build_packages=(
  g++ cmake ninja-build ccache mold pkg-config python3 python3-venv ca-certificates
  libgrpc++-dev libgrpc-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler libabsl-dev
  librocksdb-dev libpg-query-dev libprotobuf-c-dev librdkafka-dev libpq-dev libsimdjson-dev libre2-dev
  libhwy-dev libxxhash-dev libcli11-dev libtomlplusplus-dev libcpp-httplib-dev prometheus-cpp-dev
  libspdlog-dev libfmt-dev libssl-dev libgtest-dev libgmock-dev libbenchmark-dev
)
test_packages=(git postgresql-15 postgresql-client-15)

packages=("${build_packages[@]}")
requirements=deploy/requirements.txt
if [ "$minimal" = 0 ]; then
  packages+=("${test_packages[@]}")
  requirements=deploy/requirements-dev.txt
fi

missing_packages() {
  local installed package
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
  for package in "${packages[@]}"; do
    grep -qxF -- "$package" <<< "$installed" || echo "$package"
  done
}

install_packages() {
  local as_root=() log
  if ! command -v apt-get > /dev/null; then
    echo "setup.sh: this is not Debian; install the counterparts of: $*" >&2
    exit 1
  fi
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo > /dev/null; then
      echo "setup.sh: neither root nor sudo. Ask your administrator for:  apt-get install $*" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  echo "setup: installing $# packages with apt-get: $*"
  log=$(mktemp)
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q -y)
  if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "$@"; } > "$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "setup.sh: apt-get failed; its whole output is in $log" >&2
    exit 1
  fi
  rm -f "$log"
}

mapfile -t missing < <(missing_packages)
[ "${#missing[@]}" = 0 ] || install_packages "${missing[@]}"

# The stamp holds the requirements that were installed; the full set contains the minimal one.
stamp=.venv/millrace-requirements
wanted=$(cat deploy/requirements.txt "$requirements" | sha256sum | cut -d' ' -f1)
full=$(cat deploy/requirements.txt deploy/requirements-dev.txt | sha256sum | cut -d' ' -f1)
have=$(cat "$stamp" 2>/dev/null || true)
if [ "$have" != "$wanted" ] && [ "$have" != "$full" ]; then
  # A checkout that was moved has an environment whose scripts point to the old place.
  if ! .venv/bin/python -m pip --version > /dev/null 2>&1; then
    echo "setup: creating .venv with $(python3 --version)"
    rm -rf .venv
    python3 -m venv .venv
  fi
  echo "setup: installing the Python packages of $requirements"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements"
  echo "$wanted" > "$stamp"
fi
echo "setup: ready"
