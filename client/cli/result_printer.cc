#include "client/cli/result_printer.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/types/text_format.h"

namespace millrace {
namespace {

// Rows of a table that are held back to find the widths.
constexpr size_t kPageRows = 1000;
constexpr size_t kBufferBytes = 64 << 10;

// Characters, not bytes; wide characters count as one.
size_t DisplayWidth(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool AlignsRight(const SqlType& type) { return type.is_number(); }

class TablePrinter final : public ResultPrinter {
 public:
  explicit TablePrinter(std::FILE* out) : ResultPrinter(out) {}

  void Begin(const Schema& schema) override {
    schema_ = schema;
    rows_.clear();
    num_rows_ = 0;
    header_written_ = false;
    widths_.clear();
    for (const Field& field : schema) widths_.push_back(DisplayWidth(field.name));
  }

  void Write(const arrow::RecordBatch& batch) override {
    if (batch.num_rows() == 0 && !rows_.empty()) WritePage();
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      std::vector<std::string> cells(schema_.size());
      for (size_t i = 0; i < schema_.size(); ++i) {
        const arrow::Array& column = *batch.column(static_cast<int>(i));
        if (!column.IsNull(row)) AppendValueText(column, row, schema_[i].type, &cells[i]);
      }
      rows_.push_back(std::move(cells));
      ++num_rows_;
      if (rows_.size() >= kPageRows) WritePage();
    }
  }

  void End() override {
    WritePage();
    std::string text = absl::StrCat("(", num_rows_, num_rows_ == 1 ? " row)\n" : " rows)\n");
    Flush(text);
  }

 private:
  void WritePage() {
    std::string text;
    if (!header_written_) {
      for (const auto& cells : rows_) {
        for (size_t i = 0; i < cells.size(); ++i) {
          widths_[i] = std::max(widths_[i], DisplayWidth(cells[i]));
        }
      }
      WriteHeader(&text);
    }
    for (const auto& cells : rows_) WriteRow(cells, &text);
    rows_.clear();
    Flush(text);
  }

  void WriteHeader(std::string* text) {
    header_written_ = true;
    for (size_t i = 0; i < schema_.size(); ++i) {
      const size_t padding = widths_[i] - DisplayWidth(schema_[i].name);
      absl::StrAppend(text, i == 0 ? " " : "| ", std::string(padding / 2, ' '), schema_[i].name,
                      std::string(padding - padding / 2, ' '), " ");
    }
    while (text->back() == ' ') text->pop_back();
    absl::StrAppend(text, "\n");
    for (size_t i = 0; i < schema_.size(); ++i) {
      absl::StrAppend(text, i == 0 ? "" : "+", std::string(widths_[i] + 2, '-'));
    }
    absl::StrAppend(text, "\n");
  }

  void WriteRow(const std::vector<std::string>& cells, std::string* text) const {
    for (size_t i = 0; i < cells.size(); ++i) {
      const size_t width = DisplayWidth(cells[i]);
      const std::string padding(widths_[i] > width ? widths_[i] - width : 0, ' ');
      absl::StrAppend(text, i == 0 ? " " : "| ");
      if (AlignsRight(schema_[i].type)) {
        absl::StrAppend(text, padding, cells[i], " ");
      } else {
        absl::StrAppend(text, cells[i], padding, " ");
      }
    }
    while (!text->empty() && text->back() == ' ') text->pop_back();
    absl::StrAppend(text, "\n");
  }

  Schema schema_;
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
  uint64_t num_rows_ = 0;
  bool header_written_ = false;
};

void AppendCsvField(absl::string_view value, std::string* out) {
  const bool quote = value.empty() || value.find_first_of(",\"\r\n") != absl::string_view::npos;
  if (!quote) {
    out->append(value.data(), value.size());
    return;
  }
  out->push_back('"');
  for (char c : value) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

class CsvPrinter final : public ResultPrinter {
 public:
  explicit CsvPrinter(std::FILE* out) : ResultPrinter(out) {}

  void Begin(const Schema& schema) override {
    schema_ = schema;
    for (size_t i = 0; i < schema.size(); ++i) {
      if (i > 0) buffer_.push_back(',');
      AppendCsvField(schema[i].name, &buffer_);
    }
    buffer_.push_back('\n');
  }

  void Write(const arrow::RecordBatch& batch) override {
    std::string value;
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      for (size_t i = 0; i < schema_.size(); ++i) {
        if (i > 0) buffer_.push_back(',');
        const arrow::Array& column = *batch.column(static_cast<int>(i));
        if (column.IsNull(row)) continue;
        value.clear();
        AppendValueText(column, row, schema_[i].type, &value);
        AppendCsvField(value, &buffer_);
      }
      buffer_.push_back('\n');
      if (buffer_.size() >= kBufferBytes) Flush(buffer_);
    }
    Flush(buffer_);
  }

  void End() override { Flush(buffer_); }

 private:
  Schema schema_;
  std::string buffer_;
};

void AppendJsonString(absl::string_view value, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c == '\n') {
      out->append("\\n");
    } else if (byte < 0x20) {
      out->append("\\u00");
      out->push_back(kHex[byte >> 4]);
      out->push_back(kHex[byte & 15]);
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

// Numbers and booleans as they are (NaN and infinities as strings), all else as strings.
void AppendJsonValue(const arrow::Array& column, int64_t row, const SqlType& type,
                     std::string* scratch, std::string* out) {
  if (column.IsNull(row)) {
    out->append("null");
    return;
  }
  if (type.id == TypeId::kBoolean) {
    out->append(static_cast<const arrow::BooleanArray&>(column).Value(row) ? "true" : "false");
    return;
  }
  scratch->clear();
  AppendValueText(column, row, type, scratch);
  const bool finite = !scratch->empty() && scratch->find_first_of("Nn") == std::string::npos;
  if (type.is_number() && finite) {
    out->append(*scratch);
  } else {
    AppendJsonString(*scratch, out);
  }
}

class JsonPrinter final : public ResultPrinter {
 public:
  JsonPrinter(std::FILE* out, bool lines) : ResultPrinter(out), lines_(lines) {}

  void Begin(const Schema& schema) override {
    schema_ = schema;
    first_row_ = true;
    if (!lines_) buffer_.append("[");
  }

  void Write(const arrow::RecordBatch& batch) override {
    std::string scratch;
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      if (!lines_) buffer_.append(first_row_ ? "\n" : ",\n");
      first_row_ = false;
      buffer_.push_back('{');
      for (size_t i = 0; i < schema_.size(); ++i) {
        if (i > 0) buffer_.push_back(',');
        AppendJsonString(schema_[i].name, &buffer_);
        buffer_.push_back(':');
        AppendJsonValue(*batch.column(static_cast<int>(i)), row, schema_[i].type, &scratch,
                        &buffer_);
      }
      buffer_.append(lines_ ? "}\n" : "}");
      if (buffer_.size() >= kBufferBytes) Flush(buffer_);
    }
    Flush(buffer_);
  }

  void End() override {
    if (!lines_) buffer_.append(first_row_ ? "]\n" : "\n]\n");
    Flush(buffer_);
  }

 private:
  const bool lines_;
  Schema schema_;
  bool first_row_ = true;
  std::string buffer_;
};

}  // namespace

void ResultPrinter::Flush(std::string& buffer) {
  if (!buffer.empty() && std::fwrite(buffer.data(), 1, buffer.size(), out_) != buffer.size()) {
    ok_ = false;
  }
  if (std::fflush(out_) != 0) ok_ = false;
  buffer.clear();
}

absl::StatusOr<OutputFormat> ParseOutputFormat(absl::string_view name) {
  if (name == "table") return OutputFormat::kTable;
  if (name == "csv") return OutputFormat::kCsv;
  if (name == "json") return OutputFormat::kJson;
  if (name == "jsonl") return OutputFormat::kJsonl;
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("unknown output format \"", name, "\""),
                   "use table, csv, json or jsonl");
}

std::unique_ptr<ResultPrinter> MakeResultPrinter(OutputFormat format, std::FILE* out) {
  switch (format) {
    case OutputFormat::kTable:
      return std::make_unique<TablePrinter>(out);
    case OutputFormat::kCsv:
      return std::make_unique<CsvPrinter>(out);
    case OutputFormat::kJson:
      return std::make_unique<JsonPrinter>(out, /*lines=*/false);
    case OutputFormat::kJsonl:
      break;
  }
  return std::make_unique<JsonPrinter>(out, /*lines=*/true);
}

}  // namespace millrace
