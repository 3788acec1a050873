#include "worker/operators/over_retention.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/types/calendar.h"

namespace millrace {
namespace {

using Kind = WindowCall::Kind;

absl::Status LooksAhead() {
  return MakeError(
      SqlState::kFeatureNotSupported,
      "window functions over unbounded input that look at later rows are not supported",
      "end the frame at CURRENT ROW");
}

bool EndsAtCurrentRow(const WindowFrame& frame) { return frame.end.kind == BoundKind::kCurrentRow; }

// What a frame that starts at a distance needs.
absl::Status KeepForFrame(const WindowFrame& frame, OverRetention* retention) {
  if (frame.start.kind == BoundKind::kUnboundedPreceding || frame.unit == FrameUnit::kGroups) {
    retention->keeps_all = true;
  } else if (frame.start.kind == BoundKind::kPreceding && frame.unit == FrameUnit::kRows) {
    const int64_t* rows = std::get_if<int64_t>(&frame.start.offset.value);
    if (rows == nullptr) return InternalError("distance of a frame is not a number");
    retention->num_rows = std::max(retention->num_rows, *rows);
  } else if (frame.start.kind == BoundKind::kPreceding) {
    retention->distances.push_back(frame.start.offset);
  }
  return absl::OkStatus();
}

bool RunsOverAllRows(const WindowCall& call) {
  // Accumulators that keep every value have no columns to run on with, and DISTINCT neither.
  return call.frame.start.kind == BoundKind::kUnboundedPreceding && EndsAtCurrentRow(call.frame) &&
         !call.aggregate.distinct && call.aggregate.function != AggregateFunction::kStringAgg;
}

absl::StatusOr<OverRetention::Way> WayOf(const WindowCall& call, OverRetention* retention) {
  switch (call.kind) {
    case Kind::kRowNumber:
    case Kind::kRank:
    case Kind::kDenseRank:
      return OverRetention::Way::kRunning;
    case Kind::kLag:
      // A distance is an argument, so it may differ from row to row.
      if (call.args.size() > 1) {
        retention->keeps_all = true;
      } else {
        retention->num_rows = std::max<int64_t>(retention->num_rows, 1);
      }
      return OverRetention::Way::kHistory;
    case Kind::kPercentRank:
    case Kind::kCumeDist:
    case Kind::kNtile:
    case Kind::kLead:
      return LooksAhead();
    default:
      break;
  }
  const BoundKind end = call.frame.end.kind;
  if (end == BoundKind::kFollowing || end == BoundKind::kUnboundedFollowing) return LooksAhead();
  if (call.kind == Kind::kAggregate && RunsOverAllRows(call)) return OverRetention::Way::kRunning;
  const bool from_first = call.frame.start.kind == BoundKind::kUnboundedPreceding;
  if (from_first && EndsAtCurrentRow(call.frame) && call.kind == Kind::kFirstValue) {
    retention->keeps_first = true;
    return OverRetention::Way::kHistory;
  }
  if (from_first && EndsAtCurrentRow(call.frame) && call.kind == Kind::kLastValue) {
    return OverRetention::Way::kHistory;
  }
  MR_RETURN_IF_ERROR(KeepForFrame(call.frame, retention));
  return OverRetention::Way::kHistory;
}

}  // namespace

absl::StatusOr<OverRetention> OverRetention::Of(const OverPlan& plan) {
  OverRetention retention;
  for (const WindowCall& call : plan.calls) {
    MR_ASSIGN_OR_RETURN(const Way way, WayOf(call, &retention));
    retention.ways.push_back(way);
  }
  return retention;
}

int64_t OverRetention::OldestTime(int64_t watermark) const {
  if (keeps_all) return INT64_MIN;
  __int128 oldest = watermark;
  for (const Value& distance : distances) {
    __int128 micros = 0;
    if (const auto* interval = std::get_if<IntervalParts>(&distance.value)) {
      // No month is longer than 31 days, and a day is more for the cut of a month's end.
      micros =
          (__int128{interval->months} * 31 + interval->days + 1) * kMicrosPerDay + interval->micros;
    } else if (const auto* number = std::get_if<int64_t>(&distance.value)) {
      micros = *number;
    }
    oldest = std::min(oldest, __int128{watermark} - micros);
  }
  return oldest < INT64_MIN ? INT64_MIN : static_cast<int64_t>(oldest);
}

}  // namespace millrace
