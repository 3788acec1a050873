"""Runs the tiers of checks and tests, and sums them up. Started by tests/run.sh."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "test-logs"
PYTHON = ROOT / ".venv" / "bin" / "python"
# Where threads meet: what ThreadSanitizer looks at.
TSAN_FOLDERS = (
    "tests/unit/worker/runtime",
    "tests/unit/worker/exchange",
    "tests/unit/worker/state",
    "tests/unit/coordinator/epoch",
    "tests/unit/coordinator/job",
    "tests/unit/coordinator/membership",
    "tests/unit/coordinator/gather",
)
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "LSAN_OPTIONS": f"suppressions={ROOT}/tests/support/lsan.supp:print_suppressions=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "ignore_noninstrumented_modules=1:second_deadlock_stack=1:"
    f"suppressions={ROOT}/tests/support/tsan.supp:history_size=4",
}

PROGRAMS = ("millrace-coordinator", "millrace-worker", "millrace", "millrace-client-example", "millrace_client")

SLT_CASES = re.compile(r"^slt cases: (\d+) passed, (\d+) failed \((\d+) of (\d+) files\)", re.M)


@dataclass
class Outcome:
    """Numbers of a tier, and what a person needs to read if some failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    # Why nothing ran.
    empty: str = ""
    failures: list[str] = field(default_factory=list)

    def fail(self, text: str) -> None:
        self.failed += 1
        self.failures.append(text)

    def add(self, other: Outcome) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures


