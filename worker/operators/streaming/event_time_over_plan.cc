#include "worker/operators/streaming/event_time_over_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

constexpr int64_t kDayMicros = int64_t{86400} * 1000000;

absl::Status FrameNotSupported(absl::string_view what, absl::string_view hint) {
  return WithHint(NotSupported(absl::StrCat(what, " over unbounded input")), hint);
}

absl::Status LooksAhead() {
  return FrameNotSupported("a frame that reaches behind the current row",
                           "end the frame at CURRENT ROW");
}

// The distance of a bound in rows or microseconds.
absl::StatusOr<int64_t> DistanceOf(const v1::FrameBound& bound, bool by_rows) {
  if (bound.kind() == v1::FrameBound::KIND_CURRENT_ROW) return 0;
  const Value offset = FromProto(bound.offset());
  if (by_rows) {
    const auto* rows = std::get_if<int64_t>(&offset.value);
    if (rows == nullptr || *rows < 0) return InternalError("a frame's distance is not a count");
    return *rows;
  }
  const auto* interval = std::get_if<IntervalParts>(&offset.value);
  if (interval == nullptr) return InternalError("a frame's distance is not an interval");
  if (interval->months != 0) {
    return FrameNotSupported("RANGE with a distance in months",
                             "months differ in length; give the distance in days");
  }
  const int64_t micros = interval->days * kDayMicros + interval->micros;
  if (micros < 0) {
    return MakeError(SqlState::kInvalidFrameOffset,
                     "invalid preceding or following size in window function");
  }
  return micros;
}

absl::StatusOr<OverFrameSpec> FrameOf(const v1::Frame& frame) {
  using Bound = v1::FrameBound;
  const Bound::Kind start = frame.start().kind();
  const Bound::Kind end = frame.end().kind();
  if (start > Bound::KIND_CURRENT_ROW || end > Bound::KIND_CURRENT_ROW) return LooksAhead();
  if (start == Bound::KIND_UNSPECIFIED || end <= Bound::KIND_UNBOUNDED_PRECEDING) {
    return InternalError("a frame without bounds");
  }
  OverFrameSpec spec;
  spec.by_rows = frame.unit() == v1::Frame::UNIT_ROWS;
  const bool has_distance = start == Bound::KIND_PRECEDING || end == Bound::KIND_PRECEDING;
  if (frame.unit() == v1::Frame::UNIT_GROUPS && has_distance) {
    return FrameNotSupported("a frame of GROUPS with a distance", "use ROWS or RANGE");
  }
  MR_ASSIGN_OR_RETURN(spec.end, DistanceOf(frame.end(), spec.by_rows));
  if (start != Bound::KIND_UNBOUNDED_PRECEDING) {
    MR_ASSIGN_OR_RETURN(spec.start, DistanceOf(frame.start(), spec.by_rows));
  } else if (!spec.by_rows && spec.end != 0) {
    return FrameNotSupported("RANGE from UNBOUNDED PRECEDING to a distance",
                             "end the frame at CURRENT ROW, or use ROWS");
  }
  return spec;
}

absl::Status CheckTime(const std::vector<SortKey>& keys) {
  const char* hint = "ORDER BY the watermark's column, ascending";
  if (keys.empty() || keys[0].expr->kind != ExprKind::kColumn) {
    return FrameNotSupported("OVER without event time as its order", hint);
  }
  if (!keys[0].expr->type.is_timestamp() || keys[0].descending || keys[0].nulls_first) {
    return FrameNotSupported("OVER in another order than that of event time", hint);
  }
  return absl::OkStatus();
}

// Collects the input columns that calls look at.
class HistoryColumns {
 public:
  explicit HistoryColumns(size_t width) : width_(width) {}

