"""pytest's side of the .slt runner: every file is one test for each way in which it is run."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from runner.arrival import SHAPES  # noqa: E402
from runner.engine import Engine  # noqa: E402
from runner.file_run import FileRun, FileRunner  # noqa: E402
from runner.slt import rewrite  # noqa: E402

# Each way: number of tasks and format of the loaded tables.
BATCH_WAYS = ("1-csv", "2-parquet", "4-csv")
# What a stream may refuse: a line for each reason, behind the number of cases.
REFUSALS = "view_refusals.txt"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("slt")
    group.addoption(
        "--slt-engine",
        choices=("millrace", "postgres"),
        default="millrace",
        help="postgres: run the files on PostgreSQL, to prove what they expect",
    )
    group.addoption(
        "--slt-mode",
        choices=("batch", "view"),
        default="batch",
        help="view: every query becomes a materialized view that is read back",
    )
    group.addoption(
        "--slt-seed",
        default=1,
        type=int,
        help="views: decides how the rows of the tables arrive",
    )
    group.addoption(
        "--slt-build",
        default=os.environ.get("MILLRACE_BUILD", "build/release"),
        help="folder of the build to test",
    )
    group.addoption(
        "--slt-update",
        action="store_true",
        help="write PostgreSQL's answers into the files (with --slt-engine postgres)",
    )


def view_ways(file: str, seed: int) -> list[str]:
    """The batch's ways, each with a shape of arrival; every file meets every shape."""
    chance = random.Random(f"{seed} {file}")
    shapes = [*SHAPES, chance.choice(SHAPES)]
    chance.shuffle(shapes)
    return [f"{way}-{shape}" for way, shape in zip(BATCH_WAYS, shapes, strict=True)]


class EngineHolder:
    """Starts each engine when it is first needed, and ends all of them with the test run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._engines: dict[str, Engine] = {}

    def get(self, way: str) -> Engine:
        if self._config.getoption("--slt-engine") == "postgres":
            from runner.postgres_engine import PostgresEngine

            if "postgres" not in self._engines:
                self._engines["postgres"] = PostgresEngine()
            return self._engines["postgres"]
        from runner.millrace_engine import MillraceEngine
        from runner.view_engine import ViewEngine

        parallelism, table_format, *shape = way.split("-")
        if "cluster" not in self._engines:
            build = Path(self._config.rootpath / self._config.getoption("--slt-build"))
            seed = self._config.getoption("--slt-seed")
            self._engines["cluster"] = ViewEngine(build, seed) if shape else MillraceEngine(build)
        engine = self._engines["cluster"]
        assert isinstance(engine, MillraceEngine)
        engine.configure(int(parallelism), table_format)
        if isinstance(engine, ViewEngine):
            engine.configure_arrival(*shape)
        return engine

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()
        self._engines.clear()


class SltFailed(Exception):
    """Cases of a file failed; the text lists them."""


class SltItem(pytest.Item):
    def __init__(self, *, way: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.way = way

    def runtest(self) -> None:
        runs: RunLog = self.config.stash[LOG]
        update = self.config.getoption("--slt-update")
        runner = FileRunner(runs.engines.get(self.way), update)
        run = runner.run(self.path, HERE / "cases")
        runs.add(run)
        if update:
            rewrite(self.path, run.rewritten)
        if run.failures:
            raise SltFailed(f"{run.failed} of {run.failed + run.passed} cases\n\n" + "\n\n".join(run.failures))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        if isinstance(excinfo.value, SltFailed):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


class SltFile(pytest.File):
    def collect(self) -> Iterator[SltItem]:
        ways = ["oracle"]
        if self.config.getoption("--slt-engine") == "millrace":
            ways = list(BATCH_WAYS)
            if self.config.getoption("--slt-mode") == "view":
                ways = view_ways(self.path.stem, self.config.getoption("--slt-seed"))
        for way in ways:
            yield SltItem.from_parent(self, name=f"{self.path.stem}[{way}]", way=way)


class RefusalsItem(pytest.Item):
    """What the streams of this run refused is what the file allows, and no more."""

    def runtest(self) -> None:
        allowed: dict[str, int] = {}
        for line in self.path.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                number, reason = line.split(None, 1)
                allowed[reason] = int(number)
        runs: RunLog = self.config.stash[LOG]
        more = [
            f"{len(places)} refused, {allowed.get(reason, 0)} allowed: {reason}\n  " + " ".join(sorted(places))
            for reason, places in sorted(runs.refused.items())
            if len(places) > allowed.get(reason, 0)
        ]
        if more:
            raise SltFailed("\n".join(more))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


class RefusalsFile(pytest.File):
    def collect(self) -> Iterator[RefusalsItem]:
        yield RefusalsItem.from_parent(self, name="refusals")


class RunLog:
    """Counts cases over the whole run."""

    def __init__(self, config: pytest.Config) -> None:
        self.engines = EngineHolder(config)
        self.passed = 0
        self.failed = 0
        self.files = 0
        self.files_failed = 0
        self.files_not_run = 0
        self.undecided = 0
        # By reason: the cases that were refused in at least one way.
        self.refused: dict[str, set[str]] = {}

    def add(self, run: FileRun) -> None:
        self.passed += run.passed
        self.failed += run.failed
        self.files += 1
        self.files_failed += bool(run.failures)
        self.files_not_run += bool(run.required)
        self.undecided += run.undecided
        for reason, places in run.refused.items():
            self.refused.setdefault(reason, set()).update(places)


LOG = pytest.StashKey[RunLog]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LOG] = RunLog(config)


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.File | None:
    if file_path.suffix == ".slt":
        return SltFile.from_parent(parent, path=file_path)
    if file_path.name == REFUSALS and parent.config.getoption("--slt-mode") == "view":
        return RefusalsFile.from_parent(parent, path=file_path)
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # All files of one way together: a way is a change of settings.
    def order(item: pytest.Item) -> tuple[int, str]:
        return (1, "") if isinstance(item, RefusalsItem) else (0, item.way if isinstance(item, SltItem) else "")

    items.sort(key=order)


def pytest_unconfigure(config: pytest.Config) -> None:
    if LOG in config.stash:
        config.stash[LOG].engines.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    log = config.stash[LOG]
    if log.files:
        line = f"slt cases: {log.passed} passed, {log.failed} failed ({log.files_failed} of {log.files} files)"
        if log.files_not_run:
            line += f"; {log.files_not_run} files need what this engine does not have"
        if log.undecided:
            line += f"; {log.undecided} undecided by invented rows"
        refused = set().union(*log.refused.values())
        if refused:
            line += f"; {len(refused)} cases refused"
        terminalreporter.write_line(line)
        for reason, places in sorted(log.refused.items()):
            terminalreporter.write_line(f"  {len(places)} {reason}")
