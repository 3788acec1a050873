#pragma once

#include <optional>
#include <vector>

#include "common/expr/expr.h"
#include "common/file_format/parquet_file.h"

namespace millrace {

// One conjunct of a scan's filter that statistics can refute: column op constant.
struct ColumnBound {
  enum class Test { kEq, kLt, kLe, kGt, kGe };
  // Position in the scan's output.
  int output = 0;
  Test test = Test::kEq;
  Value constant;
};

// The conjuncts of the form "column op constant" (either way round) whose types have an order that
// Parquet's statistics share: integers, date, time, timestamps, floats, text. Others are left out:
// they just do not help.
std::vector<ColumnBound> FindColumnBounds(const std::vector<ExprPtr>& conjuncts);

// False if no value in `range` can pass the test. `unit_factor`: stored integers times this are the
// constant's unit, or, if negative, divided by its absolute value (nanoseconds: −1000).
bool MayPass(const ColumnBound& bound, const ParquetRange& range, int64_t unit_factor);

}  // namespace millrace
