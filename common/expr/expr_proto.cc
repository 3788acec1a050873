#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/expr.h"
#include "millrace/v1/expr.pb.h"

namespace millrace {
namespace {

// Plans come from the network; a deeper tree than any that the binder makes is refused before it
// can exhaust the stack.
constexpr int kMaxDepth = 2000;

absl::Status Malformed(absl::string_view what) {
  return MakeError(SqlState::kProtocolViolation, absl::StrCat("malformed expression: ", what));
}

void CaseToProto(const Expr& expr, v1::Case* out) {
  const size_t num_branches = expr.args.size() / 2;
  for (size_t i = 0; i < num_branches; ++i) {
    ToProto(*expr.args[2 * i], out->add_conditions());
    ToProto(*expr.args[2 * i + 1], out->add_results());
  }
  ToProto(*expr.args.back(), out->mutable_otherwise());
}

absl::StatusOr<ExprPtr> FromProtoAtDepth(const v1::Expr& proto, int depth);

absl::Status AppendArg(const v1::Expr& proto, int depth, Expr* expr) {
  MR_ASSIGN_OR_RETURN(ExprPtr arg, FromProtoAtDepth(proto, depth + 1));
  expr->args.push_back(std::move(arg));
  return absl::OkStatus();
}

absl::Status CaseFromProto(const v1::Case& proto, int depth, Expr* expr) {
  if (proto.conditions_size() != proto.results_size() || proto.conditions_size() == 0) {
    return Malformed("CASE needs as many results as conditions");
  }
  for (int i = 0; i < proto.conditions_size(); ++i) {
    MR_RETURN_IF_ERROR(AppendArg(proto.conditions(i), depth, expr));
    MR_RETURN_IF_ERROR(AppendArg(proto.results(i), depth, expr));
  }
  if (proto.has_otherwise()) return AppendArg(proto.otherwise(), depth, expr);
  expr->args.push_back(MakeLiteral(Value::Null(expr->type)));
  return absl::OkStatus();
}

absl::StatusOr<ExprPtr> FromProtoAtDepth(const v1::Expr& proto, int depth) {
  if (depth > kMaxDepth) {
    return MakeError(SqlState::kStatementTooComplex, "expression is nested too deeply");
  }
  auto expr = std::make_shared<Expr>();
  expr->type = FromProto(proto.type());
  expr->position = proto.position();
  switch (proto.node_case()) {
    case v1::Expr::kColumn:
      expr->kind = ExprKind::kColumn;
      expr->column_index = static_cast<int>(proto.column().index());
      break;
    case v1::Expr::kLiteral:
      expr->kind = ExprKind::kLiteral;
      expr->literal = FromProto(proto.literal());
      break;
    case v1::Expr::kCall:
      expr->kind = ExprKind::kCall;
      expr->function = proto.call().function();
      for (const v1::Expr& arg : proto.call().args()) {
        MR_RETURN_IF_ERROR(AppendArg(arg, depth, expr.get()));
      }
      break;
    case v1::Expr::kCast:
      expr->kind = ExprKind::kCast;
      MR_RETURN_IF_ERROR(AppendArg(proto.cast().input(), depth, expr.get()));
      break;
    case v1::Expr::kCaseExpr:
      expr->kind = ExprKind::kCase;
      MR_RETURN_IF_ERROR(CaseFromProto(proto.case_expr(), depth, expr.get()));
      break;
    case v1::Expr::NODE_NOT_SET:
      return Malformed("empty node");
  }
  return ExprPtr(std::move(expr));
}

}  // namespace

void ToProto(const Expr& expr, v1::Expr* out) {
  out->Clear();
  ToProto(expr.type, out->mutable_type());
  out->set_position(expr.position);
  switch (expr.kind) {
    case ExprKind::kColumn:
      out->mutable_column()->set_index(static_cast<uint32_t>(expr.column_index));
      break;
    case ExprKind::kLiteral:
      ToProto(expr.literal, out->mutable_literal());
      break;
    case ExprKind::kCall:
      out->mutable_call()->set_function(expr.function);
      for (const ExprPtr& arg : expr.args) ToProto(*arg, out->mutable_call()->add_args());
      break;
    case ExprKind::kCast:
      ToProto(*expr.args[0], out->mutable_cast()->mutable_input());
      break;
    case ExprKind::kCase:
      CaseToProto(expr, out->mutable_case_expr());
      break;
  }
}

absl::StatusOr<ExprPtr> FromProto(const v1::Expr& proto) { return FromProtoAtDepth(proto, 0); }

void ToProto(const SortKey& key, v1::SortKey* out) {
  ToProto(*key.expr, out->mutable_expr());
  out->set_descending(key.descending);
  out->set_nulls_first(key.nulls_first);
}

absl::StatusOr<SortKey> FromProto(const v1::SortKey& proto) {
  SortKey key;
  MR_ASSIGN_OR_RETURN(key.expr, FromProto(proto.expr()));
  key.descending = proto.descending();
  key.nulls_first = proto.nulls_first();
  return key;
}

void ToProto(const AggregateCall& call, v1::AggregateCall* out) {
  out->Clear();
  out->set_function(static_cast<v1::AggregateFunction>(call.function));
  for (int arg : call.args) out->add_args(static_cast<uint32_t>(arg));
  out->set_distinct(call.distinct);
  if (call.filter.has_value()) out->set_filter(static_cast<uint32_t>(*call.filter));
  ToProto(call.type, out->mutable_type());
}

absl::StatusOr<AggregateCall> FromProto(const v1::AggregateCall& proto) {
  const bool known = v1::AggregateFunction_IsValid(proto.function()) &&
                     proto.function() != v1::AGGREGATE_FUNCTION_UNSPECIFIED;
  if (!known) return Malformed("unknown aggregate function");
  AggregateCall call;
  call.function = static_cast<AggregateFunction>(proto.function());
  for (uint32_t arg : proto.args()) call.args.push_back(static_cast<int>(arg));
  call.distinct = proto.distinct();
  if (proto.has_filter()) call.filter = static_cast<int>(proto.filter());
  call.type = FromProto(proto.type());
  return call;
}

}  // namespace millrace
