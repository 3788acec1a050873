#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/call_builder.h"
#include "common/expr/function_registry.h"
#include "common/expr/type_resolution.h"

// Aggregates and ranking functions of function_registry.h.

namespace millrace {
namespace {

struct AggregateName {
  absl::string_view name;
  AggregateFunction function;
};

constexpr AggregateName kAggregates[] = {
    {"count", AggregateFunction::kCount},
    {"sum", AggregateFunction::kSum},
    {"avg", AggregateFunction::kAvg},
    {"min", AggregateFunction::kMin},
    {"max", AggregateFunction::kMax},
    {"stddev", AggregateFunction::kStddevSamp},
    {"stddev_samp", AggregateFunction::kStddevSamp},
    {"stddev_pop", AggregateFunction::kStddevPop},
    {"variance", AggregateFunction::kVarSamp},
    {"var_samp", AggregateFunction::kVarSamp},
    {"var_pop", AggregateFunction::kVarPop},
    {"bool_and", AggregateFunction::kBoolAnd},
    {"every", AggregateFunction::kBoolAnd},
    {"bool_or", AggregateFunction::kBoolOr},
    {"string_agg", AggregateFunction::kStringAgg},
};

constexpr absl::string_view kRanking[] = {"row_number",  "rank",       "dense_rank", "percent_rank",
                                          "cume_dist",   "ntile",      "lag",        "lead",
                                          "first_value", "last_value", "nth_value"};

const AggregateName* FindAggregate(absl::string_view name) {
  for (const AggregateName& entry : kAggregates) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

absl::Status NoSuchFunction(absl::string_view name, const std::vector<ExprPtr>& args,
                            int32_t position) {
  return WithPosition(
      MakeError(SqlState::kUndefinedFunction,
                absl::StrCat("function ", name, "(", ArgumentList(args), ") does not exist"),
                "No function matches the given name and argument types. You might need to add "
                "explicit type casts."),
      position);
}

SqlType InexactNumeric(const SqlType& input) {
  const int32_t scale = input.is_numeric() ? input.scale : 0;
  return SqlType::Numeric(0, std::max(scale, kUnconstrainedNumericScale));
}

// The type of a sum; unknown if there is none.
SqlType SumType(const SqlType& input) {
  switch (input.id) {
    case TypeId::kInt16:
    case TypeId::kInt32:
      return SqlType::Of(TypeId::kInt64);
    case TypeId::kInt64:
      return SqlType::Numeric(0, 0);
    case TypeId::kNumeric:
      return SqlType::Numeric(0, input.scale);
    case TypeId::kFloat32:
    case TypeId::kFloat64:
    case TypeId::kInterval:
      return SqlType::Of(input.id);
    default:
      return SqlType();
  }
}

SqlType AverageType(const SqlType& input) {
  if (input.is_integer() || input.is_numeric()) return InexactNumeric(input);
  if (input.is_float()) return SqlType::Of(TypeId::kFloat64);
  if (input.id == TypeId::kInterval) return SqlType::Of(TypeId::kInterval);
  return SqlType();
}

SqlType DeviationType(const SqlType& input) {
  return input.is_number() ? AverageType(input) : SqlType();
}

SqlType ExtremumType(const SqlType& input) {
  const bool ordered = input.is_number() || input.is_string() || input.id == TypeId::kDate ||
                       input.id == TypeId::kTime || input.is_timestamp() ||
                       input.id == TypeId::kInterval;
  if (!ordered) return SqlType();
  // min(varchar) is text in PostgreSQL; min(numeric(12,2)) has no precision.
  if (input.is_numeric()) return SqlType::Numeric(0, input.scale);
  if (input.id == TypeId::kVarchar) return SqlType::Of(TypeId::kText);
  return input;
}

SqlType TypeOfAggregate(AggregateFunction function, const SqlType& input) {
  switch (function) {
    case AggregateFunction::kCount:
      return SqlType::Of(TypeId::kInt64);
    case AggregateFunction::kSum:
      return SumType(input);
    case AggregateFunction::kAvg:
      return AverageType(input);
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
      return ExtremumType(input);
    case AggregateFunction::kBoolAnd:
    case AggregateFunction::kBoolOr:
      return input.id == TypeId::kBoolean ? input : SqlType();
    default:
      return DeviationType(input);
  }
}

// Averages and deviations of real numbers are computed as double precision.
bool WantsDouble(AggregateFunction function) {
  return function == AggregateFunction::kAvg || function == AggregateFunction::kStddevSamp ||
         function == AggregateFunction::kStddevPop || function == AggregateFunction::kVarSamp ||
         function == AggregateFunction::kVarPop;
}

// What an argument without a type becomes.
TypeId TypeOfUnknown(AggregateFunction function) {
  switch (function) {
    case AggregateFunction::kBoolAnd:
    case AggregateFunction::kBoolOr:
      return TypeId::kBoolean;
    case AggregateFunction::kCount:
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
    case AggregateFunction::kStringAgg:
      return TypeId::kText;
    default:
      return TypeId::kFloat64;
  }
}

absl::StatusOr<ResolvedAggregate> ResolveStringAgg(std::vector<ExprPtr> args, int32_t position) {
  if (args.size() != 2) return NoSuchFunction("string_agg", args, position);
  const bool bytes = args[0]->type.id == TypeId::kBytea;
  for (const ExprPtr& arg : args) {
    const bool fits = arg->type.id == TypeId::kUnknown ||
                      (bytes ? arg->type.id == TypeId::kBytea : arg->type.is_string());
    if (!fits) return NoSuchFunction("string_agg", args, position);
  }
  const TypeId type = bytes ? TypeId::kBytea : TypeId::kText;
  for (ExprPtr& arg : args) {
    MR_ASSIGN_OR_RETURN(arg, Coerce(std::move(arg), type, position));
  }
  return ResolvedAggregate{AggregateFunction::kStringAgg, std::move(args), SqlType::Of(type)};
}

absl::StatusOr<ResolvedRanking> ResolveOffsetFunction(std::string name, std::vector<ExprPtr> args,
                                                      int32_t position) {
  const size_t max_args = name == "lag" || name == "lead" ? 3 : 1;
  if (args.empty() || args.size() > max_args) return NoSuchFunction(name, args, position);
  if (args.size() == 3) {
    // The default and the value agree on one type.
    MR_ASSIGN_OR_RETURN(std::vector<ExprPtr> values,
                        CastToCommonType({args[0], args[2]}, name, position));
    args[0] = values[0];
    args[2] = values[1];
  }
  if (args[0]->type.id == TypeId::kUnknown) {
    MR_ASSIGN_OR_RETURN(args[0], Coerce(args[0], TypeId::kText, position));
  }
  if (args.size() >= 2) {
    if (!CanCast(args[1]->type.id, TypeId::kInt32, CastContext::kImplicit)) {
      return NoSuchFunction(name, args, position);
    }
    MR_ASSIGN_OR_RETURN(args[1], Coerce(args[1], TypeId::kInt32, position));
  }
  const SqlType type = args[0]->type;
  return ResolvedRanking{std::move(name), std::move(args), type};
}

}  // namespace

bool IsAggregateName(absl::string_view name) { return FindAggregate(name) != nullptr; }

absl::StatusOr<ResolvedAggregate> ResolveAggregate(absl::string_view name,
                                                   std::vector<ExprPtr> args, int32_t position) {
  const AggregateName* entry = FindAggregate(name);
  if (entry == nullptr) return NoSuchFunction(name, args, position);
  if (entry->function == AggregateFunction::kCount && args.empty()) {
    return ResolvedAggregate{AggregateFunction::kCountStar, {}, SqlType::Of(TypeId::kInt64)};
  }
  if (entry->function == AggregateFunction::kStringAgg) {
    return ResolveStringAgg(std::move(args), position);
  }
  if (args.size() != 1) return NoSuchFunction(name, args, position);
  if (args[0]->type.id == TypeId::kUnknown) {
    MR_ASSIGN_OR_RETURN(args[0], Coerce(args[0], TypeOfUnknown(entry->function), position));
  }
  const SqlType type = TypeOfAggregate(entry->function, args[0]->type);
  if (type.id == TypeId::kUnknown) return NoSuchFunction(name, args, position);
  if (WantsDouble(entry->function) && args[0]->type.id == TypeId::kFloat32) {
    MR_ASSIGN_OR_RETURN(args[0], Coerce(args[0], TypeId::kFloat64, position));
  }
  return ResolvedAggregate{entry->function, std::move(args), type};
}

bool IsRankingName(absl::string_view name) {
  return std::find(std::begin(kRanking), std::end(kRanking), name) != std::end(kRanking);
}

absl::StatusOr<ResolvedRanking> ResolveRanking(absl::string_view name, std::vector<ExprPtr> args,
                                               int32_t position) {
  std::string text(name);
  if (name == "lag" || name == "lead" || name == "first_value" || name == "last_value") {
    return ResolveOffsetFunction(std::move(text), std::move(args), position);
  }
  if (name == "nth_value" && args.size() == 2) {
    const bool counts = CanCast(args[1]->type.id, TypeId::kInt32, CastContext::kImplicit);
    if (!counts) return NoSuchFunction(name, args, position);
    const bool unknown = args[0]->type.id == TypeId::kUnknown;
    MR_ASSIGN_OR_RETURN(args[0],
                        Coerce(args[0], unknown ? TypeId::kText : args[0]->type.id, position));
    MR_ASSIGN_OR_RETURN(args[1], Coerce(args[1], TypeId::kInt32, position));
    const SqlType type = args[0]->type;
    return ResolvedRanking{std::move(text), std::move(args), type};
  }
  if (name == "ntile" && args.size() == 1 &&
      CanCast(args[0]->type.id, TypeId::kInt32, CastContext::kImplicit)) {
    MR_ASSIGN_OR_RETURN(args[0], Coerce(args[0], TypeId::kInt32, position));
    return ResolvedRanking{std::move(text), std::move(args), SqlType::Of(TypeId::kInt32)};
  }
  if (!args.empty() || !IsRankingName(name) || name == "ntile" || name == "nth_value") {
    return NoSuchFunction(name, args, position);
  }
  const bool fraction = name == "percent_rank" || name == "cume_dist";
  return ResolvedRanking{
      std::move(text), {}, SqlType::Of(fraction ? TypeId::kFloat64 : TypeId::kInt64)};
}

}  // namespace millrace
