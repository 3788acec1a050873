#include "common/expr/function_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/nearest_name.h"
#include "common/base/status.h"
#include "common/expr/call_builder.h"
#include "common/expr/datetime_field.h"
#include "common/expr/number_template.h"
#include "common/expr/operator_names.h"
#include "common/expr/type_resolution.h"
#include "common/types/calendar.h"
#include "common/types/decimal.h"

namespace millrace {
namespace {

constexpr char kCastHint[] =
    "No function matches the given name and argument types. You might need to add explicit type "
    "casts.";
constexpr char kOperatorHint[] =
    "No operator matches the given name and argument types. You might need to add explicit type "
    "casts.";
constexpr char kAmbiguousHint[] =
    "Could not choose a best candidate. You might need to add explicit type casts.";

absl::Status At(absl::Status status, int32_t position) {
  return WithPosition(std::move(status), position);
}

// Names of the catalog that only operators reach.
bool IsOperatorOnly(absl::string_view name) {
  constexpr absl::string_view kAlsoFunctions[] = {"power", "mod",  "abs",
                                                  "sqrt",  "cbrt", "starts_with"};
  if (std::find(std::begin(kAlsoFunctions), std::end(kAlsoFunctions), name) !=
      std::end(kAlsoFunctions)) {
    return false;
  }
  for (const char* hidden :
       {"assign_length", "require_not_null", "require_single_row", "interval_span"}) {
    if (name == hidden) return true;
  }
  return std::any_of(std::begin(kOperatorNames), std::end(kOperatorNames),
                     [&](const OperatorName& entry) { return name == entry.function; });
}

// The nearest name, where there is no function of this one.
std::string HintForFunction(absl::string_view name) {
  if (!FindFunctions(name).empty()) return kCastHint;
  std::vector<std::string> known = {"coalesce", "nullif", "greatest", "least"};
  for (const FunctionEntry& entry : AllFunctions()) {
    if (!IsOperatorOnly(entry.name)) known.push_back(entry.name);
  }
  const std::string nearest = NearestName(name, known);
  return nearest.empty() ? kCastHint : absl::StrCat("Perhaps you meant \"", nearest, "\".");
}

absl::Status NoSuchFunction(absl::string_view name, absl::Span<const ExprPtr> args,
                            bool ambiguous) {
  const std::string call = absl::StrCat("function ", name, "(", ArgumentList(args), ")");
  if (ambiguous) {
    return MakeError(SqlState::kAmbiguousFunction, absl::StrCat(call, " is not unique"),
                     kAmbiguousHint);
  }
  return MakeError(SqlState::kUndefinedFunction, absl::StrCat(call, " does not exist"),
                   HintForFunction(name));
}

absl::Status NoSuchOperator(absl::string_view op, absl::Span<const ExprPtr> args, bool ambiguous) {
  const auto type = [&](size_t i) { return TypeName(SqlType::Of(args[i]->type.id)); };
  const std::string use = args.size() == 1 ? absl::StrCat(op, " ", type(0))
                                           : absl::StrCat(type(0), " ", op, " ", type(1));
  if (ambiguous) {
    return MakeError(SqlState::kAmbiguousFunction, absl::StrCat("operator is not unique: ", use),
                     kAmbiguousHint);
  }
  return MakeError(SqlState::kUndefinedFunction, absl::StrCat("operator does not exist: ", use),
                   kOperatorHint);
}

int32_t MaxScale(absl::Span<const ExprPtr> args) {
  int32_t scale = 0;
  for (const ExprPtr& arg : args) scale = std::max(scale, arg->type.scale);
  return scale;
}

// The value of a numeric constant; false if `expr` is none.
bool NumericConstant(const Expr& expr, __int128* value) {
  if (!expr.type.is_numeric() || !IsConstant(expr)) return false;
  const auto constant = EvaluateConstant(expr);
  if (!constant.ok() || constant->is_null()) return false;
  *value = std::get<__int128>(constant->value);
  return true;
}

// Digits that the expression can have before the point; −1 if that is not known.
int32_t WholeDigits(const Expr& expr) {
  __int128 value = 0;
  if (!NumericConstant(expr, &value)) {
    return expr.type.precision > 0 ? expr.type.precision - expr.type.scale : -1;
  }
  int32_t digits = -expr.type.scale;
  for (; value != 0; value /= 10) ++digits;
  return std::max(digits, 0);
}

// A product has the digits of both factors behind the point, as in PostgreSQL, up to 20 of them,
// and more where what is known of the factors leaves room. Otherwise it keeps 16, as plain numeric
// does, or as many as a factor has, so that there is room for 22 digits before the point; the
// kernel rounds.
int32_t ScaleOfProduct(const Expr& a, const Expr& b) {
  constexpr int32_t kExactProductScale = 20;
  const int32_t exact = a.type.scale + b.type.scale;
  if (exact <= kExactProductScale) return exact;
  int32_t room = std::max({a.type.scale, b.type.scale, kUnconstrainedNumericScale});
  const int32_t a_whole = WholeDigits(a);
  const int32_t b_whole = WholeDigits(b);
  if (a_whole >= 0 && b_whole >= 0) {
    room = std::max(room, kMaxNumericPrecision - a_whole - b_whole);
  }
  return std::min(exact, room);
}

// How a numeric constant looks in base 10,000, in which PostgreSQL computes.
struct NumericShape {
  int32_t weight = 0;       // power of the first digit that is not 0
  int32_t first_digit = 0;  // 0 for zero
};

NumericShape ShapeOf(__int128 value, int32_t scale) {
  constexpr int32_t kDigitsOfGroup = 4;
  NumericShape shape;
  const __int128 magnitude = value < 0 ? -value : value;
  if (magnitude == 0) return shape;
  int32_t exponent = -scale - 1;
  for (__int128 rest = magnitude; rest > 0; rest /= 10) ++exponent;
  shape.weight = static_cast<int32_t>(FloorDiv(exponent, kDigitsOfGroup));
  const int32_t drop = shape.weight * kDigitsOfGroup + scale;
  shape.first_digit = static_cast<int32_t>(drop >= 0 ? magnitude / PowerOfTen(drop)
                                                     : magnitude * PowerOfTen(-drop));
  return shape;
}

// PostgreSQL's select_div_scale where both operands are known: at least 16 significant digits.
// Columns get what fits all rows: at least 16 digits behind the point.
int32_t ScaleOfQuotient(absl::Span<const ExprPtr> args) {
  constexpr int32_t kMinSignificantDigits = 16;
  const int32_t largest = MaxScale(args);
  NumericShape shapes[2];
  for (size_t i = 0; i < 2; ++i) {
    __int128 value = 0;
    if (!NumericConstant(*args[i], &value)) return std::max(kUnconstrainedNumericScale, largest);
    shapes[i] = ShapeOf(value, args[i]->type.scale);
  }
  int32_t weight = shapes[0].weight - shapes[1].weight;
  if (shapes[0].first_digit <= shapes[1].first_digit) --weight;
  return std::max({kMinSignificantDigits - weight * 4, largest, 0});
}

// round(x, 2): the digits asked for, where they are known; otherwise those of x are kept.
int32_t ScaleByLiteral(absl::Span<const ExprPtr> args) {
  if (args.size() < 2) return 0;
  if (!IsConstant(*args[1])) return args[0]->type.scale;
  const auto digits = EvaluateConstant(*args[1]);
  if (!digits.ok() || digits->is_null()) return args[0]->type.scale;
  const int64_t scale = std::get<int64_t>(digits->value);
  return static_cast<int32_t>(std::clamp<int64_t>(scale, 0, kMaxNumericPrecision));
}

// extract(second from x) has six digits, extract(year from x) none.
int32_t ScaleByField(absl::Span<const ExprPtr> args) {
  constexpr int32_t kLargest = 6;
  const auto* name = std::get_if<std::string>(&args[0]->literal.value);
  if (name == nullptr) return kLargest;
  const auto field = ParseDatetimeField(*name, args[1]->type);
  if (!field.ok()) return kLargest;
  const bool whole = args[1]->type.id == TypeId::kDate;
  return whole ? 0 : ScaleOfField(*field);
}

// to_number(x, '999.99') has two digits.
int32_t ScaleByTemplate(absl::Span<const ExprPtr> args) {
  const auto* text = std::get_if<std::string>(&args[1]->literal.value);
  if (text == nullptr) return kUnconstrainedNumericScale;
  const auto form = NumberTemplate::Create(*text);
  return form.ok() ? form->post_digits() + form->shift() : kUnconstrainedNumericScale;
}

SqlType ResultType(const FunctionEntry& entry, absl::Span<const ExprPtr> args) {
  if (entry.result != TypeId::kNumeric) return SqlType::Of(entry.result);
  const auto numeric = [](int32_t scale) {
    return SqlType::Numeric(0, std::min(scale, kMaxNumericPrecision));
  };
  switch (entry.scale_rule) {
    case ScaleRule::kNone:
    case ScaleRule::kZero:
      return numeric(0);
    case ScaleRule::kMax:
      return numeric(MaxScale(args));
    case ScaleRule::kSum:
      return numeric(ScaleOfProduct(*args[0], *args[1]));
    case ScaleRule::kDivide:
      return numeric(ScaleOfQuotient(args));
    case ScaleRule::kInexact:
      return numeric(std::max(kUnconstrainedNumericScale, MaxScale(args)));
    case ScaleRule::kByLiteral:
      return numeric(ScaleByLiteral(args));
    case ScaleRule::kByField:
      return numeric(ScaleByField(args));
    case ScaleRule::kByTemplate:
      return numeric(ScaleByTemplate(args));
  }
  return numeric(0);
}

// A call of a type's name is a cast: date(ts), text(5).
absl::StatusOr<ExprPtr> BuildCastCall(absl::string_view name, const std::vector<ExprPtr>& args,
                                      int32_t position) {
  if (args.size() == 1) {
    const auto type = ResolveTypeName(name, {});
    if (type.ok() && CanCast(args[0]->type.id, type->id, CastContext::kExplicit)) {
      return BuildCast(args[0], *type, CastContext::kExplicit, position);
    }
  }
  return At(NoSuchFunction(name, args, /*ambiguous=*/false), position);
}

// A date compared with a constant timestamp that is a midnight is compared with that day: no cast
// of every row, and sources can use the comparison to skip data.
void MidnightToDate(std::vector<ExprPtr>* args, TypeId* common) {
  for (ExprPtr& arg : *args) {
    if (arg->type.id != TypeId::kTimestamp || !IsConstant(*arg)) continue;
    const auto value = EvaluateConstant(*arg);
    if (!value.ok() || value->is_null()) continue;
    const int64_t micros = std::get<int64_t>(value->value);
    if (FloorMod(micros, kMicrosPerDay) != 0) continue;
    const Value day{SqlType::Of(TypeId::kDate), FloorDiv(micros, kMicrosPerDay)};
    arg = MakeLiteral(day, arg->position);
    *common = TypeId::kDate;
  }
}

absl::StatusOr<ExprPtr> BuildNullIf(std::vector<ExprPtr> args, int32_t position) {
  if (args.size() != 2) return At(NoSuchFunction("nullif", args, false), position);
  MR_ASSIGN_OR_RETURN(ExprPtr equal, BuildOperator("=", args, position));
  // The first argument as "=" takes it: PostgreSQL compares integers of two widths as they are, but
  // makes an integer numeric to compare it with one.
  const SqlType& written = args[0]->type;
  const SqlType& compared = equal->args[0]->type;
  const bool changes = written.id == TypeId::kUnknown ||
                       (written.is_integer() && !compared.is_integer()) ||
                       (written.is_numeric() && compared.is_float());
  ExprPtr value = changes ? equal->args[0] : args[0];
  const SqlType type = value->type;
  return MakeCall("nullif", {std::move(value), std::move(equal)}, type, position);
}

absl::StatusOr<ExprPtr> BuildCommonTypeForm(const char* name, const char* what,
                                            std::vector<ExprPtr> args, int32_t position) {
  if (args.empty()) {
    return At(MakeError(SqlState::kSyntaxError, absl::StrCat(what, " needs an argument")),
              position);
  }
  MR_ASSIGN_OR_RETURN(args, CastToCommonType(std::move(args), what, position));
  const SqlType type = args[0]->type;
  if (args.size() == 1) return args[0];
  return MakeCall(name, std::move(args), type, position);
}

const char* OperatorFunction(absl::string_view op, bool unary) {
  for (const OperatorName& entry : kOperatorNames) {
    if (op == entry.symbol && entry.unary == unary) return entry.function;
  }
  return nullptr;
}

}  // namespace

ExprPtr MakeCall(std::string function, std::vector<ExprPtr> args, SqlType type, int32_t position) {
  auto expr = std::make_shared<Expr>();
  expr->kind = ExprKind::kCall;
  expr->type = type;
  expr->position = position;
  expr->function = std::move(function);
  expr->args = std::move(args);
  return expr;
}

std::vector<TypeId> TypeIdsOf(absl::Span<const ExprPtr> args) {
  std::vector<TypeId> ids;
  ids.reserve(args.size());
  for (const ExprPtr& arg : args) ids.push_back(arg->type.id);
  return ids;
}

absl::StatusOr<ExprPtr> CallEntry(const FunctionEntry& entry, std::vector<ExprPtr> args,
                                  int32_t position) {
  const FunctionEntry* target = &entry;
  if (entry.promote_to != TypeId::kUnknown) {
    TypeId common = entry.promote_to;
    if (common == TypeId::kTimestamp) MidnightToDate(&args, &common);
    const std::vector<TypeId> promoted(args.size(), common);
    bool ambiguous = false;
    target = SelectCandidate(FindFunctions(entry.name), promoted, &ambiguous);
    MR_CHECK(target != nullptr);
  }
  for (size_t i = 0; i < args.size(); ++i) {
    const TypeId parameter = ParameterType(*target, i);
    // What takes anything sees unknown literals as text.
    const bool any = parameter == TypeId::kUnknown && args[i]->type.id == TypeId::kUnknown;
    MR_ASSIGN_OR_RETURN(args[i], Coerce(args[i], any ? TypeId::kText : parameter, position));
  }
  const SqlType type = ResultType(*target, args);
  return MakeCall(target->UniqueName(), std::move(args), type, position);
}

absl::StatusOr<ExprPtr> BuildFunctionCall(absl::string_view name, std::vector<ExprPtr> args,
                                          int32_t position) {
  if (name == "coalesce")
    return BuildCommonTypeForm("coalesce", "COALESCE", std::move(args), position);
  if (name == "greatest")
    return BuildCommonTypeForm("greatest", "GREATEST", std::move(args), position);
  if (name == "least") return BuildCommonTypeForm("least", "LEAST", std::move(args), position);
  if (name == "nullif") return BuildNullIf(std::move(args), position);
  const absl::Span<const FunctionEntry> candidates = FindFunctions(name);
  if (candidates.empty() || IsOperatorOnly(name)) return BuildCastCall(name, args, position);
  bool ambiguous = false;
  const FunctionEntry* entry = SelectCandidate(candidates, TypeIdsOf(args), &ambiguous);
  if (entry == nullptr && !ambiguous) return BuildCastCall(name, args, position);
  if (entry == nullptr) return At(NoSuchFunction(name, args, ambiguous), position);
  return CallEntry(*entry, std::move(args), position);
}

absl::StatusOr<ExprPtr> BuildOperator(absl::string_view op, std::vector<ExprPtr> args,
                                      int32_t position) {
  MR_CHECK(args.size() == 1 || args.size() == 2);
  const char* function = OperatorFunction(op, args.size() == 1);
  if (function == nullptr) return At(NoSuchOperator(op, args, false), position);
  std::vector<TypeId> types = TypeIdsOf(args);
  // The roots are operators of double precision only, although sqrt() takes numeric too.
  if (op == "|/" && (args[0]->type.is_number() || types[0] == TypeId::kUnknown)) {
    types[0] = TypeId::kFloat64;
  }
  bool ambiguous = false;
  const FunctionEntry* entry = SelectCandidate(FindFunctions(function), types, &ambiguous);
  if (entry == nullptr) return At(NoSuchOperator(op, args, ambiguous), position);
  if (entry->name == "concat_op" && entry->result == TypeId::kText) {
    // "anything || text" spells the other side out.
    for (ExprPtr& arg : args) {
      if (arg->type.is_string()) continue;
      MR_ASSIGN_OR_RETURN(
          arg, BuildCast(arg, SqlType::Of(TypeId::kText), CastContext::kAssignment, position));
    }
    entry = FindImplementation("concat_op(text,text)");
  }
  return CallEntry(*entry, std::move(args), position);
}

std::vector<FunctionDescription> ListFunctions() {
  std::vector<FunctionDescription> list;
  const auto type_name = [](TypeId id) {
    return id == TypeId::kUnknown ? std::string("any") : TypeName(SqlType::Of(id));
  };
  for (const FunctionEntry& entry : AllFunctions()) {
    if (IsOperatorOnly(entry.name) || entry.promote_to != TypeId::kUnknown) continue;
    std::string arguments;
    for (size_t i = 0; i < entry.args.size(); ++i) {
      absl::StrAppend(&arguments, i == 0 ? "" : ", ", type_name(entry.args[i]));
    }
    if (entry.is_variadic()) absl::StrAppend(&arguments, ", ...");
    list.push_back({entry.name, arguments, type_name(entry.result), entry.description});
  }
  list.push_back({"coalesce", "any, ...", "any", "the first argument that is not NULL"});
  list.push_back({"nullif", "any, any", "any", "NULL if both are equal, otherwise the first"});
  list.push_back({"greatest", "any, ...", "any", "the largest argument that is not NULL"});
  list.push_back({"least", "any, ...", "any", "the smallest argument that is not NULL"});
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.name < b.name; });
  return list;
}

}  // namespace millrace
