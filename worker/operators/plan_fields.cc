#include "worker/operators/plan_fields.h"

#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

Schema SchemaFrom(const google::protobuf::RepeatedPtrField<v1::Field>& fields) {
  Schema schema;
  schema.reserve(fields.size());
  for (const v1::Field& field : fields) schema.push_back(FromProto(field));
  return schema;
}

std::vector<SqlType> TypesFrom(const google::protobuf::RepeatedPtrField<v1::Field>& fields) {
  std::vector<SqlType> types;
  types.reserve(fields.size());
  for (const v1::Field& field : fields) types.push_back(FromProto(field.type()));
  return types;
}

}  // namespace

Schema InputSchema(const v1::PlanNode& node, int input) {
  return SchemaFrom(node.inputs(input).output());
}

std::vector<SqlType> InputTypes(const v1::PlanNode& node, int input) {
  return TypesFrom(node.inputs(input).output());
}

std::vector<SqlType> OutputTypes(const v1::PlanNode& node) { return TypesFrom(node.output()); }

std::vector<int> ColumnsOf(const google::protobuf::RepeatedField<uint32_t>& columns) {
  return {columns.begin(), columns.end()};
}

absl::StatusOr<std::vector<ExprPtr>> ExprsOf(
    const google::protobuf::RepeatedPtrField<v1::Expr>& exprs) {
  std::vector<ExprPtr> result;
  for (const v1::Expr& proto : exprs) {
    MR_ASSIGN_OR_RETURN(ExprPtr expr, FromProto(proto));
    result.push_back(std::move(expr));
  }
  return result;
}

absl::StatusOr<std::vector<SortKey>> SortKeysOf(
    const google::protobuf::RepeatedPtrField<v1::SortKey>& keys) {
  std::vector<SortKey> result;
  for (const v1::SortKey& proto : keys) {
    MR_ASSIGN_OR_RETURN(SortKey key, FromProto(proto));
    result.push_back(std::move(key));
  }
  return result;
}

absl::StatusOr<std::vector<AggregateCall>> AggregatesOf(
    const google::protobuf::RepeatedPtrField<v1::AggregateCall>& calls) {
  std::vector<AggregateCall> result;
  for (const v1::AggregateCall& proto : calls) {
    MR_ASSIGN_OR_RETURN(AggregateCall call, FromProto(proto));
    result.push_back(std::move(call));
  }
  return result;
}

std::vector<SqlType> TypesOf(const google::protobuf::RepeatedPtrField<v1::SqlType>& types) {
  std::vector<SqlType> result;
  for (const v1::SqlType& type : types) result.push_back(FromProto(type));
  return result;
}

std::vector<SqlType> PickTypes(const std::vector<SqlType>& types, const std::vector<int>& columns) {
  std::vector<SqlType> picked;
  picked.reserve(columns.size());
  for (const int column : columns) picked.push_back(types[column]);
  return picked;
}

std::vector<int> FirstColumns(int n) {
  std::vector<int> columns(n);
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

absl::Status CheckNumInputs(const v1::PlanNode& node, int num_inputs) {
  if (node.inputs_size() == num_inputs) return absl::OkStatus();
  return InternalError(absl::StrCat("plan node ", node.id(), " has ", node.inputs_size(),
                                    " inputs instead of ", num_inputs));
}

}  // namespace millrace
