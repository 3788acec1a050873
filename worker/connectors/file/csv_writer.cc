#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "common/file_format/arrow_file.h"
#include "common/file_format/csv_index.h"
#include "common/types/text_format.h"
#include "worker/connectors/file/file_writer.h"

namespace millrace {
namespace {

constexpr size_t kFlushBytes = size_t{1} << 20;

class CsvRows {
 public:
  CsvRows(CsvDialect dialect, const Schema& schema)
      : dialect_(std::move(dialect)), schema_(schema) {}

  void AppendHeader(std::string* text) {
    for (size_t i = 0; i < schema_.size(); ++i) {
      if (i > 0) text->push_back(dialect_.delimiter);
      AppendField(schema_[i].name, text);
    }
  }

  void AppendRow(const Batch& batch, int64_t row, std::string* text) {
    for (int column = 0; column < batch.num_columns(); ++column) {
      if (column > 0) text->push_back(dialect_.delimiter);
      AppendValue(*batch.column(column), row, schema_[static_cast<size_t>(column)].type, text);
    }
  }

 private:
  void AppendValue(const arrow::Array& array, int64_t row, const SqlType& type, std::string* text) {
    if (array.IsNull(row)) {
      if (!dialect_.null_strings.empty()) *text += dialect_.null_strings.front();
      return;
    }
    value_.clear();
    AppendValueText(array, row, type, &value_);
    AppendField(value_, text);
  }

  void AppendField(const std::string& value, std::string* text) const {
    const char special[] = {dialect_.delimiter, dialect_.quote, '\n', '\r'};
    const bool plain = value.find_first_of(special, 0, sizeof(special)) == std::string::npos &&
                       !IsCsvNull(value, dialect_);
    if (plain) {
      *text += value;
      return;
    }
    text->push_back(dialect_.quote);
    for (const char c : value) {
      if (c == dialect_.quote || c == dialect_.escape) text->push_back(dialect_.escape);
      text->push_back(c);
    }
    text->push_back(dialect_.quote);
  }

  const CsvDialect dialect_;
  const Schema schema_;
  std::string value_;
};

class CsvWriter final : public FileWriter {
 public:
  CsvWriter(const FileOptions& options, const Schema& schema, arrow::io::OutputStream& output)
      : rows_(options.csv, schema), output_(output) {
    if (options.header == CsvHeader::kNo) return;
    rows_.AppendHeader(&text_);
    text_.push_back('\n');
  }

  absl::Status Write(const Batch& batch) override {
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      rows_.AppendRow(batch, row, &text_);
      text_.push_back('\n');
      if (text_.size() >= kFlushBytes) MR_RETURN_IF_ERROR(Flush());
    }
    return absl::OkStatus();
  }

  absl::Status Finish() override { return Flush(); }

 private:
  absl::Status Flush() {
    const arrow::Status status = output_.Write(text_.data(), static_cast<int64_t>(text_.size()));
    text_.clear();
    return FromArrowKeepingDetail(status);
  }

  CsvRows rows_;
  arrow::io::OutputStream& output_;
  std::string text_;
};

class CsvFormatter final : public RowFormatter {
 public:
  CsvFormatter(const CsvDialect& dialect, const Schema& schema) : rows_(dialect, schema) {}

  void Append(const Batch& batch, std::string* text, std::vector<size_t>* ends) override {
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      rows_.AppendRow(batch, row, text);
      ends->push_back(text->size());
    }
  }

 private:
  CsvRows rows_;
};

}  // namespace

std::unique_ptr<FileWriter> MakeCsvWriter(const FileOptions& options, const Schema& schema,
                                          arrow::io::OutputStream& output) {
  return std::make_unique<CsvWriter>(options, schema, output);
}

std::unique_ptr<RowFormatter> MakeCsvFormatter(const CsvDialect& dialect, const Schema& schema) {
  return std::make_unique<CsvFormatter>(dialect, schema);
}

}  // namespace millrace
