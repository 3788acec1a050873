#include "coordinator/sql/literals.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "common/expr/evaluator.h"
#include "common/expr/function_registry.h"
#include "common/types/text_parse.h"
#include "coordinator/sql/parse_tree.h"

namespace millrace {
namespace {

constexpr int32_t kMaxNumericDigits = kMaxNumericPrecision;

// PostgreSQL's interval type modifier: a set of fields, each one bit.
constexpr int32_t kAllFields = 0x7FFF;
constexpr int32_t FieldBit(IntervalUnit unit) { return 1 << static_cast<int32_t>(unit); }

// Written with an exponent, and with no more digits than a double keeps.
bool HasExponent(absl::string_view text) {
  constexpr size_t kDigitsOfDouble = 15;
  const size_t exponent = text.find_first_of("eE");
  return exponent != absl::string_view::npos && exponent <= kDigitsOfDouble;
}

absl::StatusOr<ExprPtr> BindNumber(absl::string_view text, int32_t position) {
  int64_t integer = 0;
  if (absl::SimpleAtoi(text, &integer)) {
    // The parser leaves the least integer to us: -2147483648.
    const bool fits = integer >= std::numeric_limits<int32_t>::min() &&
                      integer <= std::numeric_limits<int32_t>::max();
    return MakeLiteral(Value{SqlType::Of(fits ? TypeId::kInt32 : TypeId::kInt64), integer},
                       position);
  }
  int32_t scale = 0;
  __int128 unscaled = 0;
  const bool is_number = NumericLiteralScale(text, &scale);
  if (!is_number || scale > kMaxNumericDigits || !ParseNumeric(text, scale, &unscaled)) {
    // 1e308 is too large for numeric; with an exponent it hardly means anything but a double.
    double real = 0;
    if (HasExponent(text) && ParseFloat64(text, &real)) {
      return MakeLiteral(Value{SqlType::Of(TypeId::kFloat64), real}, position);
    }
    return WithPosition(
        MakeError(SqlState::kNumericOutOfRange,
                  absl::StrCat("the number ", text, " has more digits than numeric can hold (",
                               kMaxNumericDigits, ")")),
        position);
  }
  return MakeLiteral(Value{SqlType::Numeric(0, scale), unscaled}, position);
}

// Types of PostgreSQL that Millrace does not have.
bool IsMissingType(absl::string_view name) {
  static constexpr const char* kNames[] = {
      "json",      "jsonb",     "xml",      "money",   "bit",       "varbit",    "inet",
      "cidr",      "macaddr",   "macaddr8", "point",   "line",      "lseg",      "box",
      "path",      "polygon",   "circle",   "timetz",  "serial",    "bigserial", "smallserial",
      "oid",       "regclass",  "regtype",  "name",    "record",    "tsvector",  "tsquery",
      "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange", "hstore"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

// The constants between the parentheses of a type.
absl::StatusOr<std::vector<int32_t>> Modifiers(const PgQuery__TypeName& name) {
  std::vector<int32_t> modifiers;
  for (const ParseNode* node : Nodes(name.n_typmods, name.typmods)) {
    if (!IsNode(node, PG_QUERY__NODE__NODE_A_CONST) ||
        node->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL) {
      return MakeError(SqlState::kInvalidParameterValue,
                       "type modifiers must be integer constants");
    }
    modifiers.push_back(node->a_const->ival == nullptr ? 0 : node->a_const->ival->ival);
  }
  return modifiers;
}

// The smallest field of a set; seconds if there is none.
IntervalUnit SmallestField(int32_t fields) {
  for (const IntervalUnit unit : {IntervalUnit::kSecond, IntervalUnit::kMinute, IntervalUnit::kHour,
                                  IntervalUnit::kDay, IntervalUnit::kMonth, IntervalUnit::kYear}) {
    if ((fields & FieldBit(unit)) != 0) return unit;
  }
  return IntervalUnit::kSecond;
}

// Parts below the smallest field are cut off, as PostgreSQL does.
void CutBelow(IntervalUnit smallest, IntervalParts* parts) {
  constexpr int64_t kMicrosPerMinute = int64_t{60} * 1'000'000;
  constexpr int64_t kMinutesPerHour = 60;
  constexpr int32_t kMonthsPerYear = 12;
  switch (smallest) {
    case IntervalUnit::kYear:
      parts->months -= parts->months % kMonthsPerYear;
      [[fallthrough]];
    case IntervalUnit::kMonth:
      parts->days = 0;
      [[fallthrough]];
    case IntervalUnit::kDay:
      parts->micros = 0;
      break;
    case IntervalUnit::kHour:
      parts->micros -= parts->micros % (kMicrosPerMinute * kMinutesPerHour);
      break;
    case IntervalUnit::kMinute:
      parts->micros -= parts->micros % kMicrosPerMinute;
      break;
    case IntervalUnit::kSecond:
      break;
  }
}

// '2:30' MINUTE TO SECOND means minutes and seconds; without fields it would be hours and minutes.
bool IsMinutesAndSeconds(absl::string_view text, int32_t fields) {
  return fields == (FieldBit(IntervalUnit::kMinute) | FieldBit(IntervalUnit::kSecond)) &&
         std::count(text.begin(), text.end(), ':') == 1 && !absl::StrContains(text, ' ');
}

}  // namespace

absl::StatusOr<ExprPtr> BindLiteral(const PgQuery__AConst& literal, int32_t position) {
  if (literal.isnull) return MakeLiteral(Value::Null(SqlType{}), position);
  switch (literal.val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
      return MakeLiteral(Value{SqlType::Of(TypeId::kInt32),
                               int64_t{literal.ival == nullptr ? 0 : literal.ival->ival}},
                         position);
    case PG_QUERY__A__CONST__VAL_FVAL:
      return BindNumber(literal.fval->fval, position);
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
      return MakeLiteral(Value{SqlType::Of(TypeId::kBoolean),
                               literal.boolval != nullptr && literal.boolval->boolval != 0},
                         position);
    case PG_QUERY__A__CONST__VAL_SVAL:
      return MakeLiteral(
          Value{SqlType{}, std::string(literal.sval == nullptr ? "" : literal.sval->sval)},
          position);
    case PG_QUERY__A__CONST__VAL_BSVAL:
      return WithPosition(NotSupported("a bit string"), position);
    default:
      return WithPosition(NotSupported("this kind of constant"), position);
  }
}

absl::StatusOr<SqlType> BindTypeName(const PgQuery__TypeName& name,
                                     const QueryEnvironment& environment) {
  const int32_t position = environment.PositionOf(name.location);
  const ParseNodes names = Nodes(name.n_names, name.names);
  const std::string last(LastName(names));
  if (name.n_array_bounds > 0) return WithPosition(NotSupported("an array type"), position);
  if (name.setof) return WithPosition(NotSupported("SETOF"), position);
  if (name.pct_type) return WithPosition(NotSupported("%TYPE"), position);
  const bool known_schema =
      names.size() == 1 || StringOf(names[0]) == "pg_catalog" || StringOf(names[0]) == "public";
  if (!known_schema) {
    return WithPosition(MakeError(SqlState::kUndefinedObject,
                                  absl::StrCat("type \"", absl::StrJoin(StringsOf(names), "."),
                                               "\" does not exist")),
                        position);
  }
  if (IsMissingType(last)) {
    return WithPosition(NotSupported(absl::StrCat("type ", last)), position);
  }
  absl::StatusOr<std::vector<int32_t>> modifiers = Modifiers(name);
  if (!modifiers.ok()) return WithPosition(modifiers.status(), position);
  if (last == "interval" && !modifiers->empty()) {
    if (modifiers->front() != kAllFields) {
      return WithPosition(NotSupported("a cast to an interval with fields"), position);
    }
    modifiers->clear();
  }
  absl::StatusOr<SqlType> type = ResolveTypeName(last, *modifiers);
  if (!type.ok()) return WithPosition(type.status(), position);
  return type;
}

absl::StatusOr<ExprPtr> BindIntervalWithFields(const PgQuery__TypeName& name,
                                               const PgQuery__Node& value, int32_t position) {
  const ParseNodes names = Nodes(name.n_names, name.names);
  const bool has_fields = LastName(names) == "interval" && name.n_typmods > 0;
  if (!has_fields || !IsNode(&value, PG_QUERY__NODE__NODE_A_CONST) ||
      value.a_const->val_case != PG_QUERY__A__CONST__VAL_SVAL) {
    return ExprPtr();
  }
  MR_ASSIGN_OR_RETURN(const std::vector<int32_t> modifiers, Modifiers(name));
  const int32_t fields = modifiers[0];
  if (fields == kAllFields) return ExprPtr();
  const IntervalUnit smallest = SmallestField(fields);
  std::string text = value.a_const->sval == nullptr ? "" : value.a_const->sval->sval;
  if (IsMinutesAndSeconds(text, fields)) text = absl::StrCat("0:", text);
  IntervalParts parts;
  const SqlType type = SqlType::Of(TypeId::kInterval);
  if (!ParseInterval(text, smallest, &parts)) {
    return WithPosition(ParseFailure(text, type), position);
  }
  CutBelow(smallest, &parts);
  return MakeLiteral(Value{type, parts}, position);
}

absl::StatusOr<Value> ConstantValue(const Expr& expr, const QueryEnvironment& environment) {
  EvalContext moment;
  moment.statement_time_micros = environment.session.context.statement_time_micros;
  return EvaluateConstant(expr, moment);
}

std::optional<std::string> OptionText(const PgQuery__Node& value) {
  switch (value.node_case) {
    case PG_QUERY__NODE__NODE_STRING:
      return value.string->sval;
    case PG_QUERY__NODE__NODE_INTEGER:
      return absl::StrCat(value.integer->ival);
    case PG_QUERY__NODE__NODE_FLOAT:
      return value.float_->fval;
    case PG_QUERY__NODE__NODE_BOOLEAN:
      return value.boolean->boolval ? "true" : "false";
    case PG_QUERY__NODE__NODE_TYPE_NAME:
      return std::string(LastName(Nodes(value.type_name->n_names, value.type_name->names)));
    case PG_QUERY__NODE__NODE_A_CONST:
      break;
    default:
      return std::nullopt;
  }
  const PgQuery__AConst& constant = *value.a_const;
  switch (constant.val_case) {
    case PG_QUERY__A__CONST__VAL_SVAL:
      return constant.sval == nullptr ? "" : constant.sval->sval;
    case PG_QUERY__A__CONST__VAL_IVAL:
      return absl::StrCat(constant.ival == nullptr ? 0 : constant.ival->ival);
    case PG_QUERY__A__CONST__VAL_FVAL:
      return constant.fval->fval;
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
      return constant.boolval != nullptr && constant.boolval->boolval ? "true" : "false";
    default:
      return std::nullopt;
  }
}

}  // namespace millrace
