#include "coordinator/sql/special_functions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "common/types/utf8.h"

namespace millrace {
namespace {

const SqlType kBooleanType = SqlType::Of(TypeId::kBoolean);

ExprPtr Text(std::string text, int32_t position) {
  return MakeLiteral(Value{SqlType::Of(TypeId::kText), std::move(text)}, position);
}

ExprPtr NullBoolean() { return MakeLiteral(Value::Null(kBooleanType)); }

// One side of OVERLAPS: its earlier end, and the later one, which is NULL if an end is missing.
struct Period {
  ExprPtr begin;
  ExprPtr end;
};

absl::StatusOr<Period> PeriodOf(const ExprPtr& first, ExprPtr second, int32_t position) {
  if (second->type.id == TypeId::kInterval) {
    MR_ASSIGN_OR_RETURN(second, BuildOperator("+", {first, second}, position));
  }
  Period period;
  MR_ASSIGN_OR_RETURN(period.begin, BuildFunctionCall("least", {first, second}, position));
  MR_ASSIGN_OR_RETURN(ExprPtr later, BuildFunctionCall("greatest", {first, second}, position));
  MR_ASSIGN_OR_RETURN(ExprPtr no_first, BuildIsTest("null", first, position));
  MR_ASSIGN_OR_RETURN(ExprPtr no_second, BuildIsTest("null", second, position));
  MR_ASSIGN_OR_RETURN(ExprPtr missing, BuildOr({no_first, no_second}, position));
  const ExprPtr none = MakeLiteral(Value::Null(later->type));
  MR_ASSIGN_OR_RETURN(period.end, BuildCase({missing}, {none}, later, position));
  return period;
}

// What is known where `late` begins after `early`: they overlap if it begins before early's end.
absl::StatusOr<ExprPtr> OverlapsInOrder(const Period& early, const Period& late, int32_t position) {
  MR_ASSIGN_OR_RETURN(ExprPtr open, BuildIsTest("null", early.end, position));
  MR_ASSIGN_OR_RETURN(ExprPtr meets, BuildOperator("<", {late.begin, early.end}, position));
  MR_ASSIGN_OR_RETURN(ExprPtr late_open, BuildIsTest("null", late.end, position));
  return BuildCase({open, meets, late_open}, {NullBoolean(), MakeBoolean(true), NullBoolean()},
                   MakeBoolean(false), position);
}

// PostgreSQL's overlaps_timestamp, which knows periods with one end.
absl::StatusOr<ExprPtr> BuildOverlaps(const std::vector<ExprPtr>& args, int32_t position) {
  MR_ASSIGN_OR_RETURN(const Period a, PeriodOf(args[0], args[1], position));
  MR_ASSIGN_OR_RETURN(const Period b, PeriodOf(args[2], args[3], position));
  MR_ASSIGN_OR_RETURN(ExprPtr b_first, BuildOperator(">", {a.begin, b.begin}, position));
  MR_ASSIGN_OR_RETURN(ExprPtr a_first, BuildOperator("<", {a.begin, b.begin}, position));
  MR_ASSIGN_OR_RETURN(ExprPtr together, BuildOperator("=", {a.begin, b.begin}, position));
  MR_ASSIGN_OR_RETURN(ExprPtr a_open, BuildIsTest("null", a.end, position));
  MR_ASSIGN_OR_RETURN(ExprPtr b_open, BuildIsTest("null", b.end, position));
  MR_ASSIGN_OR_RETURN(ExprPtr open, BuildOr({a_open, b_open}, position));
  MR_ASSIGN_OR_RETURN(ExprPtr when_together,
                      BuildCase({open}, {NullBoolean()}, MakeBoolean(true), position));
  MR_ASSIGN_OR_RETURN(ExprPtr when_b_first, OverlapsInOrder(b, a, position));
  MR_ASSIGN_OR_RETURN(ExprPtr when_a_first, OverlapsInOrder(a, b, position));
  return BuildCase({b_first, a_first, together}, {when_b_first, when_a_first, when_together},
                   NullBoolean(), position);
}

const std::string* TextConstant(const ExprPtr& expr) {
  if (expr->kind != ExprKind::kLiteral) return nullptr;
  return std::get_if<std::string>(&expr->literal.value);
}

// A SIMILAR pattern as a regular expression that is not anchored.
absl::StatusOr<std::string> RegexOfSimilar(const std::string& pattern, const std::string& escape,
                                           int32_t position) {
  MR_ASSIGN_OR_RETURN(
      ExprPtr call, BuildFunctionCall("similar_to_escape",
                                      {Text(pattern, position), Text(escape, position)}, position));
  MR_ASSIGN_OR_RETURN(const Value value, EvaluateConstant(*call));
  const std::string& regex = std::get<std::string>(value.value);
  // "^(?:" and ")$".
  constexpr size_t kBefore = 4;
  constexpr size_t kAround = 6;
  return std::string(absl::string_view(regex).substr(kBefore, regex.size() - kAround));
}

// substring(text SIMILAR pattern ESCAPE e): the pattern has three parts, divided by e and a quote;
// the result is what the middle one covers, and the first covers as little as it can.
absl::StatusOr<ExprPtr> BuildSimilarSubstring(const std::vector<ExprPtr>& args, int32_t position) {
  const std::string* pattern = TextConstant(args[1]);
  const std::string* escape = TextConstant(args[2]);
  if (pattern == nullptr || escape == nullptr) {
    return WithPosition(NotSupported("SIMILAR with anything but constant texts"), position);
  }
  if (CountChars(*escape) != 1) {
    return WithPosition(MakeError(SqlState::kInvalidEscapeSequence, "invalid escape string",
                                  "Escape string must be empty or one character."),
                        position);
  }
  std::string parts[3];
  size_t part = 0;
  for (size_t at = 0; at < pattern->size();) {
    const absl::string_view letter =
        absl::string_view(*pattern).substr(at, CharLength(*pattern, at));
    const bool divides = letter == *escape && at + letter.size() < pattern->size() &&
                         (*pattern)[at + letter.size()] == '"';
    if (divides && ++part > 2) {
      return WithPosition(
          MakeError(SqlState::kInvalidUseOfEscapeCharacter,
                    "SQL regular expression may not contain more than two escape-double-quote "
                    "separators"),
          position);
    }
    if (divides) {
      at += letter.size() + 1;
      continue;
    }
    absl::StrAppend(&parts[part], letter);
    at += letter.size();
    if (letter == *escape && at < pattern->size()) {
      absl::StrAppend(&parts[part],
                      absl::string_view(*pattern).substr(at, CharLength(*pattern, at)));
      at += CharLength(*pattern, at);
    }
  }
  if (part != 2) {
    return WithPosition(NotSupported("SIMILAR in substring without two escaped quotes"), position);
  }
  std::string regex = "^";
  // In the first part `%` covers as little as it can.
  for (size_t i = 0; i < 3; ++i) {
    MR_ASSIGN_OR_RETURN(const std::string inner, RegexOfSimilar(parts[i], *escape, position));
    absl::StrAppend(&regex, i == 1 ? "(" : "(?:",
                    i == 0 ? absl::StrReplaceAll(inner, {{".*", ".*?"}}) : inner, ")");
  }
  absl::StrAppend(&regex, "$");
  return BuildFunctionCall("substring", {args[0], Text(regex, args[1]->position)}, position);
}

struct ParameterList {
  absl::string_view function;
  std::vector<absl::string_view> names;
};

const std::vector<ParameterList>& NamedParameters() {
  static const auto* const kLists = new std::vector<ParameterList>{
      {"make_interval", {"years", "months", "weeks", "days", "hours", "mins", "secs"}},
      {"make_date", {"year", "month", "day"}},
      {"make_time", {"hour", "min", "sec"}},
      {"make_timestamp", {"year", "month", "mday", "hour", "min", "sec"}},
      {"make_timestamptz", {"year", "month", "mday", "hour", "min", "sec", "timezone"}},
  };
  return *kLists;
}

}  // namespace

absl::StatusOr<ExprPtr> BuildSpecialFunction(absl::string_view name,
                                             const std::vector<ExprPtr>& args, int32_t position) {
  constexpr size_t kEndsOfPeriods = 4;
  constexpr size_t kTextPatternEscape = 3;
  if (name == "pg_typeof" && args.size() == 1) {
    return Text(
        args[0]->type.id == TypeId::kUnknown ? "unknown" : TypeName(SqlType::Of(args[0]->type.id)),
        position);
  }
  if (name == "overlaps" && args.size() == kEndsOfPeriods) return BuildOverlaps(args, position);
  if (name == "substring" && args.size() == kTextPatternEscape) {
    const auto is_text = [](const ExprPtr& arg) {
      return arg->type.is_string() || TextConstant(arg) != nullptr;
    };
    if (is_text(args[1]) && is_text(args[2])) return BuildSimilarSubstring(args, position);
  }
  return ExprPtr();
}

absl::StatusOr<std::vector<ExprPtr>> OrderNamedArguments(absl::string_view function,
                                                         std::vector<ExprPtr> args,
                                                         const std::vector<std::string>& names,
                                                         int32_t position) {
  const auto list =
      std::find_if(NamedParameters().begin(), NamedParameters().end(),
                   [&](const ParameterList& known) { return known.function == function; });
  if (list == NamedParameters().end()) {
    return WithPosition(NotSupported(absl::StrCat("an argument by name of ", function)), position);
  }
  std::vector<ExprPtr> ordered;
  for (size_t i = 0; i < args.size(); ++i) {
    size_t place = i;
    if (!names[i].empty()) {
      place = static_cast<size_t>(std::find(list->names.begin(), list->names.end(), names[i]) -
                                  list->names.begin());
    }
    const bool taken = place < ordered.size() && ordered[place] != nullptr;
    if (place >= list->names.size() || taken) {
      return WithPosition(MakeError(SqlState::kUndefinedFunction,
                                    absl::StrCat("function ", function, " has no argument \"",
                                                 names[i], "\" at this place")),
                          position);
    }
    if (place >= ordered.size()) ordered.resize(place + 1);
    ordered[place] = std::move(args[i]);
  }
  for (ExprPtr& arg : ordered) {
    if (arg != nullptr) continue;
    if (function != "make_interval") {
      return WithPosition(MakeError(SqlState::kUndefinedFunction,
                                    absl::StrCat("arguments of ", function, " are missing")),
                          position);
    }
    arg = MakeLiteral(Value{SqlType::Of(TypeId::kInt32), int64_t{0}}, position);
  }
  return ordered;
}

bool IsMissingFunction(absl::string_view name) {
  static constexpr absl::string_view kNames =
      " array_agg array_append array_cat array_dims array_fill array_length array_lower "
      "array_ndims array_position array_positions array_prepend array_remove "
      "array_replace array_to_json array_to_string array_upper bit_and bit_or bit_xor "
      "cardinality convert convert_from convert_to corr covar_pop covar_samp currval "
      "format_type gen_random_uuid generate_series generate_subscripts get_bit "
      "get_byte grouping json_agg json_array_length json_build_array json_build_object "
      "json_each json_extract_path json_object_agg jsonb_agg jsonb_build_object "
      "jsonb_object_agg lastval mode nextval parse_ident percentile_cont "
      "percentile_disc pg_sleep random regexp_match regexp_matches "
      "regexp_split_to_array regexp_split_to_table regr_avgx regr_avgy regr_count "
      "regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy row_to_json "
      "set_bit set_byte setseed setval string_to_array string_to_table timeofday "
      "to_json to_jsonb to_tsquery to_tsvector unnest version xmlagg ";
  return absl::StrContains(kNames, absl::StrCat(" ", name, " "));
}

}  // namespace millrace
