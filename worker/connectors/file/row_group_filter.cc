#include "worker/connectors/file/row_group_filter.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "common/types/calendar.h"

namespace millrace {
namespace {

using Test = ColumnBound::Test;

std::optional<Test> TestOf(const std::string& function) {
  const absl::string_view name = absl::string_view(function).substr(0, function.find('('));
  if (name == "eq") return Test::kEq;
  if (name == "lt") return Test::kLt;
  if (name == "le") return Test::kLe;
  if (name == "gt") return Test::kGt;
  if (name == "ge") return Test::kGe;
  return std::nullopt;
}

// The test with its sides exchanged.
Test Mirrored(Test test) {
  switch (test) {
    case Test::kLt:
      return Test::kGt;
    case Test::kLe:
      return Test::kGe;
    case Test::kGt:
      return Test::kLt;
    case Test::kGe:
      return Test::kLe;
    case Test::kEq:
      break;
  }
  return Test::kEq;
}

// Whether a comparison of the two is one of what is stored: no cast changes the order or the unit.
bool Comparable(const SqlType& column, const SqlType& constant) {
  if (column.is_integer()) return constant.is_integer();
  if (column.is_float()) return constant.id == column.id;
  if (column.id == TypeId::kText || column.id == TypeId::kVarchar) {
    return constant.id == TypeId::kText || constant.id == TypeId::kVarchar;
  }
  return column.id == constant.id &&
         (column.id == TypeId::kDate || column.id == TypeId::kTime || column.is_timestamp());
}

template <typename T>
bool Overlaps(Test test, const T& min, const T& max, const T& constant) {
  switch (test) {
    case Test::kEq:
      return min <= constant && constant <= max;
    case Test::kLt:
      return min < constant;
    case Test::kLe:
      return min <= constant;
    case Test::kGt:
      return max > constant;
    case Test::kGe:
      return max >= constant;
  }
  return true;
}

// NaN is not in the statistics and greater than all else.
bool FloatMayPass(Test test, double min, double max, double constant) {
  if (std::isnan(min) || std::isnan(max) || std::isnan(constant)) return true;
  if (test == Test::kGt || test == Test::kGe) return true;
  return Overlaps(test, min, max, constant);
}

// A range in the constant's unit; false if it overflows. The reader cuts digits off towards zero,
// so a range is widened to both sides.
bool ScaleRange(int64_t min, int64_t max, int64_t unit_factor, int64_t* low, int64_t* high) {
  if (unit_factor > 0) {
    return !__builtin_mul_overflow(min, unit_factor, low) &&
           !__builtin_mul_overflow(max, unit_factor, high);
  }
  *low = std::min(FloorDiv(min, -unit_factor), min / -unit_factor);
  *high = std::max(FloorDiv(max, -unit_factor), max / -unit_factor);
  return true;
}

}  // namespace

std::vector<ColumnBound> FindColumnBounds(const std::vector<ExprPtr>& conjuncts) {
  std::vector<ColumnBound> bounds;
  for (const ExprPtr& conjunct : conjuncts) {
    if (conjunct->kind != ExprKind::kCall || conjunct->args.size() != 2) continue;
    std::optional<Test> test = TestOf(conjunct->function);
    if (!test.has_value()) continue;
    const Expr* column = conjunct->args[0].get();
    const Expr* constant = conjunct->args[1].get();
    if (column->kind != ExprKind::kColumn) {
      std::swap(column, constant);
      test = Mirrored(*test);
    }
    if (column->kind != ExprKind::kColumn || constant->kind != ExprKind::kLiteral) continue;
    if (constant->literal.is_null() || !Comparable(column->type, constant->literal.type)) continue;
    bounds.push_back(ColumnBound{column->column_index, *test, constant->literal});
  }
  return bounds;
}

bool MayPass(const ColumnBound& bound, const ParquetRange& range, int64_t unit_factor) {
  const auto& constant = bound.constant.value;
  if (const auto* min = std::get_if<int64_t>(&range.min)) {
    const auto* value = std::get_if<int64_t>(&constant);
    int64_t low = 0;
    int64_t high = 0;
    if (value == nullptr ||
        !ScaleRange(*min, std::get<int64_t>(range.max), unit_factor, &low, &high)) {
      return true;
    }
    return Overlaps(bound.test, low, high, *value);
  }
  if (const auto* min = std::get_if<double>(&range.min)) {
    const auto* value = std::get_if<double>(&constant);
    if (value == nullptr) return true;
    return FloatMayPass(bound.test, *min, std::get<double>(range.max), *value);
  }
  const auto* value = std::get_if<std::string>(&constant);
  if (value == nullptr) return true;
  return Overlaps(bound.test, std::get<std::string>(range.min), std::get<std::string>(range.max),
                  *value);
}

}  // namespace millrace
