#include "worker/connectors/kafka/kafka_row_decoder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/status.h"
#include "simdjson.h"

namespace millrace {
namespace {

// What the parsers of JSON and CSV may read behind a text.
constexpr size_t kPadding = 64;
static_assert(kPadding >= simdjson::SIMDJSON_PADDING);

absl::string_view WithoutLineEnd(absl::string_view text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  return text;
}

// The parser of JSON speaks of the lines of files.
absl::Status OfMessage(const absl::Status& fault) {
  constexpr absl::string_view kLine = "the line";
  ErrorDetail detail = GetErrorDetail(fault);
  std::string text(fault.message());
  if (absl::StartsWith(text, kLine)) text.replace(0, kLine.size(), "the message");
  absl::StrReplaceAll({{"a line", "a message"}}, &detail.hint);
  return MakeError(detail, text);
}

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaRowDecoder>> KafkaRowDecoder::Create(
    const KafkaOptions& options, const Schema& columns, const std::vector<int>& projection) {
  Schema output;
  JsonColumns json;
  for (const int column : projection) {
    const auto i = static_cast<size_t>(column);
    if (i >= columns.size() || i >= options.fields.size()) {
      return InternalError("scan projects a missing column");
    }
    if (options.fields[i] == KafkaField::kValue) {
      json.fields.push_back(columns[i]);
      json.outputs.push_back(output.size());
    }
    output.push_back(columns[i]);
  }
  MR_ASSIGN_OR_RETURN(RowBatchBuilder batch, RowBatchBuilder::Create(output));
  std::unique_ptr<KafkaRowDecoder> decoder(
      new KafkaRowDecoder(options, std::move(output), std::move(batch), std::move(json)));
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto place = std::find(projection.begin(), projection.end(), static_cast<int>(i));
    const bool wanted = place != projection.end();
    const auto to = static_cast<size_t>(place - projection.begin());
    switch (options.fields[i]) {
      case KafkaField::kValue:
        if (wanted) {
          decoder->csv_outputs_.emplace_back(decoder->value_columns_.size(), to);
          decoder->value_outputs_.push_back(to);
        }
        decoder->value_columns_.push_back(columns[i]);
        break;
      case KafkaField::kKey:
        if (wanted) decoder->key_column_ = to;
        break;
      case KafkaField::kHeaders:
        if (wanted) decoder->headers_column_ = to;
        break;
      case KafkaField::kTimestamp:
        if (wanted) decoder->timestamp_column_ = to;
        break;
      case KafkaField::kPartition:
        if (wanted) decoder->partition_column_ = to;
        break;
      case KafkaField::kOffset:
        if (wanted) decoder->offset_column_ = to;
        break;
    }
  }
  return decoder;
}

KafkaRowDecoder::KafkaRowDecoder(const KafkaOptions& options, Schema output, RowBatchBuilder batch,
                                 JsonColumns json)
    : format_(options.format),
      dialect_(options.csv),
      output_(std::move(output)),
      batch_(std::move(batch)),
      json_(std::move(json)),
      parser_(json_.keys()) {}

absl::Status KafkaRowDecoder::Append(absl::Span<const KafkaMessage> messages, int32_t partition,
                                     BadRowLog& log) {
  rows_.clear();
  faults_.clear();
  int64_t num_bytes = 0;
  for (const KafkaMessage& message : messages) {
    num_bytes += static_cast<int64_t>(message.value.value_or("").size() +
                                      message.key.value_or("").size() + message.headers.size()) +
                 1;
  }
  switch (format_) {
    case KafkaFormat::kJson:
      MR_RETURN_IF_ERROR(AppendJson(messages));
      break;
    case KafkaFormat::kCsv:
      MR_RETURN_IF_ERROR(AppendCsv(messages));
      break;
    case KafkaFormat::kRaw:
      MR_RETURN_IF_ERROR(AppendRaw(messages));
      break;
  }
  MR_RETURN_IF_ERROR(AppendMetadata(messages, partition));
  MR_RETURN_IF_ERROR(ReportFaults(messages, log));
  batch_.CountRows(static_cast<int64_t>(rows_.size()));
  batch_.CountBytes(num_bytes);
  return absl::OkStatus();
}

void KafkaRowDecoder::Fault(size_t message, absl::string_view column, absl::Status reason) {
  // Of several faults of a row the first one counts.
  faults_.try_emplace(message, RowFault{std::move(reason), std::string(column)});
}

absl::Status KafkaRowDecoder::ReportFaults(absl::Span<const KafkaMessage> messages,
                                           BadRowLog& log) {
  if (faults_.empty()) return absl::OkStatus();
  for (size_t row = 0; row < rows_.size(); ++row) {
    if (faults_.contains(rows_[row]))
      batch_.LeaveOut(batch_.num_rows() + static_cast<int64_t>(row));
  }
  for (const auto& [message, fault] : faults_) {
    MR_RETURN_IF_ERROR(log.Add(static_cast<uint64_t>(messages[message].offset),
                               messages[message].value.value_or(""), fault.column, fault.reason));
  }
  return absl::OkStatus();
}

void KafkaRowDecoder::CopyValues(absl::Span<const KafkaMessage> messages) {
  text_.clear();
  begins_.clear();
  for (const KafkaMessage& message : messages) {
    begins_.push_back(text_.size());
    if (!message.value.has_value()) continue;
    const absl::string_view value = WithoutLineEnd(*message.value);
    text_.append(value.data(), value.size());
    text_.push_back('\n');
  }
  begins_.push_back(text_.size());
  text_.append(kPadding, '\0');
}

// Without the line feed.
absl::string_view KafkaRowDecoder::ValueText(size_t message) const {
  return absl::string_view(text_).substr(begins_[message],
                                         begins_[message + 1] - begins_[message] - 1);
}

absl::Status KafkaRowDecoder::AppendNulls(size_t message) {
  for (const size_t column : value_outputs_) {
    MR_RETURN_IF_ERROR(batch_.column(column).Reserve(1, 0));
    batch_.column(column).AppendNull();
  }
  PassRow(message);
  return absl::OkStatus();
}

absl::Status KafkaRowDecoder::AppendJson(absl::Span<const KafkaMessage> messages) {
  CopyValues(messages);
  RowFault fault;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (!messages[i].value.has_value()) {
      MR_RETURN_IF_ERROR(AppendNulls(i));
      continue;
    }
    if (const absl::Status parsed = parser_.Parse(ValueText(i)); !parsed.ok()) [[unlikely]] {
      Fault(i, "", OfMessage(parsed));
      continue;
    }
    MR_RETURN_IF_ERROR(AppendJsonValues(parser_, json_, batch_, &fault));
    if (!fault.reason.ok()) [[unlikely]] {
      Fault(i, fault.column, std::exchange(fault.reason, absl::OkStatus()));
    }
    PassRow(i);
  }
  return absl::OkStatus();
}

