#!/usr/bin/env python3
"""Every benchmark of the cluster, one after the other, and one table of goals and figures.

Usage: tests/bench/cluster.py [--only NAME …] [--rounds N] [--build build/release] [--json FILE]

Each is a script of its own and can be run alone. Run it on a quiet machine: the load is printed with the table.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile

from harness import Figure, finish, options, print_load

SCRIPTS = ("stream", "topic", "exchange", "recovery", "small_query", "idle")
FOLDER = pathlib.Path(__file__).parent


def main() -> int:
    parser = options(__doc__, rounds=0)
    parser.add_argument("--only", choices=SCRIPTS, action="append", help="only this one; may be repeated")
    flags = parser.parse_args()

    load = print_load()
    figures: list[Figure] = []
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for script in flags.only or SCRIPTS:
            print(f"\n== {script} ==", flush=True)
            report = pathlib.Path(folder) / f"{script}.json"
            command = [sys.executable, FOLDER / f"{script}.py", "--build", flags.build, "--json", report]
            if flags.rounds > 0:
                command += ["--rounds", str(flags.rounds)]
            if subprocess.run(command, check=False).returncode != 0 or not report.exists():
                failed.append(script)
                continue
            figures += [Figure(**figure) for figure in json.loads(report.read_text())["figures"]]
    print(f"\nload before the start {load:.2f}")
    finish(flags, load, figures)
    for script in failed:
        print(f"FAILED: {script}.py gave no figures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
