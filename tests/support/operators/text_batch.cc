#include "tests/support/operators/text_batch.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "arrow/array.h"
#include "arrow/type.h"
#include "common/base/check.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/column_view.h"

namespace millrace {
namespace {

// A value of a row; absent = NULL.
using Cell = std::optional<std::string>;

struct TextRow {
  std::optional<int64_t> weight;
  std::vector<Cell> cells;
};

// Splits into tokens; quotes keep blanks and bars together.
std::vector<std::vector<Cell>> Tokenize(std::string_view text) {
  std::vector<std::vector<Cell>> rows(1);
  for (size_t i = 0; i < text.size();) {
    if (text[i] == ' ' || text[i] == '\n') {
      ++i;
    } else if (text[i] == '|') {
      rows.emplace_back();
      ++i;
    } else if (text[i] == '\'') {
      const size_t end = text.find('\'', i + 1);
      MR_CHECK(end != std::string_view::npos);
      rows.back().emplace_back(std::string(text.substr(i + 1, end - i - 1)));
      i = end + 1;
    } else {
      const size_t end = std::min(text.find_first_of(" |\n", i), text.size());
      const std::string token(text.substr(i, end - i));
      rows.back().push_back(token == "null" ? Cell() : Cell(token));
      i = end;
    }
  }
  return rows;
}

std::vector<TextRow> ParseRows(std::string_view text, size_t num_columns) {
  std::vector<TextRow> rows;
  for (std::vector<Cell>& tokens : Tokenize(text)) {
    if (tokens.empty() && num_columns > 0) continue;
    TextRow row;
    if (tokens.size() == num_columns + 1) {
      const std::string sign = tokens[0].value_or("");
      int64_t weight = sign == "-" ? -1 : 1;
      if (sign.size() > 1) MR_CHECK(absl::SimpleAtoi(sign, &weight));
      row.weight = weight;
      tokens.erase(tokens.begin());
    }
    MR_CHECK(tokens.size() == num_columns);
    row.cells = std::move(tokens);
    rows.push_back(std::move(row));
  }
  return rows;
}

__int128 ParseInteger(std::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  __int128 value = 0;
  for (const char c : text.substr(negative ? 1 : 0)) value = value * 10 + (c - '0');
  return negative ? -value : value;
}

__int128 ParseDecimal(const std::string& text, int32_t scale) {
  const size_t point = text.find('.');
  std::string digits = text.substr(0, point);
  const std::string fraction = point == std::string::npos ? "" : text.substr(point + 1);
  for (int32_t i = 0; i < scale; ++i) {
    digits.push_back(i < static_cast<int32_t>(fraction.size()) ? fraction[i] : '0');
  }
  return ParseInteger(digits);
}

template <typename T, typename Parse>
std::shared_ptr<arrow::Array> FixedColumn(const SqlType& type, const std::vector<Cell>& cells,
                                          const Parse& parse) {
  FlatVector<T> values(static_cast<int64_t>(cells.size()));
  NullBits nulls(values.size());
  for (int64_t i = 0; i < values.size(); ++i) {
    values[i] = cells[i].has_value() ? static_cast<T>(parse(*cells[i])) : T{};
    if (!cells[i].has_value()) nulls.SetNull(i);
  }
  return MakeFixedArray(ToArrowType(type), std::move(values), std::move(nulls));
}

RawInterval ParseInterval(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  MR_CHECK(parts.size() == 3);
  return {std::atoi(parts[0].c_str()), std::atoi(parts[1].c_str()),
          static_cast<int64_t>(ParseInteger(parts[2])) * 1000};
}

std::shared_ptr<arrow::Array> BytesColumn(const SqlType& type, const std::vector<Cell>& cells) {
  TextOutput out(static_cast<int64_t>(cells.size()));
  for (const Cell& cell : cells) {
    if (cell.has_value()) {
      out.Append(*cell);
    } else {
      out.AppendNull();
    }
  }
  return out.Finish(ToArrowType(type));
}

std::shared_ptr<arrow::Array> BoolColumn(const std::vector<Cell>& cells) {
  FlatVector<uint8_t> values(static_cast<int64_t>(cells.size()));
  NullBits nulls(values.size());
  for (int64_t i = 0; i < values.size(); ++i) {
    values[i] = cells[i] == "t" ? 1 : 0;
    if (!cells[i].has_value()) nulls.SetNull(i);
  }
  return MakeBoolArray(values, std::move(nulls));
}

std::shared_ptr<arrow::Array> MakeColumn(const SqlType& type, const std::vector<Cell>& cells) {
  const auto parse_float = [](const std::string& text) {
    return std::strtod(text.c_str(), nullptr);
  };
  const auto parse_integer = [](const std::string& text) { return ParseInteger(text); };
  switch (LayoutOf(*ToArrowType(type))) {
    case Layout::kBool:
      return BoolColumn(cells);
    case Layout::kInt16:
      return FixedColumn<int16_t>(type, cells, parse_integer);
    case Layout::kInt32:
      return FixedColumn<int32_t>(type, cells, parse_integer);
    case Layout::kInt64:
      return FixedColumn<int64_t>(type, cells, parse_integer);
    case Layout::kFloat32:
      return FixedColumn<float>(type, cells, parse_float);
    case Layout::kFloat64:
      return FixedColumn<double>(type, cells, parse_float);
    case Layout::kInt128:
      return FixedColumn<__int128>(
          type, cells, [&](const std::string& text) { return ParseDecimal(text, type.scale); });
    case Layout::kInterval:
      return FixedColumn<RawInterval>(type, cells, ParseInterval);
    case Layout::kBytes:
      return BytesColumn(type, cells);
    default:
      return MakeNullArray(type, static_cast<int64_t>(cells.size()));
  }
}

std::string DecimalText(__int128 value, int32_t scale) {
  const bool negative = value < 0;
  std::string digits;
  for (unsigned __int128 rest = negative ? -static_cast<unsigned __int128>(value) : value;
       rest != 0; rest /= 10) {
    digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
  }
  while (static_cast<int32_t>(digits.size()) <= scale) digits.push_back('0');
  std::reverse(digits.begin(), digits.end());
  const size_t whole = digits.size() - static_cast<size_t>(scale);
  return absl::StrCat(negative ? "-" : "", digits.substr(0, whole), scale > 0 ? "." : "",
                      digits.substr(whole));
}

// A float by twelve digits: sums may differ behind them.
std::string FloatText(double value) {
  if (std::isnan(value)) return "NaN";
  return absl::StrFormat("%.12g", value == 0 ? 0.0 : value);
}

std::string CellText(const arrow::Array& array, const ColumnView& view, int64_t row) {
  if (view.IsNull(row)) return "null";
  switch (view.layout) {
    case Layout::kBool:
      return view.Bool(row) ? "t" : "f";
    case Layout::kInt16:
      return absl::StrCat(view.Get<int16_t>(row));
    case Layout::kInt32:
      return absl::StrCat(view.Get<int32_t>(row));
    case Layout::kInt64:
      return absl::StrCat(view.Get<int64_t>(row));
    case Layout::kFloat32:
      return FloatText(view.Get<float>(row));
    case Layout::kFloat64:
      return FloatText(view.Get<double>(row));
    case Layout::kInt128:
      return DecimalText(view.Get<__int128>(row),
                         static_cast<const arrow::Decimal128Type&>(*array.type()).scale());
    case Layout::kInterval: {
      const auto value = view.Get<RawInterval>(row);
      return absl::StrCat(value.months, ":", value.days, ":", value.nanos / 1000);
    }
    case Layout::kBytes:
    case Layout::kDictionary:
      return std::string(view.Text(row));
    default:
      return "?";
  }
}

// Every text column as codes of its distinct values.
std::shared_ptr<arrow::Array> Encoded(const std::shared_ptr<arrow::Array>& array) {
  const ColumnView view(*array);
  if (view.layout != Layout::kBytes) return array;
  FlatVector<int32_t> codes(view.length);
  NullBits nulls(view.length);
  std::map<std::string, int32_t> known;
  TextOutput values(view.length);
  for (int64_t i = 0; i < view.length; ++i) {
    codes[i] = 0;
    if (view.IsNull(i)) {
      nulls.SetNull(i);
      continue;
    }
    const auto [at, is_new] =
        known.emplace(std::string(view.Text(i)), static_cast<int32_t>(known.size()));
    if (is_new) values.Append(at->first);
    codes[i] = at->second;
  }
  auto indices = MakeFixedArray(arrow::int32(), std::move(codes), std::move(nulls));
  return std::make_shared<arrow::DictionaryArray>(arrow::dictionary(arrow::int32(), array->type()),
                                                  indices, values.Finish(array->type()));
}

}  // namespace

Schema TextSchema(std::string_view text) {
  static const std::map<std::string, TypeId> kTypes = {
      {"bool", TypeId::kBoolean},     {"int2", TypeId::kInt16},
      {"int4", TypeId::kInt32},       {"int8", TypeId::kInt64},
      {"float4", TypeId::kFloat32},   {"float8", TypeId::kFloat64},
      {"numeric", TypeId::kNumeric},  {"text", TypeId::kText},
      {"bytea", TypeId::kBytea},      {"date", TypeId::kDate},
      {"time", TypeId::kTime},        {"timestamp", TypeId::kTimestamp},
      {"interval", TypeId::kInterval}};
  Schema schema;
  const std::string list(text);
  const std::vector<std::string> parts = absl::StrSplit(list, ',', absl::SkipWhitespace());
  for (const std::string& part : parts) {
    const std::vector<std::string> words = absl::StrSplit(part, ' ', absl::SkipWhitespace());
    MR_CHECK(words.size() == 2);
    const size_t paren = words[0].find('(');
    const auto found = kTypes.find(words[0].substr(0, paren));
    MR_CHECK(found != kTypes.end());
    SqlType type = SqlType::Of(found->second);
    if (paren != std::string::npos) type.scale = std::atoi(words[0].c_str() + paren + 1);
    schema.push_back({words[1], type});
  }
  return schema;
}

Batch TextBatch(std::string_view text, const Schema& schema) {
  const std::vector<TextRow> rows = ParseRows(text, schema.size());
  const auto n = static_cast<int64_t>(rows.size());
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (size_t c = 0; c < schema.size(); ++c) {
    std::vector<Cell> cells;
    for (const TextRow& row : rows) cells.push_back(row.cells[c]);
    columns.push_back(MakeColumn(schema[c].type, cells));
  }
  FlatVector<int64_t> weights;
  bool weighted = false;
  for (const TextRow& row : rows) {
    weights.PushBack(row.weight.value_or(1));
    weighted = weighted || row.weight.has_value();
  }
  return Batch(std::move(columns), n, weighted ? MakeInt64Array(std::move(weights)) : nullptr);
}

Batch TextBatchWithDictionaries(std::string_view text, const Schema& schema) {
  const Batch plain = TextBatch(text, schema);
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (const auto& column : plain.columns()) columns.push_back(Encoded(column));
  return plain.WithColumns(std::move(columns));
}

std::vector<std::string> RowsOf(const Batch& batch) {
  std::vector<ColumnView> views;
  for (const auto& column : batch.columns()) {
    MR_CHECK(column->length() == batch.num_rows());
    views.emplace_back(*column);
  }
  std::vector<std::string> rows;
  for (int64_t i = 0; i < batch.num_rows(); ++i) {
    std::vector<std::string> cells;
    if (batch.raw_weights() != nullptr) {
      cells.push_back(absl::StrFormat("%+d", batch.raw_weights()[i]));
    }
    for (int c = 0; c < batch.num_columns(); ++c) {
      cells.push_back(CellText(*batch.column(c), views[c], i));
    }
    rows.push_back(absl::StrJoin(cells, " "));
  }
  return rows;
}

std::vector<std::string> RowsOf(const std::vector<Batch>& batches) {
  std::vector<std::string> all;
  for (const Batch& batch : batches) {
    const std::vector<std::string> rows = RowsOf(batch);
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

std::string TextOf(const Batch& batch) { return absl::StrJoin(RowsOf(batch), " | "); }

std::vector<std::string> SortedRowsOf(const std::vector<Batch>& batches) {
  std::vector<std::string> rows = RowsOf(batches);
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::map<std::string, int64_t> ConsolidatedRows(const std::vector<Batch>& batches) {
  std::map<std::string, int64_t> weights;
  for (const Batch& batch : batches) {
    const std::vector<std::string> rows = RowsOf(batch.WithWeights(nullptr));
    for (int64_t i = 0; i < batch.num_rows(); ++i) {
      weights[rows[i]] += batch.raw_weights() == nullptr ? 1 : batch.raw_weights()[i];
    }
  }
  std::erase_if(weights, [](const auto& entry) { return entry.second == 0; });
  return weights;
}

}  // namespace millrace
