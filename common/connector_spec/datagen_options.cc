#include "common/connector_spec/datagen_options.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/nearest_name.h"
#include "common/base/status.h"
#include "common/base/units.h"
#include "common/connector_spec/option_reader.h"
#include "common/types/calendar.h"
#include "common/types/text_parse.h"

namespace millrace {
namespace {

constexpr int64_t kDefaultStartDay = DaysFromCivil(2024, 1, 1);
constexpr int64_t kDefaultIntegerMax = 999'999;
constexpr double kDefaultNumericMax = 1000;
constexpr uint64_t kTextLengthMax = 1 << 20;

void SetDefaults(const SqlType& type, double rows_per_second, DatagenColumn* column) {
  switch (type.id) {
    case TypeId::kInt16:
      column->max = 999;
      return;
    case TypeId::kInt32:
    case TypeId::kInt64:
      column->max = kDefaultIntegerMax;
      return;
    case TypeId::kFloat32:
    case TypeId::kFloat64:
      column->max_double = 1;
      return;
    case TypeId::kNumeric: {
      const int32_t whole_digits = type.precision == 0 ? 38 : type.precision - type.scale;
      column->max_double = whole_digits >= 4 ? kDefaultNumericMax : std::pow(10, whole_digits) - 1;
      return;
    }
    case TypeId::kDate:
      column->min = kDefaultStartDay;
      column->max = kDefaultStartDay + 365;
      return;
    case TypeId::kTime:
      column->max = kMicrosPerDay - 1;
      column->step = kMicrosPerSecond;
      return;
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      column->kind = DatagenKind::kSequence;
      column->min = kDefaultStartDay * kMicrosPerDay;
      column->max = column->min + 366 * kMicrosPerDay - 1;
      column->step =
          rows_per_second > 0 ? std::max<int64_t>(1, std::llround(1e6 / rows_per_second)) : 1'000;
      return;
    default:
      column->max = kDefaultIntegerMax;
  }
}

absl::Status WrongBound(const std::string& name, const std::string& text) {
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("invalid value for option \"", name, "\": \"", text, "\""),
                   "expected a value of the column's type");
}

// min or max, in the column's type.
absl::Status ReadBound(const SqlType& type, const std::string& name, const std::string& text,
                       int64_t* integer, double* number) {
  bool parsed = false;
  int32_t days = 0;
  switch (type.id) {
    case TypeId::kFloat32:
    case TypeId::kFloat64:
    case TypeId::kNumeric:
      parsed = ParseFloat64(text, number) && std::isfinite(*number) && std::abs(*number) < 1e15;
      break;
    case TypeId::kDate:
      parsed = ParseDate(text, &days);
      *integer = days;
      break;
    case TypeId::kTime:
      parsed = ParseTime(text, integer);
      break;
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      parsed = ParseTimestampTz(text, 0, integer);
      break;
    case TypeId::kInt16:
    case TypeId::kInt32: {
      const int64_t limit = type.id == TypeId::kInt16 ? INT16_MAX : INT32_MAX;
      parsed = ParseInt64(text, integer) && *integer <= limit && *integer >= -limit - 1;
      break;
    }
    default:
      parsed = ParseInt64(text, integer);
  }
  return parsed ? absl::OkStatus() : WrongBound(name, text);
}

absl::StatusOr<DatagenColumn> ReadColumn(const Field& field, const OptionMap& texts,
                                         double rows_per_second) {
  DatagenColumn column;
  SetDefaults(field.type, rows_per_second, &column);
  OptionReader reader(absl::StrCat("datagen, column ", field.name), texts);
  column.kind = static_cast<DatagenKind>(
      reader.Choice("kind", {"sequence", "random"}, static_cast<int>(column.kind)));
  for (const bool is_max : {false, true}) {
    const std::string name = is_max ? "max" : "min";
    const std::string text = reader.Text(name, "");
    if (!reader.Has(name)) continue;
    reader.Fail(ReadBound(field.type, absl::StrCat(field.name, ".", name), text,
                          is_max ? &column.max : &column.min,
                          is_max ? &column.max_double : &column.min_double));
  }
  const bool is_time = field.type.is_timestamp() || field.type.id == TypeId::kTime;
  column.step = is_time ? reader.DurationMicros("step", column.step)
                        : static_cast<int64_t>(reader.Count("step", 1));
  column.cardinality = reader.Count("cardinality", 0);
  column.zipf = reader.Number("zipf", 0);
  column.null_share = reader.Number("null_share", 0);
  column.disorder_micros = reader.DurationMicros("disorder", 0);
  column.length = static_cast<uint32_t>(
      std::min<uint64_t>(reader.Count("length", column.length), kTextLengthMax));
  if (column.null_share > 1) {
    reader.Fail(MakeError(SqlState::kInvalidParameterValue, "null_share must be between 0 and 1"));
  }
  if (column.max < column.min || column.max_double < column.min_double) {
    const bool only_min = !reader.Has("max");
    if (only_min) {
      column.max = std::max(column.max, column.min);
      column.max_double = std::max(column.max_double, column.min_double);
    } else {
      reader.Fail(MakeError(SqlState::kInvalidParameterValue,
                            absl::StrCat("column \"", field.name, "\": max is below min")));
    }
  }
  if (column.zipf > 0 && column.cardinality == 0) {
    reader.Fail(MakeError(SqlState::kInvalidParameterValue,
                          absl::StrCat("column \"", field.name, "\": zipf needs a cardinality")));
  }
  if (column.disorder_micros > 0 && !field.type.is_timestamp()) {
    reader.Fail(MakeError(SqlState::kInvalidParameterValue,
                          absl::StrCat("column \"", field.name, "\": disorder is for timestamps")));
  }
  MR_RETURN_IF_ERROR(reader.Finish());
  return column;
}

// Sorts the options "<column>.<option>" by column, and leaves the others in *general.
absl::Status SplitOptions(const OptionMap& options, const Schema& columns, OptionMap* general,
                          std::vector<OptionMap>* by_column) {
  std::vector<std::string> names;
  for (const Field& field : columns) names.push_back(field.name);
  by_column->resize(columns.size());
  for (const auto& [key, value] : options) {
    absl::string_view rest = key;
    if (absl::StartsWith(rest, "fields.")) rest.remove_prefix(7);
    const size_t dot = rest.rfind('.');
    if (dot == absl::string_view::npos) {
      general->emplace(key, value);
      continue;
    }
    const std::string column(rest.substr(0, dot));
    const auto found = std::find(names.begin(), names.end(), column);
    if (found == names.end()) {
      return MakeError(SqlState::kInvalidParameterValue,
                       absl::StrCat("option \"", key, "\": there is no column \"", column, "\""),
                       NearestNameHint(column, names));
    }
    (*by_column)[static_cast<size_t>(found - names.begin())].emplace(rest.substr(dot + 1), value);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DatagenOptions> ParseDatagenOptions(const OptionMap& option_map,
                                                   const Schema& columns) {
  OptionMap general;
  std::vector<OptionMap> by_column;
  MR_RETURN_IF_ERROR(SplitOptions(option_map, columns, &general, &by_column));
  OptionReader reader("datagen", general);
  DatagenOptions options;
  reader.Ignore("connector");
  const uint64_t rows = reader.Count("rows", 0);
  if (reader.Has("rows")) options.rows = rows;
  options.rows_per_second = reader.Number("rows_per_second", 0);
  options.seed = reader.Count("seed", options.seed);
  // Of the definition, not of its rows.
  reader.Ignore("late_into");
  MR_RETURN_IF_ERROR(reader.Finish());
  if (columns.empty()) {
    return MakeError(SqlState::kInvalidTableDefinition,
                     "connector \"datagen\" needs the columns of the table");
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].type.id == TypeId::kInterval) {
      return NotSupported("generating a column of type interval");
    }
    MR_ASSIGN_OR_RETURN(options.columns.emplace_back(),
                        ReadColumn(columns[i], by_column[i], options.rows_per_second));
  }
  return options;
}

}  // namespace millrace