  absl::Status Map(std::vector<int>* columns) {
    for (int& column : *columns) MR_RETURN_IF_ERROR(Map(&column));
    return absl::OkStatus();
  }
  absl::Status Map(int* column) {
    if (*column < 0 || static_cast<size_t>(*column) >= width_) {
      return InternalError("a window function's argument is not among the columns");
    }
    const auto known = std::find(columns_.begin(), columns_.end(), *column);
    const auto position = static_cast<int>(known - columns_.begin());
    if (known == columns_.end()) columns_.push_back(*column);
    *column = position;
    return absl::OkStatus();
  }
  const std::vector<int>& columns() const { return columns_; }

 private:
  const size_t width_;
  std::vector<int> columns_;
};

// Whether a ranking function takes its value from the frame.
bool UsesFrame(const std::string& ranking) {
  return ranking == "first_value" || ranking == "last_value" || ranking == "nth_value";
}

absl::Status CheckRanking(const OverCallPlan& call) {
  const std::string& name = call.ranking;
  const bool has_args = UsesFrame(name) || name == "lag";
  const bool known = has_args || name == "row_number" || name == "rank" || name == "dense_rank";
  if (!known) return FrameNotSupported(absl::StrCat(name, "()"), "it depends on later rows");
  if (has_args && call.args.empty()) {
    return InternalError(absl::StrCat(name, "() lacks its argument"));
  }
  if (name == "nth_value" && !call.frame.start.has_value()) {
    return FrameNotSupported("nth_value() over a frame from UNBOUNDED PRECEDING",
                             "let the frame begin at a distance, or use first_value()");
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<SqlType> EventTimeOverPlan::input_types() const {
  std::vector<SqlType> types;
  for (const Field& field : input) types.push_back(field.type);
  return types;
}

absl::StatusOr<EventTimeOverPlan> EventTimeOverPlan::From(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 1));
  if (node.inputs(0).changing()) {
    return FrameNotSupported("OVER on rows that can change",
                             "let the rows below be final, for example with emit = "
                             "'on_window_close'");
  }
  const v1::OverNode& over = node.over();
  EventTimeOverPlan plan;
  plan.input = InputSchema(node, 0);
  plan.partition_keys = ColumnsOf(over.partition_keys());
  MR_ASSIGN_OR_RETURN(plan.order_keys, SortKeysOf(over.order_keys()));
  MR_RETURN_IF_ERROR(CheckTime(plan.order_keys));
  plan.time_column = plan.order_keys[0].expr->column_index;
  HistoryColumns history(plan.input.size());
  for (const v1::OverCall& proto : over.calls()) {
    OverCallPlan call;
    call.type = FromProto(proto.type());
    call.arg_types = TypesOf(proto.arg_types());
    if (proto.has_aggregate()) {
      MR_ASSIGN_OR_RETURN(call.aggregate, FromProto(proto.aggregate()));
      if (call.aggregate->distinct) return NotSupported("DISTINCT in a window function");
      MR_RETURN_IF_ERROR(history.Map(&call.aggregate->args));
      if (call.aggregate->filter.has_value()) {
        MR_RETURN_IF_ERROR(history.Map(&*call.aggregate->filter));
      }
    } else {
      call.ranking = proto.ranking();
      call.args = ColumnsOf(proto.args());
      if (call.ranking == "lag" && call.args.size() > 1) plan.lag_offsets.push_back(call.args[1]);
      MR_RETURN_IF_ERROR(history.Map(&call.args));
    }
    if (call.aggregate.has_value() || UsesFrame(call.ranking)) {
      MR_ASSIGN_OR_RETURN(call.frame, FrameOf(proto.frame()));
      const int64_t reach = call.frame.start.value_or(call.frame.end);
      int64_t& kept = call.frame.by_rows ? plan.history_rows : plan.history_micros;
      // Peers are always given out together, so they need no history.
      if (call.frame.by_rows || reach > 0) kept = std::max(kept, reach);
    }
    if (!call.aggregate.has_value()) MR_RETURN_IF_ERROR(CheckRanking(call));
    if (call.ranking == "lag") plan.history_rows = std::max<int64_t>(plan.history_rows, 1);
    plan.calls.push_back(std::move(call));
  }
  plan.history_columns = history.columns();
  return plan;
}

}  // namespace millrace
