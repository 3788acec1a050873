#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"
#include "common/types/sql_type.h"

namespace google::protobuf {
template <typename T>
class RepeatedPtrField;
template <typename T>
class RepeatedField;
}  // namespace google::protobuf

namespace millrace {

namespace v1 {
class PlanNode;
class Expr;
class SortKey;
class AggregateCall;
class AggregateArgTypes;
class SqlType;
}  // namespace v1

// Parts of plan nodes in the form that operators use.

// Fields / types of what input `input` of a node delivers, and of what the node itself does.
Schema InputSchema(const v1::PlanNode& node, int input);
std::vector<SqlType> InputTypes(const v1::PlanNode& node, int input);
std::vector<SqlType> OutputTypes(const v1::PlanNode& node);

std::vector<int> ColumnsOf(const google::protobuf::RepeatedField<uint32_t>& columns);
absl::StatusOr<std::vector<ExprPtr>> ExprsOf(
    const google::protobuf::RepeatedPtrField<v1::Expr>& exprs);
absl::StatusOr<std::vector<SortKey>> SortKeysOf(
    const google::protobuf::RepeatedPtrField<v1::SortKey>& keys);
absl::StatusOr<std::vector<AggregateCall>> AggregatesOf(
    const google::protobuf::RepeatedPtrField<v1::AggregateCall>& calls);
std::vector<SqlType> TypesOf(const google::protobuf::RepeatedPtrField<v1::SqlType>& types);

// The types of some columns.
std::vector<SqlType> PickTypes(const std::vector<SqlType>& types, const std::vector<int>& columns);

// 0, 1, …, n − 1.
std::vector<int> FirstColumns(int n);

// XX000 unless the node has that many inputs.
absl::Status CheckNumInputs(const v1::PlanNode& node, int num_inputs);

}  // namespace millrace
