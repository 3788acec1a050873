"""pytest's side of the .slt runner: every file is one test for each way in which it is run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from runner.engine import Engine  # noqa: E402
from runner.file_run import FileRun, FileRunner  # noqa: E402
from runner.slt import rewrite  # noqa: E402

# Each way: number of tasks and format of the loaded tables.
BATCH_WAYS = (("1", "csv"), ("2", "parquet"), ("4", "csv"))


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
        "--slt-build",
        default=os.environ.get("MILLRACE_BUILD", "build/release"),
        help="folder of the build to test",
    )
    group.addoption(
        "--slt-update",
        action="store_true",
        help="write PostgreSQL's answers into the files (with --slt-engine postgres)",
    )


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

        if "cluster" not in self._engines:
            build = Path(self._config.rootpath / self._config.getoption("--slt-build"))
            self._engines["cluster"] = MillraceEngine(build)
        engine = self._engines["cluster"]
        assert isinstance(engine, MillraceEngine)
        parallelism, table_format = way.split("-")
        engine.configure(int(parallelism), table_format, self._config.getoption("--slt-mode"))
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
            ways = ["-".join(way) for way in BATCH_WAYS]
        for way in ways:
            yield SltItem.from_parent(self, name=f"{self.path.stem}[{way}]", way=way)


class RunLog:
    """Counts cases over the whole run."""

    def __init__(self, config: pytest.Config) -> None:
        self.engines = EngineHolder(config)
        self.passed = 0
        self.failed = 0
        self.files = 0
        self.files_failed = 0
        self.files_not_run = 0

    def add(self, run: FileRun) -> None:
        self.passed += run.passed
        self.failed += run.failed
        self.files += 1
        self.files_failed += bool(run.failures)
        self.files_not_run += bool(run.required)


LOG = pytest.StashKey[RunLog]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LOG] = RunLog(config)


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> SltFile | None:
    if file_path.suffix == ".slt":
        return SltFile.from_parent(parent, path=file_path)
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # All files of one way together: a way is a change of settings.
    items.sort(key=lambda item: item.way if isinstance(item, SltItem) else "")


def pytest_unconfigure(config: pytest.Config) -> None:
    if LOG in config.stash:
        config.stash[LOG].engines.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    log = config.stash[LOG]
    if log.files:
        line = f"slt cases: {log.passed} passed, {log.failed} failed ({log.files_failed} of {log.files} files)"
        if log.files_not_run:
            line += f"; {log.files_not_run} files need what this engine does not have"
        terminalreporter.write_line(line)