def run_logged(command: list[str], log: Path, timeout_s: float, environment: dict[str, str] | None = None) -> int:
    """Runs a command with its output in a file; at the deadline ends it and all its children."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            out.write(f"\nended after {timeout_s:.0f} s\n".encode())
            return 124


def tail(log: Path, num_lines: int = 40) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-num_lines:])


def fresh_log(name: str) -> Path:
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    log.write_bytes(b"")
    return log


def checks() -> Outcome:
    log = fresh_log("checks")
    run_logged(["deploy/checks/all.sh"], log, 300)
    outcome = Outcome()
    numbers = re.search(r"checks: (\d+) passed, (\d+) failed", tail(log, 3))
    if not numbers:
        outcome.fail(tail(log))
        return outcome
    outcome.passed = int(numbers.group(1))
    outcome.failed = int(numbers.group(2))
    if outcome.failed:
        outcome.failures.append(tail(log, 60))
    return outcome


def build(kind: str, targets: list[str]) -> Outcome:
    """A build counts as one test: it compiles without a warning."""
    log = fresh_log(f"build-{kind}")
    outcome = Outcome()
    if run_logged(["deploy/build.sh", kind, *targets], log, 45 * 60, {"MILLRACE_UNITY": "1"}) == 0:
        outcome.passed = 1
        return outcome
    lines = log.read_text(errors="replace").splitlines()
    errors = [line for line in lines if re.search(r"error[: ]|FAILED|undefined|ninja:", line)]
    outcome.fail("\n".join(errors[:40]) or tail(log))
    return outcome


def test_folders(tier: str) -> list[str]:
    return sorted(str(path.parent.relative_to(ROOT)) for path in (ROOT / "tests" / tier).rglob("CMakeLists.txt"))


def executable(folder: str) -> str:
    return folder.replace("tests/", "test_", 1).replace("/", "_")


def run_gtest(kind: str, name: str) -> Outcome:
    """Runs one test executable and counts its cases; a crash counts as one failed case more."""
    binary = ROOT / "build" / kind / "bin" / name
    log = fresh_log(f"{kind}-{name}")
    outcome = Outcome()
    if not binary.exists():
        # A folder may hold no sources yet; the build tier tells of real failures.
        sources = list((ROOT / "tests").glob("**/*_test.cc"))
        if any(executable(str(path.parent.relative_to(ROOT))) == name for path in sources):
            outcome.fail(f"{name} was not built")
        return outcome
    report = log.with_suffix(".json")
    report.unlink(missing_ok=True)
    command = [str(binary), f"--gtest_output=json:{report}", "--gtest_brief=1"]
    if kind == "tsan" and shutil.which("setarch"):
        # Its shadow memory does not go with the kernel's widest address randomisation.
        command = ["setarch", "--addr-no-randomize", *command]
    code = run_logged(command, log, 600, SANITIZER_ENVIRONMENT)
    if report.exists():
        counts = json.loads(report.read_text())
        outcome.failed = counts["failures"]
        outcome.skipped = counts.get("disabled", 0)
        outcome.passed = counts["tests"] - counts["failures"] - outcome.skipped
    if code != 0:
        if outcome.failed == 0:
            outcome.failed = 1
        outcome.failures.append(f"{name} ended with {code}\n{tail(log)}")
    return outcome


def gtests(kind: str, folders: list[str]) -> Outcome:
    outcome = Outcome()
    if not folders:
        outcome.empty = "there are no such tests"
        return outcome
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for one in pool.map(lambda folder: run_gtest(kind, executable(folder)), folders):
            outcome.add(one)
    if outcome.passed + outcome.failed == 0:
        outcome.empty = "the folders hold no tests"
    return outcome


def pytest_tier(name: str, folder: str, arguments: list[str], timeout_s: float, kind: str = "release") -> Outcome:
    """Runs the tests of a folder; they find the binaries in $MILLRACE_BUILD/bin."""
    outcome = Outcome()
    has_tests = any(
        path.suffix == ".slt" or re.match(r"test_.*\.py|.*_test\.py", path.name) for path in (ROOT / folder).rglob("*")
    )
    if not has_tests:
        outcome.empty = f"{folder} holds no tests"
        return outcome
    log = fresh_log(name)
    report = log.with_suffix(".xml")
    report.unlink(missing_ok=True)
    command = [str(PYTHON), "-m", "pytest", folder, f"--junitxml={report}", *arguments]
    environment = {**SANITIZER_ENVIRONMENT, "MILLRACE_BUILD": str(ROOT / "build" / kind)}
    code = run_logged(command, log, timeout_s, environment)
    if report.exists():
        suite = next(ElementTree.parse(report).iter("testsuite"))
        outcome.failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        outcome.skipped = int(suite.get("skipped", 0))
        outcome.passed = int(suite.get("tests", 0)) - outcome.failed - outcome.skipped
    cases = SLT_CASES.search(log.read_text(errors="replace"))
    if cases:
        # Each file is one test for pytest; what counts are the cases in it. A file may fail without
        # a failed case, if what prepares its cases fails.
        passed, failed, files_failed, files = map(int, cases.groups())
        outcome.passed += passed - (files - files_failed)
        outcome.failed += max(failed - files_failed, 0)
    if code not in (0, 5) and outcome.failed == 0:
        outcome.failed = 1
    if outcome.failed:
        outcome.failures.append(tail(log, 60))
    return outcome


def docker_tier() -> Outcome:
    """The cluster in containers; the engine is whatever `docker` reaches."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.compose import why_no_engine

    deadline = time.monotonic() + 15 * 60
    while (ROOT / "build" / "docker-engine.starting").exists() and time.monotonic() < deadline:
        time.sleep(1)
    reason = why_no_engine()
    if reason:
        return Outcome(empty=f"LEFT OUT, NOTHING WAS TESTED IN CONTAINERS: {reason}")
    return pytest_tier("docker", "tests/docker", [], 25 * 60)


def changed_tidy() -> Outcome:
    log = fresh_log("tidy")
    outcome = Outcome()
    if run_logged(["deploy/checks/tidy.sh"], log, 20 * 60) == 0:
        outcome.passed = 1
    else:
        outcome.fail(tail(log, 60))
    return outcome


def kafka() -> Outcome:
    """Against a real broker, which the tests start themselves if they can have one."""
    outcome = pytest_tier("kafka", "tests/kafka", [], 20 * 60)
    reason = re.search(r"\*\*\* (NO KAFKA BROKER: .*)", (LOGS / "kafka.log").read_text(errors="replace"))
    if reason and outcome.passed + outcome.failed == 0:
        outcome.empty = reason.group(1)
    return outcome


def test_targets(tier: str) -> list[str]:
    """Names that the build knows: a folder without sources has no target."""
    return [executable(f) for f in test_folders(tier) if list((ROOT / f).glob("*.cc"))]


def tsan_folders() -> list[str]:
    return [folder for folder in TSAN_FOLDERS if list((ROOT / folder).glob("*_test.cc"))]


def tsan_build() -> Outcome:
    targets = [executable(folder) for folder in tsan_folders()]
    return build("tsan", targets) if targets else Outcome(empty="nothing to look at")


