#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "common/types/sql_type.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/planner/rules/cardinality.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {

// A column that follows event time in a stream.
struct TimeColumn {
  enum class Role : uint8_t {
    // The column that the source's watermark speaks of: no row that is still to come has an earlier
    // value.
    kRowTime,
    // Bounds of the window that a row belongs to: no row that is still to come has an end at or
    // before the watermark.
    kWindowStart,
    kWindowEnd,
  };
  Role role = Role::kRowTime;
  // Windows: what made them.
  WindowKind window = WindowKind::kTumble;
  int64_t size_micros = 0;
  friend bool operator==(const TimeColumn&, const TimeColumn&) = default;
};

// Rows that a part of the physical plan gives out, with what the nodes above need to know of them.
// `node` is the top of the fragment that is being built; its leaves are scans, constants and
// exchanges from finished fragments.
struct Relation {
  std::unique_ptr<v1::PlanNode> node;
  Schema schema;
  // Tasks of the fragment.
  uint32_t parallelism = 1;
  // Lists of columns by whose hash the rows are spread over the tasks; each alone tells where a row
  // is.
  std::vector<std::vector<int>> hashed_by;
  // Streams: rows may be taken back.
  bool changing = false;
  std::map<int, TimeColumn> times;
  // Streams: columns that are unique together, if known.
  std::optional<std::vector<int>> key;
  Estimate estimate;

  bool single() const { return parallelism == 1; }
  int width() const { return static_cast<int>(schema.size()); }
};

// All of a relation but its node.
Relation TraitsOf(const Relation& relation);

// Renumbers the traits of a relation whose column i becomes mapping[i] (−1: dropped).
void RemapTraits(const std::vector<int>& mapping, Relation* relation);

}  // namespace millrace
