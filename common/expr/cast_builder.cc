#include <algorithm>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "common/expr/call_builder.h"
#include "common/expr/cast_kernels.h"
#include "common/expr/function_registry.h"
#include "common/expr/type_resolution.h"
#include "common/types/text_parse.h"
#include "common/types/value_array.h"

namespace millrace {
namespace {

ExprPtr MakeCast(ExprPtr input, const SqlType& target, int32_t position) {
  auto expr = std::make_shared<Expr>();
  expr->kind = ExprKind::kCast;
  expr->type = target;
  expr->position = position;
  expr->args.push_back(std::move(input));
  return expr;
}

bool IsTextLiteral(const Expr& expr) {
  return expr.kind == ExprKind::kLiteral &&
         (expr.type.id == TypeId::kUnknown || expr.type.is_string());
}

// The digits behind the point of a literal that is a number in quotes. A text that is no number
// gets 0 and fails when it is parsed.
absl::StatusOr<int32_t> ScaleOfLiteral(const Expr& literal, int32_t position) {
  int32_t scale = 0;
  const auto* text = std::get_if<std::string>(&literal.literal.value);
  if (text == nullptr || !NumericLiteralScale(*text, &scale)) return 0;
  if (scale > kMaxNumericPrecision) {
    return WithPosition(
        MakeError(SqlState::kNumericOutOfRange,
                  absl::StrCat("\"", *text, "\" has more than ", kMaxNumericPrecision,
                               " digits after the decimal point")),
        position);
  }
  return scale;
}

// numeric without precision and scale, as people write it.
bool IsPlainNumeric(const SqlType& type) {
  return type.id == TypeId::kNumeric && type.precision == 0 &&
         type.scale == kUnconstrainedNumericScale;
}

absl::StatusOr<ExprPtr> FoldLiteral(const Expr& input, const SqlType& target, Kernel kernel,
                                    int32_t position) {
  Value source = input.literal;
  // A literal of unknown type is text that is about to be read.
  if (source.type.id == TypeId::kUnknown) source.type = SqlType::Of(TypeId::kText);
  MR_ASSIGN_OR_RETURN(auto array, ArrayOfValue(source, 1));
  const EvalContext context;
  std::unique_ptr<KernelState> state;
  const Operand arg{array, false, source.type, 38};
  const KernelCall call{absl::MakeSpan(&arg, 1), 1, target, 38, &context, &state};
  auto result = kernel(call);
  if (!result.ok()) return WithPosition(result.status(), position);
  return MakeLiteral(ValueAt(**result, 0, target), input.position);
}

absl::Status CannotCast(const SqlType& from, const SqlType& to, CastContext context,
                        int32_t position) {
  const std::string types =
      absl::StrCat("type ", TypeName(SqlType::Of(from.id)), " to ", TypeName(SqlType::Of(to.id)));
  if (context == CastContext::kExplicit || !CanCast(from.id, to.id, CastContext::kExplicit)) {
    return WithPosition(MakeError(SqlState::kCannotCoerce, absl::StrCat("cannot cast ", types)),
                        position);
  }
  return WithPosition(
      MakeError(SqlState::kCannotCoerce, absl::StrCat("cannot cast ", types, " implicitly"),
                "You will need to rewrite or cast the expression."),
      position);
}

}  // namespace

SqlType NaturalType(const SqlType& type, TypeId target) {
  if (target != TypeId::kNumeric) return SqlType::Of(target);
  if (type.is_integer()) return SqlType::Numeric(0, 0);
  if (type.is_numeric()) return SqlType::Numeric(0, type.scale);
  return SqlType::Numeric(0, kUnconstrainedNumericScale);
}

absl::StatusOr<ExprPtr> Coerce(ExprPtr arg, TypeId id, int32_t position) {
  const SqlType& type = arg->type;
  const bool same = type.id == id || (type.is_string() && SqlType::Of(id).is_string());
  if (id == TypeId::kUnknown || same) return arg;
  SqlType target = NaturalType(type, id);
  if (IsTextLiteral(*arg) && id == TypeId::kNumeric) {
    MR_ASSIGN_OR_RETURN(target.scale, ScaleOfLiteral(*arg, arg->position));
  }
  // The position of a bad literal is its own.
  const int32_t where = arg->position != 0 ? arg->position : position;
  return BuildCast(std::move(arg), target, CastContext::kImplicit, where);
}

absl::StatusOr<ExprPtr> BuildCast(ExprPtr input, const SqlType& target, CastContext context,
                                  int32_t position) {
  SqlType to = target;
  if (context == CastContext::kExplicit && IsPlainNumeric(target)) {
    if (input->type.is_numeric()) return input;
    to = NaturalType(input->type, TypeId::kNumeric);
    if (IsTextLiteral(*input)) {
      MR_ASSIGN_OR_RETURN(to.scale, ScaleOfLiteral(*input, position));
    }
  }
  if (input->type == to) return input;
  const SqlType& from = input->type;
  if (!CanCast(from.id, to.id, context)) return CannotCast(from, to, context, position);
  if (input->kind == ExprKind::kLiteral && input->literal.is_null()) {
    return MakeLiteral(Value::Null(to), input->position);
  }
  const bool has_length = to.is_string() && to.precision > 0;
  const bool assigns_length = context == CastContext::kAssignment && has_length;
  if (assigns_length && from.id == to.id && from.precision > 0 && from.precision <= to.precision) {
    return MakeCast(std::move(input), to, position);
  }
  if (assigns_length && !from.is_string() && from.id != TypeId::kUnknown) {
    // Spelled out first, so that the length is checked and not cut.
    MR_ASSIGN_OR_RETURN(input, BuildCast(std::move(input), SqlType::Of(TypeId::kText),
                                         CastContext::kAssignment, position));
  }
  const SqlType source =
      input->type.id == TypeId::kUnknown ? SqlType::Of(TypeId::kText) : input->type;
  const Kernel kernel = assigns_length ? AssignLength : FindCastKernel(source, to);
  if (kernel == nullptr) return CannotCast(input->type, to, context, position);
  const bool foldable = input->kind == ExprKind::kLiteral &&
                        (input->type.id == TypeId::kUnknown || IsImmutableCast(input->type, to));
  if (foldable) return FoldLiteral(*input, to, kernel, position);
  if (assigns_length) {
    return MakeCall("assign_length(text)", {std::move(input)}, to, position);
  }
  return MakeCast(std::move(input), to, position);
}

}  // namespace millrace
