#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "common/file_format/arrow_file.h"
#include "common/types/text_format.h"
#include "worker/connectors/file/file_writer.h"

namespace millrace {
namespace {

constexpr size_t kJsonFlushBytes = size_t{1} << 20;

void AppendJsonString(absl::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          absl::StrAppendFormat(out, "\\u%04x", static_cast<unsigned>(c));
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

class JsonRows {
 public:
  explicit JsonRows(const Schema& schema) : schema_(schema) {
    for (const Field& field : schema_) {
      std::string& key = keys_.emplace_back(keys_.empty() ? "{" : ",");
      AppendJsonString(field.name, &key);
      key.push_back(':');
    }
  }

  void AppendRow(const Batch& batch, int64_t row, std::string* text) {
    if (schema_.empty()) text->push_back('{');
    for (size_t i = 0; i < schema_.size(); ++i) {
      *text += keys_[i];
      AppendValue(*batch.column(static_cast<int>(i)), row, schema_[i].type, text);
    }
    text->push_back('}');
  }

 private:
  void AppendValue(const arrow::Array& array, int64_t row, const SqlType& type, std::string* text) {
    if (array.IsNull(row)) {
      *text += "null";
      return;
    }
    value_.clear();
    AppendValueText(array, row, type, &value_);
    if (type.id == TypeId::kBoolean) {
      *text += value_ == "t" ? "true" : "false";
    } else if (type.is_number() && IsJsonNumber()) {
      *text += value_;
    } else {
      // As PostgreSQL's to_json: ISO 8601 with a T.
      const size_t blank = type.is_timestamp() ? value_.find(' ') : std::string::npos;
      if (blank != std::string::npos) value_[blank] = 'T';
      AppendJsonString(value_, text);
    }
  }

  // False for NaN and the infinities, which JSON writes as strings.
  bool IsJsonNumber() const { return value_.find_first_of("Ny") == std::string::npos; }

  const Schema schema_;
  // What stands before each value: `{"a":`, `,"b":`.
  std::vector<std::string> keys_;
  std::string value_;
};

class JsonWriter final : public FileWriter {
 public:
  JsonWriter(const Schema& schema, arrow::io::OutputStream& output)
      : rows_(schema), output_(output) {}

  absl::Status Write(const Batch& batch) override {
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      rows_.AppendRow(batch, row, &text_);
      text_.push_back('\n');
      if (text_.size() >= kJsonFlushBytes) MR_RETURN_IF_ERROR(Flush());
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

  JsonRows rows_;
  arrow::io::OutputStream& output_;
  std::string text_;
};

class JsonFormatter final : public RowFormatter {
 public:
  explicit JsonFormatter(const Schema& schema) : rows_(schema) {}

  void Append(const Batch& batch, std::string* text, std::vector<size_t>* ends) override {
    for (int64_t row = 0; row < batch.num_rows(); ++row) {
      rows_.AppendRow(batch, row, text);
      ends->push_back(text->size());
    }
  }

 private:
  JsonRows rows_;
};

}  // namespace

std::unique_ptr<FileWriter> MakeJsonWriter(const Schema& schema, arrow::io::OutputStream& output) {
  return std::make_unique<JsonWriter>(schema, output);
}

std::unique_ptr<RowFormatter> MakeJsonFormatter(const Schema& schema) {
  return std::make_unique<JsonFormatter>(schema);
}

}  // namespace millrace
