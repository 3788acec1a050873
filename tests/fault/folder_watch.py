"""Looks at a sink's folder while others write to it: what has its final name is whole, and stays as it is."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet

POLL_S = 0.02


def visible_files(folder: Path) -> list[Path]:
    """What readers see: names that begin with a dot or an underscore are left out, as staged files have."""
    return sorted(path for path in folder.glob("*") if path.name[0] not in "._")


def listed_files(folder: Path) -> list[Path]:
    """What readers by manifests see, each file with the size that its manifest names."""
    files = []
    for path in sorted((folder / "_manifest").glob("[!_]*.json")):
        manifest = json.loads(path.read_text())
        assert path.name == "{cluster}-{job}-{epoch}.json".format(**manifest), manifest
        for file in manifest["files"]:
            size = (folder / file["name"]).stat().st_size
            assert size == file["bytes"], f"{file['name']} has {size} bytes, {path.name} says {file['bytes']}"
            files.append(folder / file["name"])
    assert len(files) == len(set(files)), files
    return sorted(files)


def read_rows(path: Path) -> list[tuple]:
    """The rows of a sink's file, which must be a whole one."""
    if path.suffix == ".parquet":
        table = pyarrow.parquet.read_table(path)
    else:
        assert path.read_bytes().endswith(b"\n"), f"{path} ends in the middle of a line"
        table = pyarrow.csv.read_csv(path, convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True))
    assert table.num_rows > 0, f"{path} has no rows"
    return [tuple(row.values()) for row in table.to_pylist()]


class FolderWatch:
    """Checks a folder again and again in a thread of its own until `stop`, which returns what was wrong."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, bytes] = {}
        self._findings: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> list[str]:
        self._stop.set()
        self._thread.join()
        self._look()
        return self._findings

    def _run(self) -> None:
        while not self._stop.wait(POLL_S):
            self._look()

    def _look(self) -> None:
        try:
            listed_files(self._folder)
        except Exception as error:  # noqa: BLE001  Whatever a reader would run into.
            self._findings.append(f"a manifest promises what is not there: {error}")
        there = set(visible_files(self._folder))
        for path in sorted(set(self._seen) - there):
            self._findings.append(f"{path.name} was visible, and is gone")
            del self._seen[path]
        for path in sorted(there):
            try:
                content = path.read_bytes()
                if path not in self._seen:
                    read_rows(path)
            except Exception as error:  # noqa: BLE001  Whatever a reader would run into.
                self._findings.append(f"{path.name} cannot be read: {error}")
                continue
            if self._seen.setdefault(path, content) != content:
                self._findings.append(f"{path.name} has changed")
                self._seen[path] = content
