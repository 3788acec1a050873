#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "common/types/sql_type.h"
#include "coordinator/logical_plan/logical_plan.h"
#include "coordinator/planner/rules/cardinality.h"

// From a bound query to the physical plan that workers run: logical rewrites (rules/), distribution
// over tasks, and the cut into fragments.

namespace millrace {

namespace v1 {
class PhysicalPlan;
}  // namespace v1

// Where a query's rows go.

// To the client: the root has Output RESULT, and PhysicalPlan.result names the columns.
struct ResultTarget {};

// Into a stored table. Bounded jobs only; the plan's result is one bigint, the number of rows.
struct TableSinkTarget {
  uint64_t object_id = 0;
  // The table's columns; they agree in number and types with the query's output.
  Schema columns;
  // Folder for staged segments, below data.dir.
  std::string staging_path;
};

// Into files (or blackhole, print) of an outside table. Bounded: the plan's result is one bigint,
// the number of rows. Streaming: no result; the files are committed at durable epochs.
struct FileSinkTarget {
  uint64_t object_id = 0;
  std::string table_name;
  // "file", "blackhole", "print". Handed to the sink as option "connector" if `options` has none.
  std::string connector = "file";
  std::map<std::string, std::string> options;
  Schema columns;
  // Everything goes into one file, which one task writes; what is below runs in parallel all the
  // same.
  bool single_file = false;
};

// Into a materialized view. Streaming jobs only; no result.
struct ViewSinkTarget {
  uint64_t object_id = 0;
  std::string name;
};

using PlanTarget = std::variant<ResultTarget, TableSinkTarget, FileSinkTarget, ViewSinkTarget>;

// Where parts of a streaming statement stand in its text, for messages: characters from 1, 0 = not
// known.
struct StreamPositions {
  // The name of what is written.
  int32_t target = 0;
  // EMIT ON WINDOW CLOSE.
  int32_t emit = 0;
};

struct PlanOptions {
  // Tasks of each parallel fragment, at least 1.
  uint32_t parallelism = 1;
  // The job follows its input: epochs, state, changes. A SELECT is always bounded.
  bool streaming = false;
  // Streaming: each window's result once, when the watermark has passed its end.
  bool emit_on_window_close = false;
  // Streaming: keys hash into this many shards, at least `parallelism`.
  uint32_t num_shards = 0;
  PlanTarget target = ResultTarget{};
  // Index of the statement in its script.
  uint32_t step = 0;
  // Streaming.
  StreamPositions positions = {};
  // What is known about the sizes of sources; may be empty. Used for bounded jobs only: a stream's
  // plan must be the same when it is made again after a restart. Stored tables count their
  // segments' rows without it.
  StatisticsSource statistics;
};

// The plan of one statement. Errors: 0A000 for what a stream cannot do (with a hint), 55000 where
// it would need a watermark that the source does not define, and those of constant expressions that
// every row would meet.
absl::StatusOr<v1::PhysicalPlan> PlanQuery(const LogicalPtr& query, const PlanOptions& options);

// One statement of a streaming job.
struct StreamQuery {
  LogicalPtr query;
  PlanTarget target;
  bool emit_on_window_close = false;
  // Index of the statement in its script.
  uint32_t step = 0;
  StreamPositions positions = {};
};

// The plan of a streaming job of one or more statements. Equal parts of the queries are computed
// once: above all, each source is read once. `options` holds what is common to all (parallelism,
// num_shards). Errors are those of PlanQuery.
absl::StatusOr<v1::PhysicalPlan> PlanStream(const std::vector<StreamQuery>& queries,
                                            const PlanOptions& options);

// What the catalog keeps about a materialized view.
struct ViewTraits {
  // Unique key of the view's rows, positions among its columns; empty = the whole row (with
  // multiplicities).
  std::vector<uint32_t> key;
  // True if the view's rows are never changed or taken back.
  bool append_only = false;
};

// The traits of a view that a streaming plan keeps.
ViewTraits ViewTraitsOf(const v1::PhysicalPlan& plan, uint64_t view_id);

// The outside tables that a streaming plan writes to.
std::vector<uint64_t> FileSinksOf(const v1::PhysicalPlan& plan);

// The scans whose rows reach the sink of a catalog object (a view, or a table that is inserted
// into): scan id → fragment. Empty if the plan has no such sink.
std::map<uint32_t, uint32_t> ScansFeeding(const v1::PhysicalPlan& plan, uint64_t object_id);

}  // namespace millrace