absl::Status KafkaRowDecoder::AppendRaw(absl::Span<const KafkaMessage> messages) {
  for (size_t i = 0; i < messages.size(); ++i) {
    for (const size_t column : value_outputs_) {
      ColumnBuilder& builder = batch_.column(column);
      const absl::string_view value = messages[i].value.value_or("");
      builder.set_check_text(true);
      MR_RETURN_IF_ERROR(builder.Reserve(1, static_cast<int64_t>(value.size())));
      if (messages[i].value.has_value() && builder.AppendBytes(value)) continue;
      builder.AppendNull();
      if (messages[i].value.has_value()) {
        Fault(i, output_[column].name, builder.ExplainFailure(value));
      }
    }
    PassRow(i);
  }
  return absl::OkStatus();
}

absl::Status KafkaRowDecoder::AppendCsv(absl::Span<const KafkaMessage> messages) {
  CopyValues(messages);
  for (size_t first = 0; first < messages.size();) {
    if (!messages[first].value.has_value()) {
      MR_RETURN_IF_ERROR(AppendNulls(first++));
      continue;
    }
    size_t last = first + 1;
    while (last < messages.size() && messages[last].value.has_value()) ++last;
    MR_RETURN_IF_ERROR(AppendCsvRun(first, last));
    first = last;
  }
  return absl::OkStatus();
}

bool KafkaRowDecoder::IsOneRowEach(size_t first, size_t last) const {
  if (index_.num_rows() != last - first) return false;
  for (size_t i = first; i < last; ++i) {
    if (index_.row_end(i - first) + 1 != begins_[i + 1] - begins_[first]) return false;
  }
  return true;
}

absl::Status KafkaRowDecoder::AppendCsvRun(size_t first, size_t last) {
  const absl::string_view text =
      absl::string_view(text_).substr(begins_[first], begins_[last] - begins_[first]);
  IndexCsv(text, dialect_, &index_);
  if (!IsOneRowEach(first, last)) {
    if (last - first == 1) {
      Fault(first, "",
            MakeError(SqlState::kBadCopyFileFormat, "the message is not one row of CSV",
                      "format 'csv' is one row a message; is a closing quote missing?"));
      return absl::OkStatus();
    }
    // A message with several rows, or with an open quote, must not take others with it.
    for (size_t i = first; i < last; ++i) MR_RETURN_IF_ERROR(AppendCsvRun(i, i + 1));
    return absl::OkStatus();
  }
  run_begin_ = begins_[first];
  run_row_ = rows_.size();
  SelectCsvRows(first, last);
  const bool valid = simdjson::validate_utf8(text.data(), text.size()) &&
                     std::memchr(text.data(), '\0', text.size()) == nullptr;
  for (size_t i = 0; i < csv_outputs_.size(); ++i) {
    batch_.column(csv_outputs_[i].second).set_check_text(!valid);
    MR_RETURN_IF_ERROR(AppendCsvColumn(i));
  }
  return absl::OkStatus();
}

