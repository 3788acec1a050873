#include <algorithm>
#include <numeric>

#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "common/plan/partial_columns.h"
#include "coordinator/planner/physical_builder.h"

namespace millrace {
namespace {

constexpr char kWatermarkHint[] =
    "declare it where the source is defined: WATERMARK FOR ts AS ts - INTERVAL '5' SECOND";

std::vector<int> FirstColumns(int count) {
  std::vector<int> columns(count);
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

std::vector<SqlType> ArgTypes(const AggregateCall& call, const Schema& input) {
  std::vector<SqlType> types;
  for (int arg : call.args) types.push_back(input[arg].type);
  return types;
}

// Position in `keys` of the column with this role, −1 if none has it.
int KeyWithRole(const Relation& input, const std::vector<int>& keys, TimeColumn::Role role) {
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto found = input.times.find(keys[i]);
    if (found != input.times.end() && found->second.role == role) return static_cast<int>(i);
  }
  return -1;
}

// What the columns of an aggregation's output inherit from its keys.
void InheritKeyTraits(const std::vector<int>& keys, Relation* relation) {
  std::vector<int> mapping(relation->schema.size(), -1);
  for (size_t i = 0; i < keys.size(); ++i) mapping[keys[i]] = static_cast<int>(i);
  RemapTraits(mapping, relation);
}

}  // namespace

absl::StatusOr<Relation> PhysicalBuilder::BuildAggregate(const LogicalAggregate& aggregate) {
  MR_ASSIGN_OR_RETURN(Relation input, Build(aggregate.inputs[0]));
  v1::HashAggregateNode base;
  for (const AggregateCall& call : aggregate.aggregates) {
    v1::AggregateArgTypes* types = base.add_arg_types();
    for (const SqlType& type : ArgTypes(call, input.schema)) ToProto(type, types->add_types());
  }
  if (options_.streaming) return AggregateStream(std::move(input), aggregate, std::move(base));
  return AggregateInPhases(std::move(input), aggregate, base);
}

absl::StatusOr<Relation> PhysicalBuilder::AggregateStream(Relation input,
                                                          LogicalAggregate aggregate,
                                                          v1::HashAggregateNode base) {
  const Schema output = aggregate.output;
  const int num_keys = static_cast<int>(aggregate.keys.size());
  int end_key = KeyWithRole(input, aggregate.keys, TimeColumn::Role::kWindowEnd);
  if (end_key < 0) {
    MR_ASSIGN_OR_RETURN(const int end_column, AddWindowEnd(aggregate.keys, &input));
    if (end_column >= 0) {
      end_key = num_keys;
      aggregate.keys.push_back(end_column);
      aggregate.output.insert(aggregate.output.begin() + num_keys, input.schema[end_column]);
    }
  }
  // A row that once is distinct stays so as long as nothing is taken back.
  const bool grows = !input.changing && aggregate.aggregates.empty();
  if (options_.emit_on_window_close && end_key < 0 && !grows) {
    if (!has_watermark_) {
      return WithPosition(
          MakeError(SqlState::kObjectNotInPrerequisiteState,
                    "EMIT ON WINDOW CLOSE needs a source with a watermark", kWatermarkHint),
          options_.positions.emit);
    }
    return WithPosition(
        MakeError(SqlState::kFeatureNotSupported,
                  "EMIT ON WINDOW CLOSE is not supported for an aggregation that is not grouped "
                  "by an event-time window",
                  "group by window_start and window_end of tumble, hop or cumulate over the "
                  "watermark's column"),
        options_.positions.emit);
  }
  if (end_key >= 0) base.set_window_end_key(end_key);
  const bool on_close = options_.emit_on_window_close && end_key >= 0;
  base.set_emit(on_close ? v1::EMIT_MODE_ON_WINDOW_CLOSE : v1::EMIT_MODE_CHANGES);
  Relation result = AggregateInPhases(std::move(input), aggregate, base);
  result.changing = !on_close && !grows;
  // Only windows are finished before the watermark goes on.
  std::erase_if(result.times, [&](const auto& entry) {
    return end_key < 0 || entry.second.role == TimeColumn::Role::kRowTime;
  });
  if (static_cast<int>(aggregate.keys.size()) == num_keys) return result;

  std::vector<int> visible = FirstColumns(num_keys);
  for (int i = num_keys + 1; i < result.width(); ++i) visible.push_back(i);
  // The hidden end follows from the start, so the other keys are still unique.
  const std::vector<int> key = FirstColumns(num_keys);
  result = ProjectColumns(std::move(result), visible);
  result.key = key;
  return result;
}

// The end of a window is its start plus its size, but for cumulating windows. Returns the added
// column, −1 if the keys have no window's start.
absl::StatusOr<int> PhysicalBuilder::AddWindowEnd(const std::vector<int>& keys, Relation* input) {
  const int start_key = KeyWithRole(*input, keys, TimeColumn::Role::kWindowStart);
  if (start_key < 0) return -1;
  const int start = keys[start_key];
  TimeColumn time = input->times.at(start);
  if (time.window == WindowKind::kCumulate) return -1;
  const Value size{SqlType::Of(TypeId::kInterval), IntervalParts{0, 0, time.size_micros}};
  MR_ASSIGN_OR_RETURN(
      ExprPtr end,
      BuildOperator("+", {MakeColumn(start, input->schema[start].type), MakeLiteral(size)}, 0));
  *input = Extend(std::move(*input), {std::move(end)}, "window_end");
  time.role = TimeColumn::Role::kWindowEnd;
  input->times.emplace(input->width() - 1, time);
  return input->width() - 1;
}

Relation PhysicalBuilder::AggregateInPhases(Relation input, const LogicalAggregate& aggregate,
                                            v1::HashAggregateNode base) {
  const int num_keys = static_cast<int>(aggregate.keys.size());
  const bool in_place =
      num_keys == 0 ? input.single() : fragments_->IsSpreadBy(input, aggregate.keys);
  const bool combinable =
      !input.changing &&
      std::all_of(aggregate.aggregates.begin(), aggregate.aggregates.end(), SupportsPartial);
  if (in_place || !combinable) {
    if (!in_place && num_keys == 0) input = fragments_->ToSingle(std::move(input));
    if (!in_place && num_keys > 0) input = fragments_->ToHash(std::move(input), aggregate.keys);
    base.set_phase(v1::AGGREGATE_PHASE_SINGLE);
    return AggregateNode(std::move(input), aggregate, std::move(base));
  }
  v1::HashAggregateNode partial = base;
  partial.set_phase(v1::AGGREGATE_PHASE_PARTIAL);
  partial.set_emit(v1::EMIT_MODE_AT_END);
  partial.set_streaming(options_.streaming);

  LogicalAggregate combining = aggregate;
  Schema partial_schema(aggregate.output.begin(), aggregate.output.begin() + num_keys);
  LogicalAggregate finishing = aggregate;
  finishing.keys = FirstColumns(num_keys);
  for (size_t i = 0; i < aggregate.aggregates.size(); ++i) {
    AggregateCall& call = finishing.aggregates[i];
    const std::vector<SqlType> types = ArgTypes(aggregate.aggregates[i], input.schema);
    call.args.clear();
    call.filter.reset();
    for (const SqlType& type : PartialColumns(aggregate.aggregates[i], types)) {
      call.args.push_back(static_cast<int>(partial_schema.size()));
      partial_schema.push_back({aggregate.output[num_keys + i].name, type});
    }
  }
  combining.output = std::move(partial_schema);
  Relation combined = AggregateNode(std::move(input), combining, std::move(partial));
  combined = num_keys == 0 ? fragments_->ToSingle(std::move(combined))
                           : fragments_->ToHash(std::move(combined), finishing.keys);
  base.set_phase(v1::AGGREGATE_PHASE_FINAL);
  return AggregateNode(std::move(combined), finishing, std::move(base));
}

Relation PhysicalBuilder::AggregateNode(Relation input, const LogicalAggregate& aggregate,
                                        v1::HashAggregateNode node) {
  for (int key : aggregate.keys) node.add_keys(key);
  for (const AggregateCall& call : aggregate.aggregates) ToProto(call, node.add_aggregates());
  Relation result = OnTop(std::move(input), [&](v1::PlanNode* top) {
    *top->mutable_hash_aggregate() = std::move(node);
  });
  InheritKeyTraits(aggregate.keys, &result);
  result.schema = aggregate.output;
  result.key = FirstColumns(static_cast<int>(aggregate.keys.size()));
  if (result.key->empty()) result.key.reset();
  return result;
}

}  // namespace millrace
