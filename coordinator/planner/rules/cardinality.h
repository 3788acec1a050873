#pragma once

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "coordinator/logical_plan/logical_plan.h"

// Estimates of row counts, for the order and the build side of joins. Wrong estimates cost time,
// never rows.

namespace millrace {

// Sizes of a table or source, as far as they can be had cheaply (footers of files, sizes on disk).
struct TableStatistics {
  std::optional<uint64_t> rows;
  // Upper bound of the number of different values, by position in the object's columns (integers:
  // max - min + 1).
  std::map<int, uint64_t> distinct_max;
};
using StatisticsSource = std::function<TableStatistics(const v1::CatalogObject&)>;

// What is known of one output column.
struct ColumnEstimate {
  // Number of different values in the table that it comes from, before any filter.
  double distinct = 0;
  // Rows of that table.
  double base_rows = 0;
  // Whether `distinct` comes from statistics; else it is base_rows.
  bool exact = false;
};

struct Estimate {
  double rows = 0;
  // False if a source of unknown size is below.
  bool known = true;
  std::vector<ColumnEstimate> columns;
};

// A table whose size is unknown counts as this many rows: rather large, so that it is not built
// into a hash table in favour of one whose size is known.
inline constexpr double kUnknownRows = 1e6;

class CardinalityEstimator {
 public:
  // `statistics` may be empty: then only stored tables, constants and sources that say so
  // themselves have a known size.
  explicit CardinalityEstimator(StatisticsSource statistics);

  Estimate EstimateOf(const LogicalNode& node) const;
  // Joins two estimated inputs on conjuncts over left ++ right.
  Estimate EstimateJoin(JoinType type, const Estimate& left, const Estimate& right,
                        const std::vector<ExprPtr>& conjuncts) const;
  // The share of rows for which `predicate` is true.
  double Selectivity(const Expr& predicate, const Estimate& input) const;

 private:
  Estimate EstimateScan(const LogicalScan& scan) const;
  Estimate EstimateAggregate(const LogicalAggregate& aggregate) const;
  Estimate EstimateProject(const LogicalProject& project) const;

  const StatisticsSource statistics_;
};

}  // namespace millrace