void KafkaRowDecoder::SelectCsvRows(size_t first, size_t last) {
  first_fields_.clear();
  for (size_t i = first; i < last; ++i) {
    const size_t num_fields = index_.num_fields(i - first);
    if (num_fields == value_columns_.size()) [[likely]] {
      first_fields_.push_back(index_.first_field(i - first));
      PassRow(i);
      continue;
    }
    Fault(i, "",
          MakeError(SqlState::kBadCopyFileFormat,
                    num_fields < value_columns_.size()
                        ? absl::StrCat("missing data for column \"",
                                       value_columns_[num_fields].name, "\"")
                        : "extra data after last expected column"));
  }
}

absl::Status KafkaRowDecoder::AppendCsvColumn(size_t value_column) {
  const auto& [place, output] = csv_outputs_[value_column];
  CsvColumn column;
  column.text = text_.data() + run_begin_;
  column.separators = index_.separators.data();
  column.first_fields = first_fields_.data();
  column.column = place;
  column.is_last = place + 1 == value_columns_.size();
  column.has_quotes = index_.has_quotes;
  column.dialect = &dialect_;
  ColumnBuilder& builder = batch_.column(output);
  const SqlType& type = output_[output].type;
  const bool has_text = type.is_string() || type.id == TypeId::kBytea;
  const size_t last = first_fields_.size();
  MR_RETURN_IF_ERROR(builder.Reserve(static_cast<int64_t>(last),
                                     has_text ? column.text_bytes(0, last) : int64_t{0}));
  size_t row = 0;
  while ((row = builder.AppendCsv(column, row, last)) < last) {
    std::string value(column.field(row));
    if (index_.has_quotes) {
      const std::string field = std::exchange(value, "");
      Unquote(field, dialect_, &value);
    }
    Fault(rows_[run_row_ + row], output_[output].name, builder.ExplainFailure(value));
    builder.AppendNull();
    ++row;
  }
  return absl::OkStatus();
}

absl::Status KafkaRowDecoder::AppendMetadata(absl::Span<const KafkaMessage> messages,
                                             int32_t partition) {
  if (key_column_.has_value()) MR_RETURN_IF_ERROR(AppendKeys(messages));
  if (headers_column_.has_value()) MR_RETURN_IF_ERROR(AppendHeaders(messages));
  std::vector<std::optional<int64_t>> numbers(rows_.size());
  if (timestamp_column_.has_value()) {
    for (size_t row = 0; row < rows_.size(); ++row) {
      const int64_t millis = messages[rows_[row]].timestamp_millis;
      int64_t micros = 0;
      const bool known = millis >= 0 && !__builtin_mul_overflow(millis, 1000, &micros);
      numbers[row] = known ? std::optional<int64_t>(micros) : std::nullopt;
    }
    MR_RETURN_IF_ERROR(batch_.column(*timestamp_column_).AppendIntegers(numbers));
  }
  if (offset_column_.has_value()) {
    for (size_t row = 0; row < rows_.size(); ++row) numbers[row] = messages[rows_[row]].offset;
    MR_RETURN_IF_ERROR(batch_.column(*offset_column_).AppendIntegers(numbers));
  }
  if (partition_column_.has_value()) {
    numbers.assign(rows_.size(), partition);
    MR_RETURN_IF_ERROR(batch_.column(*partition_column_).AppendIntegers(numbers));
  }
  return absl::OkStatus();
}

absl::Status KafkaRowDecoder::AppendKeys(absl::Span<const KafkaMessage> messages) {
  ColumnBuilder& builder = batch_.column(*key_column_);
  builder.set_check_text(true);
  int64_t num_bytes = 0;
  for (const size_t message : rows_) {
    num_bytes += static_cast<int64_t>(messages[message].key.value_or("").size());
  }
  MR_RETURN_IF_ERROR(builder.Reserve(static_cast<int64_t>(rows_.size()), num_bytes));
  for (const size_t message : rows_) {
    const std::optional<absl::string_view>& key = messages[message].key;
    if (key.has_value() && builder.AppendBytes(*key)) continue;
    builder.AppendNull();
    if (key.has_value()) {
      Fault(message, output_[*key_column_].name, builder.ExplainFailure(*key));
    }
  }
  return absl::OkStatus();
}

absl::Status KafkaRowDecoder::AppendHeaders(absl::Span<const KafkaMessage> messages) {
  ColumnBuilder& builder = batch_.column(*headers_column_);
  int64_t num_bytes = 0;
  for (const size_t message : rows_) {
    num_bytes += static_cast<int64_t>(messages[message].headers.size());
  }
  MR_RETURN_IF_ERROR(builder.Reserve(static_cast<int64_t>(rows_.size()), num_bytes));
  for (const size_t message : rows_) {
    const std::string& headers = messages[message].headers;
    if (headers.empty() || !builder.AppendText(headers)) builder.AppendNull();
  }
  return absl::OkStatus();
}

}  // namespace millrace
