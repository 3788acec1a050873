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

class CsvWriter final : public FileWriter {
 public:
  CsvWriter(const FileOptions& options, const Schema& schema, arrow::io::OutputStream& output)
      : dialect_(options.csv), schema_(schema), output_(output) {
    if (options.header != CsvHeader::kNo) AppendHeader();
  }

  absl::Status Write(const Batch& batch) override {
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      for (int column = 0; column < batch.num_columns(); ++column) {
        if (column > 0) text_.push_back(dialect_.delimiter);
        AppendValue(*batch.column(column), row, schema_[static_cast<size_t>(column)].type);
      }
      text_.push_back('\n');
      if (text_.size() >= kFlushBytes) MR_RETURN_IF_ERROR(Flush());
    }
    return absl::OkStatus();
  }

  absl::Status Finish() override { return Flush(); }

 private:
  void AppendHeader() {
    for (size_t i = 0; i < schema_.size(); ++i) {
      if (i > 0) text_.push_back(dialect_.delimiter);
      AppendField(schema_[i].name);
    }
    text_.push_back('\n');
  }

  void AppendValue(const arrow::Array& array, int64_t row, const SqlType& type) {
    if (array.IsNull(row)) {
      if (!dialect_.null_strings.empty()) text_ += dialect_.null_strings.front();
      return;
    }
    value_.clear();
    AppendValueText(array, row, type, &value_);
    AppendField(value_);
  }

  void AppendField(const std::string& value) {
    const char special[] = {dialect_.delimiter, dialect_.quote, '\n', '\r'};
    const bool plain = value.find_first_of(special, 0, sizeof(special)) == std::string::npos &&
                       !IsCsvNull(value, dialect_);
    if (plain) {
      text_ += value;
      return;
    }
    text_.push_back(dialect_.quote);
    for (const char c : value) {
      if (c == dialect_.quote || c == dialect_.escape) text_.push_back(dialect_.escape);
      text_.push_back(c);
    }
    text_.push_back(dialect_.quote);
  }

  absl::Status Flush() {
    const arrow::Status status = output_.Write(text_.data(), static_cast<int64_t>(text_.size()));
    text_.clear();
    return FromArrowKeepingDetail(status);
  }

  const CsvDialect dialect_;
  const Schema schema_;
  arrow::io::OutputStream& output_;
  std::string text_;
  std::string value_;
};

}  // namespace

std::unique_ptr<FileWriter> MakeCsvWriter(const FileOptions& options, const Schema& schema,
                                          arrow::io::OutputStream& output) {
  return std::make_unique<CsvWriter>(options, schema, output);
}

}  // namespace millrace
