"""Tests of the runner: one that lets wrong results through would make all cases worthless."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from runner import comparison, slt
from runner.arrival import SHAPES, Arrival, write_arrival
from runner.engine import Query, Refused, Result, SqlError, Table, Undecided
from runner.file_run import FileRun, FileRunner
from runner.text_format import column_texts, format_interval


class ScriptedEngine:
    """Answers each statement from a dictionary."""

    def __init__(self, answers: dict[str, Result | SqlError]) -> None:
        self.names = {"scripted"}
        self.unordered = False
        self.streams_only = False
        self.begun: list[Query] = []
        self._answers = answers
        self.loaded: list[Table] = []

    def begin_file(self) -> None:
        self.loaded.clear()

    def end_file(self) -> None:
        pass

    def load(self, table: Table) -> None:
        self.loaded.append(table)

    def execute(self, sql: str) -> Result:
        answer = self._answers[sql]
        if isinstance(answer, SqlError):
            raise answer
        return answer

    def begin(self, queries: Sequence[Query]) -> None:
        self.begun += queries

    def query(self, query: Query) -> Result:
        return self.execute(query.sql)

    def close(self) -> None:
        pass


def run(tmp_path: Path, text: str, answers: dict[str, Result | SqlError]) -> FileRun:
    path = tmp_path / "case.slt"
    path.write_text(text, encoding="utf-8")
    return FileRunner(ScriptedEngine(answers)).run(path, tmp_path)


def test_right_result_passes_and_wrong_one_fails(tmp_path: Path) -> None:
    text = "query IT\nSELECT a\n----\n1\tx\n2\tNULL\n"
    right = Result("IT", [["1", "x"], ["2", None]])
    wrong = Result("IT", [["1", "x"], ["2", "NULLx"]])
    assert run(tmp_path, text, {"SELECT a": right}).passed == 1
    failed = run(tmp_path, text, {"SELECT a": wrong})
    assert (failed.passed, failed.failed) == (0, 1)
    assert "row 2 differs" in failed.failures[0]


@pytest.mark.parametrize(
    "rows",
    [[], [["1"]], [["1"], ["2"], ["2"]], [["2"], ["1"]]],
    ids=["none", "less", "more", "order"],
)
def test_missing_additional_and_misordered_rows_fail(tmp_path: Path, rows: list[list[str | None]]) -> None:
    result = run(tmp_path, "query I\nQ\n----\n1\n2\n", {"Q": Result("I", rows)})
    assert result.failed == 1


def test_rowsort_compares_without_order(tmp_path: Path) -> None:
    text = "query IR rowsort\nQ\n----\n1\t0.5\n2\t0.25\n"
    rows: list[list[str | None]] = [["2", "0.25000000001"], ["1", "0.5"]]
    assert run(tmp_path, text, {"Q": Result("IR", rows)}).passed == 1


def test_types_are_compared(tmp_path: Path) -> None:
    text = "query I\nQ\n----\n1\n"
    assert run(tmp_path, text, {"Q": Result("N", [["1"]])}).failed == 1


def test_expected_error_needs_code_and_message(tmp_path: Path) -> None:
    text = "statement error 22012 by zero\nQ\n"
    assert run(tmp_path, text, {"Q": SqlError("22012", "division by zero")}).passed == 1
    assert run(tmp_path, text, {"Q": SqlError("22003", "division by zero")}).failed == 1
    assert run(tmp_path, text, {"Q": SqlError("22012", "overflow")}).failed == 1
    assert run(tmp_path, text, {"Q": Result("I", [["1"]])}).failed == 1


def test_failed_preparation_is_a_failure_but_no_case(tmp_path: Path) -> None:
    result = run(tmp_path, "statement ok\nQ\n", {"Q": SqlError("42601", "syntax error")})
    assert (result.passed, result.failed, len(result.failures)) == (0, 0, 1)


def test_conditions_halt_and_require(tmp_path: Path) -> None:
    text = (
        "skipif scripted\nquery I\nA\n----\n1\n\nonlyif other\nquery I\nA\n----\n1\n\n"
        "query I\nB\n----\n1\n\nhalt\n\nquery I\nA\n----\n1\n"
    )
    assert run(tmp_path, text, {"B": Result("I", [["1"]])}).passed == 1
    assert run(tmp_path, "require other\n\nquery I\nA\n----\n1\n", {}).required == "other"


def test_each_engine_may_have_words_of_its_own(tmp_path: Path) -> None:
    answer = Result("I", [["1"]])
    assert run(tmp_path, "query I\nA\n%% scripted\nB\n----\n1\n", {"B": answer}).passed == 1
    assert run(tmp_path, "query I\n%% other\nB\n%% third\nC\n%% scripted\nA\n----\n1\n", {"A": answer}).passed == 1


def test_include_and_hash_threshold(tmp_path: Path) -> None:
    rows: list[list[str | None]] = [[str(number)] for number in range(5)]
    hashed = comparison.hashed(comparison.render(Result("I", rows), "nosort"))
    (tmp_path / "part.slt").write_text(f"query I\nQ\n----\n{hashed}\n", encoding="utf-8")
    assert run(tmp_path, "include part.slt\n", {"Q": Result("I", rows)}).passed == 1
    assert run(tmp_path, "include part.slt\n", {"Q": Result("I", rows[:4])}).failed == 1


@pytest.mark.parametrize(
    "text", ["query Z\nQ\n", "querry I\nQ\n", "statement maybe\nQ\n", "query I\n\nQ\n", "load t\n"]
)
def test_misspelt_records_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(slt.SltSyntaxError):
        run(tmp_path, text, {})


@pytest.mark.parametrize(
    ("letter", "expected", "actual", "same"),
    [
        ("R", "0.1", "0.1000000000001", True),
        ("R", "0.1", "0.1000001", False),
        ("R", "NaN", "NaN", True),
        ("R", "Infinity", "-Infinity", False),
        ("R", "0", "1e-300", False),
        ("N", "1.50", "1.5", True),
        ("N", "1.5", "1.6", False),
        ("N", "0.66666666666666666667", "0.6666666666666667", True),
        ("N", "0.66666666666666666667", "0.6666666666666657", False),
        ("N", "0.67", "0.6666666666666667", False),
        ("I", "1", "1.0", False),
        ("T", "1.0", "1", False),
    ],
)
def test_values_that_count_as_equal(letter: str, expected: str, actual: str, same: bool) -> None:
    assert comparison.same_value(letter, expected, actual) is same


def test_views_are_asked_for_queries_over_tables_only(tmp_path: Path) -> None:
    text = (
        "load t people.csv id integer\n\nstatement error 42601\nBAD\n\nquery I\nSELECT 1\n----\n1\n\n"
        "query I\nSELECT id FROM t\n----\n1\n\nstatement ok\nCREATE TABLE v AS SELECT 1\n\n"
        "query I\nSELECT x FROM v\n----\n1\n"
    )
    one = Result("I", [["1"]])
    engine = ScriptedEngine({"SELECT id FROM t": one, "SELECT x FROM v": one, "CREATE TABLE v AS SELECT 1": Result()})
    engine.streams_only = True
    path = tmp_path / "case.slt"
    path.write_text(text, encoding="utf-8")
    result = FileRunner(engine).run(path, tmp_path)
    assert (result.passed, result.failures) == (2, [])
    assert [query.sql for query in engine.begun] == ["SELECT id FROM t", "SELECT x FROM v"]


def test_refused_queries_are_no_failures_but_counted(tmp_path: Path) -> None:
    result = run(tmp_path, "query I\nQ\n----\n1\n", {"Q": Refused("0A000", "Q is not supported")})
    assert (result.passed, result.failed) == (0, 0)
    assert result.refused == {"Q is not supported": ["case.slt:1"]}
    result = run(tmp_path, "query I\nQ\n----\n1\n", {"Q": Undecided("22012", "division by zero")})
    assert (result.passed, result.failed, result.undecided) == (0, 0, 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_arriving_files_hold_the_rows_of_the_table(tmp_path: Path, shape: str) -> None:
    source = tmp_path / "source.csv"
    rows = [f"{number},x{number},2024-01-01 00:{59 - number:02}:00" for number in range(40)]
    source.write_text("\n".join(["id,name,ts", *rows, "40,,"]) + "\n", encoding="utf-8")
    table = Table("t", source, "id integer, name text, ts timestamp")
    arrival = Arrival(tmp_path / "out", "csv", shape, random.Random(7))
    statements = write_arrival(table, arrival)
    files = sorted(arrival.folder.rglob("*.csv"))
    came = [line.replace('"', "") for path in files for line in path.read_text().splitlines()[1:]]
    if shape == "plain":
        assert sorted(came) == sorted([*rows, "40,,"])
        assert len(statements) == 1 and "WATERMARK FOR ts" in statements[0]
        return
    gone = {line for line in came if "," not in line}
    kept = [line for line in came if "," in line and line.rsplit(",", 1)[1] not in gone]
    assert sorted(line.rsplit(",", 1)[0] for line in kept) == sorted([*rows, "40,,"])
    assert len(gone) == 21 and len(came) == 41 + 2 * 21


def test_rewrite_replaces_results_only(tmp_path: Path) -> None:
    path = tmp_path / "case.slt"
    path.write_text("# note\n\nquery ?\nQ\n\nquery I\nR\n----\n1\n", encoding="utf-8")
    slt.rewrite(path, {3: ("query T", ["x"]), 6: ("query I", ["2", "3"])})
    rewritten = "# note\n\nquery T\nQ\n----\nx\n\nquery I\nR\n----\n2\n3\n"
    assert path.read_text(encoding="utf-8") == rewritten


def test_arrow_values_are_written_as_postgresql_writes_them() -> None:
    columns = {
        "t": pa.array([True, None]),
        "-1 years -2 mons +3 days -04:05:06.5": pa.array([(-14, 3, -14_706_500_000_000)], pa.month_day_nano_interval()),
        "1969-12-31 23:59:59.5": pa.array([-500_000], pa.timestamp("us")),
        "2024-02-29 00:00:00+00": pa.array([1_709_164_800_000_000], pa.timestamp("us", "UTC")),
        "12.50": pa.array(["12.50"]).cast(pa.decimal128(10, 2)),
        "\\x00ff": pa.array([b"\x00\xff"]),
        "x": pa.array(["x"]).dictionary_encode(),
        "1e+20": pa.array([1e20]),
    }
    for text, column in columns.items():
        assert column_texts(column)[0] == text
    assert column_texts(columns["t"])[1] is None
    assert format_interval(0, 0, 0) == "00:00:00"