def both_gtests(kind: str) -> Outcome:
    return gtests(kind, test_folders("unit") + test_folders("integration"))


# Name, the build it needs, and what it runs. Builds run once, when the first tier wants them.
TIERS: dict[str, tuple[str, Callable[[], Outcome]]] = {
    "checks": ("", checks),
    "unit": ("release", lambda: gtests("release", test_folders("unit"))),
    "integration": ("programs", lambda: gtests("release", test_folders("integration"))),
    "sql": ("programs", lambda: pytest_tier("sql", "tests/sql", [], 20 * 60)),
    "sql-view": (
        "programs",
        lambda: pytest_tier("sql-view", "tests/sql/cases", ["--slt-mode=view"], 20 * 60),
    ),
    "oracle": (
        "",
        lambda: pytest_tier("oracle", "tests/sql/cases", ["--slt-engine=postgres"], 10 * 60),
    ),
    "system": ("programs", lambda: pytest_tier("system", "tests/system", [], 30 * 60)),
    "kafka": ("programs", kafka),
    "tidy": ("", changed_tidy),
    "asan": ("asan", lambda: both_gtests("asan")),
    "fault": ("asan", lambda: pytest_tier("fault", "tests/fault", [], 30 * 60, "asan")),
    "tsan": ("tsan", lambda: gtests("tsan", tsan_folders())),
    # Last: an engine may still be starting.
    "docker": ("programs", docker_tier),
}
# What a run without names leaves out: unit tests run in the asan build there, tidy and tsan look at the same code in
# more detail.
BY_NAME_ONLY = ("unit", "tidy", "tsan")
BUILDS: dict[str, Callable[[], Outcome]] = {
    # The release build without its unit tests: half of the work.
    "programs": lambda: build("release", [*PROGRAMS, *test_targets("integration")]),
    "release": lambda: build("release", ["all"]),
    "asan": lambda: build("asan", ["all"]),
    "tsan": tsan_build,
}


def show(name: str, outcome: Outcome, seconds: float) -> None:
    if outcome.empty:
        print(f"{name:<14} empty: {outcome.empty}", flush=True)
        return
    skipped = f", {outcome.skipped} skipped" if outcome.skipped else ""
    counts = f"{outcome.passed} passed, {outcome.failed} failed{skipped}"
    print(f"{name:<14} {counts:<40} {seconds:7.1f} s", flush=True)
    for failure in outcome.failures:
        print("\n".join("    " + line for line in failure.splitlines()), flush=True)


def run(names: list[str]) -> Outcome:
    total = Outcome()
    built: dict[str, bool] = {}
    wanted = {TIERS[name][0] for name in names}

    def timed(name: str, work: Callable[[], Outcome]) -> Outcome:
        start = time.monotonic()
        outcome = work()
        show(name, outcome, time.monotonic() - start)
        total.add(outcome)
        return outcome

    for name in names:
        kind, work = TIERS[name]
        if kind == "programs" and "release" in wanted:
            kind = "release"
        if kind and kind not in built:
            built[kind] = timed(f"build {kind}", BUILDS[kind]).failed == 0
        if kind and not built[kind]:
            # What could be built is still run: one broken test must not hide the others.
            print(f"{name:<14} runs what the broken {kind} build left", flush=True)
        timed(name, work)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/run.sh")
    parser.add_argument("tiers", nargs="*", metavar="tier", help=", ".join(TIERS))
    parser.add_argument("--all", action="store_true", help=f"also {', '.join(BY_NAME_ONLY)}")
    parser.add_argument("--skip", default="", help="tiers to leave out, with commas between")
    parser.add_argument("--list", action="store_true", help="print the tiers")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{name} (with --all)" if name in BY_NAME_ONLY else name for name in TIERS))
        return 0
    skipped = {name for name in arguments.skip.split(",") if name}
    unknown = (set(arguments.tiers) | skipped) - set(TIERS)
    if unknown:
        parser.error(f"unknown tier {', '.join(sorted(unknown))}; there are {', '.join(TIERS)}")
    usual = [name for name in TIERS if arguments.all or name not in BY_NAME_ONLY]
    names = [name for name in arguments.tiers or usual if name not in skipped]
    start = time.monotonic()
    total = run(names)
    print(f"logs in {LOGS.relative_to(ROOT)}; {time.monotonic() - start:.0f} s", flush=True)
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return 1 if total.failed or total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
