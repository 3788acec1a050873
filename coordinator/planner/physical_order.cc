#include <algorithm>
#include <limits>
#include <utility>

#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "common/plan/partial_columns.h"
#include "coordinator/planner/physical_builder.h"
#include "coordinator/planner/rules/logical_build.h"

namespace millrace {
namespace {

void SetKeys(const std::vector<SortKey>& keys,
             google::protobuf::RepeatedPtrField<v1::SortKey>* out) {
  for (const SortKey& key : keys) ToProto(key, out->Add());
}

constexpr uint64_t kAllRows = std::numeric_limits<uint64_t>::max();

uint64_t RowsNeeded(const LogicalLimit& limit) {
  const uint64_t rest = std::numeric_limits<uint64_t>::max() - limit.offset;
  return std::min(*limit.limit, rest) + limit.offset;
}

v1::OverCall OverCallProto(const OverCall& call, const Schema& input) {
  v1::OverCall proto;
  if (call.aggregate.has_value()) {
    ToProto(*call.aggregate, proto.mutable_aggregate());
  } else {
    proto.set_ranking(call.ranking);
  }
  for (int arg : call.args) proto.add_args(arg);
  const std::vector<int>& args = call.aggregate.has_value() ? call.aggregate->args : call.args;
  for (int arg : args) ToProto(input[arg].type, proto.add_arg_types());
  ToProto(call.type, proto.mutable_type());
  v1::Frame* frame = proto.mutable_frame();
  frame->set_unit(static_cast<v1::Frame::Unit>(call.frame.unit));
  const auto set_bound = [](FrameBoundKind kind, const Value& offset, v1::FrameBound* bound) {
    bound->set_kind(static_cast<v1::FrameBound::Kind>(kind));
    const bool distance = kind == FrameBoundKind::kPreceding || kind == FrameBoundKind::kFollowing;
    if (distance) ToProto(offset, bound->mutable_offset());
  };
  set_bound(call.frame.start, call.frame.start_offset, frame->mutable_start());
  set_bound(call.frame.end, call.frame.end_offset, frame->mutable_end());
  return proto;
}

// True if the call's result can depend on rows that come after the current one in the partition.
bool LooksAhead(const OverCall& call) {
  if (!call.aggregate.has_value()) {
    for (const char* name : {"lead", "ntile", "percent_rank", "cume_dist"}) {
      if (call.ranking == name) return true;
    }
    for (const char* name : {"row_number", "rank", "dense_rank", "lag"}) {
      if (call.ranking == name) return false;
    }
  }
  return call.frame.end > FrameBoundKind::kCurrentRow;
}

bool HasDistance(FrameBoundKind kind) {
  return kind == FrameBoundKind::kPreceding || kind == FrameBoundKind::kFollowing;
}

bool CountsMonths(const Value& offset) {
  const auto* interval = std::get_if<IntervalParts>(&offset.value);
  return interval != nullptr && interval->months != 0;
}

// True if what the event-time operator keeps of a partition tells the call's value.
bool FitsEventTime(const OverCall& call) {
  const OverFrame& frame = call.frame;
  if (LooksAhead(call) || CountsMonths(frame.start_offset) || CountsMonths(frame.end_offset)) {
    return false;
  }
  const bool from_first = frame.start == FrameBoundKind::kUnboundedPreceding;
  const bool distance = HasDistance(frame.start) || HasDistance(frame.end);
  if (frame.unit == FrameUnit::kGroups && distance) return false;
  if (frame.unit == FrameUnit::kRange && from_first && HasDistance(frame.end)) return false;
  if (!call.aggregate.has_value()) return call.ranking != "nth_value" || !from_first;
  return !call.aggregate->distinct && (!from_first || SupportsPartial(*call.aggregate));
}

absl::Status NotInStream(absl::string_view what, absl::string_view hint) {
  return WithHint(NotSupported(what), hint);
}

}  // namespace

Relation PhysicalBuilder::PlainKeys(Relation input, std::vector<SortKey>* keys) {
  std::vector<ExprPtr> computed;
  const int width = input.width();
  for (SortKey& key : *keys) {
    if (key.expr->kind == ExprKind::kColumn) continue;
    const int column = width + static_cast<int>(computed.size());
    const ExprPtr expr = std::exchange(key.expr, MakeColumn(column, key.expr->type));
    computed.push_back(expr);
  }
  return Extend(std::move(input), computed, "sort_key");
}

absl::StatusOr<Relation> PhysicalBuilder::BuildSort(const LogicalSort& sort) {
  MR_ASSIGN_OR_RETURN(Relation input, Build(sort.inputs[0]));
  // What a stream keeps has no order.
  if (options_.streaming || sort.keys.empty()) return input;
  const int width = input.width();
  std::vector<SortKey> keys = sort.keys;
  input = PlainKeys(std::move(input), &keys);
  Relation sorted = OnTop(std::move(input), [&](v1::PlanNode* node) {
    SetKeys(keys, node->mutable_sort()->mutable_keys());
  });
  sorted = fragments_->ToSingleMerged(std::move(sorted), keys);
  if (sorted.width() == width) return sorted;
  return ProjectColumns(std::move(sorted), ShiftMapping(width, 0));
}

absl::StatusOr<Relation> PhysicalBuilder::BuildTotalSort(const LogicalSort& sort) {
  LogicalSort total = sort;
  for (int column = 0; column < Width(sort); ++column) {
    const bool is_key = std::any_of(sort.keys.begin(), sort.keys.end(), [&](const SortKey& key) {
      return key.expr->kind == ExprKind::kColumn && key.expr->column_index == column;
    });
    if (!is_key) total.keys.push_back({MakeColumn(column, sort.output[column].type), false, false});
  }
  return BuildSort(total);
}

absl::StatusOr<Relation> PhysicalBuilder::BuildLimit(const LogicalLimit& limit) {
  const LogicalNode& below = *limit.inputs[0];
  if (options_.streaming) {
    const bool sorted = below.kind == LogicalKind::kSort;
    return StreamTopN(limit, sorted ? below.inputs[0] : limit.inputs[0],
                      sorted ? As<LogicalSort>(below).keys : std::vector<SortKey>());
  }
  if (below.kind == LogicalKind::kSort && limit.limit.has_value()) {
    return BuildTopN(limit, As<LogicalSort>(below));
  }
  const bool skips_sorted = below.kind == LogicalKind::kSort && limit.offset > 0;
  MR_ASSIGN_OR_RETURN(Relation input, skips_sorted ? BuildTotalSort(As<LogicalSort>(below))
                                                   : Build(limit.inputs[0]));
  if (!input.single() && limit.limit.has_value()) {
    input = OnTop(std::move(input),
                  [&](v1::PlanNode* node) { node->mutable_limit()->set_limit(RowsNeeded(limit)); });
  }
  return OnTop(fragments_->ToSingle(std::move(input)), [&](v1::PlanNode* node) {
    v1::LimitNode* op = node->mutable_limit();
    if (limit.limit.has_value()) op->set_limit(*limit.limit);
    op->set_offset(limit.offset);
  });
}

absl::StatusOr<Relation> PhysicalBuilder::BuildTopN(const LogicalLimit& limit,
                                                    const LogicalSort& sort) {
  MR_ASSIGN_OR_RETURN(Relation input, Build(sort.inputs[0]));
  const int width = input.width();
  std::vector<SortKey> keys = sort.keys;
  input = PlainKeys(std::move(input), &keys);
  const auto top_n = [&](Relation relation, uint64_t rows, uint64_t offset) {
    return OnTop(std::move(relation), [&](v1::PlanNode* node) {
      v1::TopNNode* op = node->mutable_top_n();
      SetKeys(keys, op->mutable_keys());
      op->set_limit(rows);
      op->set_offset(offset);
    });
  };
  if (!input.single()) input = top_n(std::move(input), RowsNeeded(limit), 0);
  input = top_n(fragments_->ToSingle(std::move(input)), *limit.limit, limit.offset);
  if (input.width() == width) return input;
  return ProjectColumns(std::move(input), ShiftMapping(width, 0));
}

absl::StatusOr<Relation> PhysicalBuilder::StreamTopN(const LogicalLimit& limit,
                                                     const LogicalPtr& input,
                                                     const std::vector<SortKey>& keys) {
  MR_ASSIGN_OR_RETURN(Relation built, Build(input));
  const int width = built.width();
  std::vector<SortKey> plain = keys;
  built = PlainKeys(std::move(built), &plain);
  Relation top = OnTop(fragments_->ToSingle(std::move(built)), [&](v1::PlanNode* node) {
    v1::GroupTopNNode* op = node->mutable_group_top_n();
    SetKeys(plain, op->mutable_order_keys());
    op->set_limit(limit.limit.has_value() ? RowsNeeded(limit) : kAllRows);
    op->set_with_number(limit.offset != 0);
  });
  top.changing = true;
  top.times.clear();
  if (limit.offset != 0) {
    const SqlType int8 = SqlType::Of(TypeId::kInt64);
    top.schema.push_back({"row_number", int8});
    const Value skipped{int8, static_cast<int64_t>(std::min<uint64_t>(
                                  limit.offset, std::numeric_limits<int64_t>::max()))};
    MR_ASSIGN_OR_RETURN(
        const ExprPtr behind,
        BuildOperator(">", {MakeColumn(top.width() - 1, int8), MakeLiteral(skipped)}, 0));
    top = Filter(std::move(top), behind);
  }
  if (top.width() == width) return top;
  return ProjectColumns(std::move(top), ShiftMapping(width, 0));
}

absl::StatusOr<Relation> PhysicalBuilder::BuildOver(const LogicalOver& over) {
  MR_ASSIGN_OR_RETURN(Relation input, Build(over.inputs[0]));
  bool event_time = options_.streaming;
  if (options_.streaming) {
    const absl::Status fits = CheckEventTimeOver(over, input);
    // Rows that wait for the watermark come out once. Otherwise partitions are evaluated again when
    // they change, which no window's end brings to an end.
    if (!fits.ok() && options_.emit_on_window_close) return fits;
    event_time = fits.ok();
  }
  const int width = input.width();
  std::vector<SortKey> keys = over.order_keys;
  input = PlainKeys(std::move(input), &keys);
  input = SpreadByPartition(std::move(input), over.partition_keys);
  const Schema input_schema = input.schema;
  Relation result = OnTop(std::move(input), [&](v1::PlanNode* node) {
    v1::OverNode* op = node->mutable_over();
    for (int key : over.partition_keys) op->add_partition_keys(key);
    SetKeys(keys, op->mutable_order_keys());
    for (const OverCall& call : over.calls) *op->add_calls() = OverCallProto(call, input_schema);
    op->set_event_time(event_time);
  });
  if (options_.streaming && !event_time) {
    result.changing = true;
    result.times.clear();
  }
  std::vector<int> visible = ShiftMapping(width, 0);
  for (size_t i = 0; i < over.calls.size(); ++i) {
    visible.push_back(result.width());
    result.schema.push_back(over.output[width + i]);
  }
  if (result.width() == static_cast<int>(visible.size())) return result;
  return ProjectColumns(std::move(result), visible);
}

Relation PhysicalBuilder::SpreadByPartition(Relation input, const std::vector<int>& keys) {
  if (keys.empty()) return fragments_->ToSingle(std::move(input));
  if (fragments_->IsSpreadBy(input, keys)) return input;
  return fragments_->ToHash(std::move(input), keys);
}

absl::Status PhysicalBuilder::CheckEventTimeOver(const LogicalOver& over,
                                                 const Relation& input) const {
  if (input.changing) {
    return NotInStream("OVER on rows that can change in a stream",
                       "let the rows below be final, for example with emit = 'on_window_close'");
  }
  const SortKey* first = over.order_keys.empty() ? nullptr : &over.order_keys[0];
  const bool plain = first != nullptr && first->expr->kind == ExprKind::kColumn &&
                     !first->descending && over.order_keys.size() == 1;
  const auto time = plain ? input.times.find(first->expr->column_index) : input.times.end();
  if (time == input.times.end() || time->second.role != TimeColumn::Role::kRowTime) {
    if (!has_watermark_) {
      return MakeError(SqlState::kObjectNotInPrerequisiteState,
                       "OVER in a stream needs a source with a watermark",
                       "declare it where the source is defined: WATERMARK FOR ts AS ts - INTERVAL "
                       "'5' SECOND; or keep the first rows of each group by row_number() <= n");
    }
    return NotInStream(
        "OVER in a stream with another order than the watermark's column, ascending,",
        "ORDER BY the watermark's column, or keep the first rows of each group by "
        "row_number() <= n");
  }
  if (!std::all_of(over.calls.begin(), over.calls.end(), FitsEventTime)) {
    return NotInStream("OVER in a stream with a frame or function that needs all rows",
                       "let the frame begin at a number of rows or a time, and end at CURRENT ROW");
  }
  return absl::OkStatus();
}

absl::StatusOr<Relation> PhysicalBuilder::BuildGroupTopN(const GroupTopNMatch& match,
                                                         bool with_number) {
  const LogicalOver& over = *match.over;
  MR_ASSIGN_OR_RETURN(Relation input, Build(over.inputs[0]));
  const int width = input.width();
  std::vector<SortKey> keys = over.order_keys;
  input = PlainKeys(std::move(input), &keys);
  const auto top_n = [&](Relation relation, bool numbered) {
    return OnTop(std::move(relation), [&](v1::PlanNode* node) {
      v1::GroupTopNNode* op = node->mutable_group_top_n();
      for (int key : over.partition_keys) op->add_partition_keys(key);
      SetKeys(keys, op->mutable_order_keys());
      op->set_limit(match.limit);
      op->set_with_number(numbered);
    });
  };
  const bool spread = over.partition_keys.empty()
                          ? input.single()
                          : fragments_->IsSpreadBy(input, over.partition_keys);
  if (!spread && !options_.streaming) input = top_n(std::move(input), false);
  Relation top = top_n(SpreadByPartition(std::move(input), over.partition_keys), with_number);
  top.changing = options_.streaming;
  top.times.clear();
  if (match.limit == 1 && !over.partition_keys.empty()) top.key = over.partition_keys;
  std::vector<int> visible = ShiftMapping(width, 0);
  if (with_number) {
    visible.push_back(top.width());
    top.schema.push_back(over.output.back());
  }
  if (top.width() != static_cast<int>(visible.size())) {
    top = ProjectColumns(std::move(top), visible);
  }
  return match.rest.empty() ? std::move(top) : Filter(std::move(top), MakeConjunction(match.rest));
}

}  // namespace millrace
