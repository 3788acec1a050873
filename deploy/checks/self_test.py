"""Tests of the checks: one that overlooks what it should find is worse than none."""

from __future__ import annotations

import cpp_scan
import docs_links
import layers
import names
import pytest
import sizes
import text_rules
from wrap_comments import wrap_file

SOURCE = """
#include "a.h"
namespace millrace {
namespace {
constexpr char kText[] = R"sql(SELECT { FROM ( )sql";
template <typename T>
absl::StatusOr<std::vector<T>> Table::Find(int a, std::map<int, int> b, T c) const {
  // A brace { in a comment, and one in a "string }".
  for (int i = 0; i < 1'000; ++i) {
    if (a) {
      while (b) { switch (c) { case '{': { return; } } }
    }
  }
}
}  // namespace
class Pair {
 public:
  int first() const { return first_; }
};
}  // namespace millrace
"""


def test_functions_are_measured() -> None:
    found = {function.name: function for function in cpp_scan.functions(SOURCE)}
    assert set(found) == {"Table::Find", "first"}
    find = found["Table::Find"]
    assert (find.line, find.num_lines, find.num_parameters, find.nesting) == (6, 9, 3, 4)


def test_function_limits_are_applied() -> None:
    long = cpp_scan.Function("F", 1, sizes.FUNCTION_LINES_MAX + 1, 6, 4)
    rules = {finding.rule for finding in sizes.check_functions("worker/x.cc", [long])}
    assert rules == {"function-lines", "parameters", "nesting"}


def test_wide_lines_are_found_but_not_those_that_cannot_be_broken() -> None:
    assert sizes.check_columns("common/x.h", "a b " * 30)
    assert not sizes.check_columns("common/x.h", "// " + "x" * 120)


def test_cycles_between_folders_are_found() -> None:
    acyclic = {"a": {"b": "a/x.h:1"}, "b": {"c": "b/x.h:1"}}
    assert not layers.cycles(acyclic)
    (finding,) = layers.cycles({**acyclic, "c": {"a": "c/x.h:1"}})
    assert "c -> a (c/x.h:1)" in finding.message


def test_file_local_names_are_found() -> None:
    text = """
namespace millrace {
namespace {
using Rows = std::vector<int>;
constexpr size_t kBytes = 4;
struct Part {
  int kInside = 1;
};
int Sum(const Rows& rows, int start = 0) {
  return start;
}
}  // namespace
int Visible(int a) { return a; }
}  // namespace millrace
"""
    assert names.local_names(text) == {"kBytes": 5, "Part": 6, "Sum(const Rows&, int)": 9}


@pytest.mark.parametrize(
    ("path", "header", "allowed"),
    [
        ("worker/state/a.cc", "rocksdb/db.h", True),
        ("worker/operators/a.cc", "rocksdb/db.h", False),
        ("coordinator/sql/a.cc", "pg_query/pg_query.pb-c.h", True),
        ("coordinator/planner/a.cc", "pg_query.h", False),
        ("common/logging/a.cc", "spdlog/spdlog.h", True),
        ("worker/service/a.cc", "spdlog/spdlog.h", False),
        ("common/expr/a.cc", "arrow/compute/api.h", True),
        ("common/expr/a.cc", "arrow/acero/exec_plan.h", False),
        ("common/expr/a.cc", "arrow/compute/row/grouper.h", False),
    ],
)
def test_doors(path: str, header: str, allowed: bool) -> None:
    assert (not layers.check_door(path, 1, header)) == allowed


def test_arrow_sort_and_group_by_calls_are_found() -> None:
    assert layers.FORBIDDEN_CALLS.search('CallFunction("sort_indices", {a})')
    assert layers.FORBIDDEN_CALLS.search("arrow::compute::Grouper::Make(types)")
    assert not layers.FORBIDDEN_CALLS.search('CallFunction("utf8_upper", {a})')


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("secret", "-----BEGIN RSA PRIVATE " + "KEY-----", True),
        ("secret", "postgres://user:hunter2@db.example.com/x", True),
        ("secret", "postgres://localhost/x", False),
        ("place", "/home/someone/millrace", True),
        ("place", "${HOME}/home/x", False),
        ("authorship", "as an AI", True),
        ("authorship", "the session's settings", False),
        ("mutex", "std::mutex mutex_;", True),
        ("mutex", "Mutex mutex_;", False),
        ("skipped", "TEST(A, DISABLED_B)", True),
        ("todo", "// TODO: later", True),
        ("todo", "// TODO: when Arrow's reader can seek backwards", False),
    ],
)
def test_text_rules(name: str, text: str, found: bool) -> None:
    rules = [rule for rule in text_rules.RULES if rule.name == name]
    assert any(rule.pattern.search(text) for rule in rules) == found


def test_comments_are_wrapped_as_paragraphs() -> None:
    text = "// " + "word " * 30 + "\n// end.\n// - a list stays\nint x;\n"
    wrapped = wrap_file(text, 100).split("\n")
    assert all(len(line) <= 100 for line in wrapped)
    assert wrapped[1].endswith("word end.")
    assert wrapped[2:4] == ["// - a list stays", "int x;"]


def test_anchors_are_those_of_the_headings() -> None:
    assert docs_links.anchors("# One `two`\n\n## A & B\n\n```\n# no\n```\n## A & B\n") == {"one-two", "a--b", "a--b-1"}
    assert docs_links.resolve("docs/guides/a.md", "../b.md") == "docs/b.md"
