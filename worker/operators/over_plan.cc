#include "worker/operators/over_plan.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/types/value.h"
#include "millrace/v1/plan.pb.h"
#include "worker/operators/plan_fields.h"

namespace millrace {
namespace {

absl::StatusOr<WindowCall::Kind> RankingKind(const std::string& name) {
  static const auto* const kKinds =
      new std::map<std::string, WindowCall::Kind>{{"row_number", WindowCall::Kind::kRowNumber},
                                                  {"rank", WindowCall::Kind::kRank},
                                                  {"dense_rank", WindowCall::Kind::kDenseRank},
                                                  {"percent_rank", WindowCall::Kind::kPercentRank},
                                                  {"cume_dist", WindowCall::Kind::kCumeDist},
                                                  {"ntile", WindowCall::Kind::kNtile},
                                                  {"lag", WindowCall::Kind::kLag},
                                                  {"lead", WindowCall::Kind::kLead},
                                                  {"first_value", WindowCall::Kind::kFirstValue},
                                                  {"last_value", WindowCall::Kind::kLastValue},
                                                  {"nth_value", WindowCall::Kind::kNthValue}};
  const auto found = kKinds->find(name);
  if (found == kKinds->end()) return NotSupported(absl::StrCat("window function ", name));
  return found->second;
}

absl::StatusOr<WindowBound> BoundOf(const v1::FrameBound& proto, BoundKind otherwise) {
  WindowBound bound;
  switch (proto.kind()) {
    case v1::FrameBound::KIND_UNSPECIFIED:
      bound.kind = otherwise;
      return bound;
    case v1::FrameBound::KIND_UNBOUNDED_PRECEDING:
      bound.kind = BoundKind::kUnboundedPreceding;
      return bound;
    case v1::FrameBound::KIND_CURRENT_ROW:
      bound.kind = BoundKind::kCurrentRow;
      return bound;
    case v1::FrameBound::KIND_UNBOUNDED_FOLLOWING:
      bound.kind = BoundKind::kUnboundedFollowing;
      return bound;
    case v1::FrameBound::KIND_PRECEDING:
      bound.kind = BoundKind::kPreceding;
      break;
    case v1::FrameBound::KIND_FOLLOWING:
      bound.kind = BoundKind::kFollowing;
      break;
    default:
      return InternalError("unknown frame bound");
  }
  bound.offset = FromProto(proto.offset());
  return bound;
}

absl::StatusOr<WindowFrame> FrameOf(const v1::Frame& proto) {
  WindowFrame frame;
  if (proto.unit() == v1::Frame::UNIT_ROWS) frame.unit = FrameUnit::kRows;
  if (proto.unit() == v1::Frame::UNIT_GROUPS) frame.unit = FrameUnit::kGroups;
  MR_ASSIGN_OR_RETURN(frame.start, BoundOf(proto.start(), BoundKind::kUnboundedPreceding));
  MR_ASSIGN_OR_RETURN(frame.end, BoundOf(proto.end(), BoundKind::kCurrentRow));
  return frame;
}

absl::StatusOr<WindowCall> CallOf(const v1::OverCall& proto) {
  WindowCall call;
  call.type = FromProto(proto.type());
  call.arg_types = TypesOf(proto.arg_types());
  MR_ASSIGN_OR_RETURN(call.frame, FrameOf(proto.frame()));
  if (proto.has_aggregate()) {
    call.kind = WindowCall::Kind::kAggregate;
    MR_ASSIGN_OR_RETURN(call.aggregate, FromProto(proto.aggregate()));
    call.args = call.aggregate.args;
  } else {
    MR_ASSIGN_OR_RETURN(call.kind, RankingKind(proto.ranking()));
    call.args = ColumnsOf(proto.args());
  }
  const bool needs_value = call.kind >= WindowCall::Kind::kNtile;
  if (call.arg_types.size() != call.args.size() || (needs_value && call.args.empty())) {
    return InternalError("a window function lacks an argument");
  }
  return call;
}

}  // namespace

absl::StatusOr<OverPlan> OverPlan::From(const v1::PlanNode& node) {
  MR_RETURN_IF_ERROR(CheckNumInputs(node, 1));
  const v1::OverNode& over = node.over();
  OverPlan plan;
  plan.input = InputSchema(node, 0);
  plan.types = InputTypes(node, 0);
  plan.partition_keys = ColumnsOf(over.partition_keys());
  MR_ASSIGN_OR_RETURN(plan.order_keys, SortKeysOf(over.order_keys()));
  for (const v1::OverCall& proto : over.calls()) {
    MR_ASSIGN_OR_RETURN(WindowCall call, CallOf(proto));
    plan.calls.push_back(std::move(call));
  }
  plan.event_time = over.event_time();
  return plan;
}

}  // namespace millrace
