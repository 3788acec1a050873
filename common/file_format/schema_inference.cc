#include "common/file_format/schema_inference.h"

#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "common/file_format/column_guess.h"
#include "common/file_format/csv_reader.h"
#include "common/file_format/parquet_file.h"
#include "common/file_format/text_window.h"
#include "simdjson.h"

namespace millrace {
namespace {

constexpr size_t kSampleRowsMax = 10'000;
constexpr uint64_t kSampleBytesMax = uint64_t{4} << 20;
constexpr size_t kColumnsMax = 1600;

absl::Status CheckNumColumns(const std::string& path, size_t num_columns) {
  if (num_columns <= kColumnsMax) return absl::OkStatus();
  return MakeError(SqlState::kTooManyColumns,
                   absl::StrCat("\"", path, "\" has more than ", kColumnsMax, " columns"));
}

// Makes names that SQL can tell apart: empty ones are numbered, repeated ones get a suffix.
std::vector<std::string> DistinctNames(const std::vector<std::string>& header) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (size_t i = 0; i < header.size(); ++i) {
    std::string name(absl::StripAsciiWhitespace(header[i]));
    if (name.empty()) name = absl::StrCat("column", i + 1);
    const std::string base = name;
    for (int n = 1; !taken.insert(name).second; ++n) name = absl::StrCat(base, "_", n);
    names.push_back(std::move(name));
  }
  return names;
}

absl::StatusOr<Schema> InferParquet(FileSystem& file_system, const std::string& path) {
  MR_ASSIGN_OR_RETURN(const auto file, ParquetFile::Open(file_system, path));
  Schema schema;
  for (const auto& field : file->schema().fields()) {
    absl::StatusOr<SqlType> type = FromArrowType(*field->type());
    if (!type.ok()) {
      return WithContext(type.status(),
                         absl::StrCat("column \"", field->name(), "\" of \"", path, "\""));
    }
    schema.push_back(Field{field->name(), *type});
  }
  return schema;
}

// True if the first row looks like names: every field is text.
bool LooksLikeHeader(const std::vector<std::string>& row, const CsvDialect& dialect) {
  for (const std::string& field : row) {
    ColumnGuess guess;
    if (IsCsvNull(field, dialect)) return false;
    guess.Add(field);
    if (guess.Result().id != TypeId::kText) return false;
  }
  return true;
}

class CsvSample {
 public:
  CsvSample(const CsvDialect& dialect, size_t num_columns)
      : dialect_(dialect), guesses_(num_columns) {}

  // False when the sample is complete.
  bool Add(const CsvReader& reader) {
    const CsvIndex& index = reader.index();
    std::string value;
    for (size_t row = 0; row < index.num_rows(); ++row) {
      // Rows of another length are the reader's business.
      if (index.num_fields(row) != guesses_.size()) continue;
      for (size_t column = 0; column < guesses_.size(); ++column) {
        const absl::string_view field = CsvField(reader.text(), index, row, column);
        if (IsCsvNull(field, dialect_)) continue;
        Unquote(field, dialect_, &value);
        guesses_[column].Add(value);
      }
      if (++num_rows_ == kSampleRowsMax) return false;
    }
    return reader.offset() + reader.text().size() < kSampleBytesMax;
  }
  const std::vector<ColumnGuess>& guesses() const { return guesses_; }

 private:
  const CsvDialect& dialect_;
  std::vector<ColumnGuess> guesses_;
  size_t num_rows_ = 0;
};

absl::StatusOr<Schema> InferCsv(FileSystem& file_system, const std::string& path,
                                const FileOptions& options) {
  const Compression compression = ReadCompression(options, path);
  MR_ASSIGN_OR_RETURN(const CsvFileHead head,
                      ReadCsvFileHead(file_system, path, compression, options.csv));
  MR_RETURN_IF_ERROR(CheckNumColumns(path, head.first_row.size()));
  const bool has_header =
      options.header == CsvHeader::kYes ||
      (options.header == CsvHeader::kAuto && LooksLikeHeader(head.first_row, options.csv));
  const uint64_t begin = has_header ? head.first_row_end : head.mark_bytes;
  MR_ASSIGN_OR_RETURN(auto stream, ByteStream::Open(file_system, path, compression, begin));
  CsvReader reader(std::move(stream), path, options.csv, begin);
  CsvSample sample(options.csv, head.first_row.size());
  MR_ASSIGN_OR_RETURN(bool more, reader.Next());
  while (more && sample.Add(reader)) {
    MR_ASSIGN_OR_RETURN(more, reader.Next());
  }
  const std::vector<std::string> names =
      DistinctNames(has_header ? head.first_row : std::vector<std::string>(head.first_row.size()));
  Schema schema;
  for (size_t i = 0; i < names.size(); ++i) {
    schema.push_back(Field{names[i], sample.guesses()[i].Result()});
  }
  return schema;
}

class JsonSample {
 public:
  absl::Status Add(absl::string_view line) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) return absl::OkStatus();
    simdjson::dom::object object;
    // realloc_if_needed copies the line: it has no padding of its own here.
    if (parser_.parse(line.data(), line.size(), true).get(object) != simdjson::SUCCESS) {
      return MakeError(SqlState::kInvalidTextRepresentation, "the line is not a JSON object",
                       "format 'json' is one JSON object a line");
    }
    for (const auto& [key, value] : object) AddValue(std::string(key), value);
    return absl::OkStatus();
  }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<ColumnGuess>& guesses() const { return guesses_; }

 private:
  void AddValue(const std::string& key, const simdjson::dom::element& value) {
    const auto [found, is_new] = places_.try_emplace(key, names_.size());
    if (is_new) {
      names_.push_back(key);
      guesses_.emplace_back();
    }
    ColumnGuess& guess = guesses_[found->second];
    switch (value.type()) {
      case simdjson::dom::element_type::NULL_VALUE:
        return;
      case simdjson::dom::element_type::STRING: {
        const std::string_view text = value.get_string().value_unsafe();
        // A number in quotes was meant as text; a date can be written in no other way.
        ColumnGuess alone;
        alone.Add(absl::string_view(text.data(), text.size()));
        const TypeId type = alone.Result().id;
        const bool is_time =
            type == TypeId::kDate || type == TypeId::kTimestamp || type == TypeId::kTimestampTz;
        return is_time ? guess.Add(absl::string_view(text.data(), text.size())) : guess.AddText();
      }
      case simdjson::dom::element_type::INT64:
        return guess.Add("1");
      case simdjson::dom::element_type::UINT64:  // Beyond bigint.
      case simdjson::dom::element_type::DOUBLE:
        return guess.Add("1.5");
      case simdjson::dom::element_type::BOOL:
        return guess.Add("true");
      default:
        return guess.AddText();
    }
  }

  simdjson::dom::parser parser_;
  absl::flat_hash_map<std::string, size_t> places_;
  std::vector<std::string> names_;
  std::vector<ColumnGuess> guesses_;
};

absl::StatusOr<Schema> InferJson(FileSystem& file_system, const std::string& path,
                                 const FileOptions& options) {
  MR_ASSIGN_OR_RETURN(auto stream,
                      ByteStream::Open(file_system, path, ReadCompression(options, path), 0));
  TextWindow window(std::move(stream), path, 0);
  do {
    MR_RETURN_IF_ERROR(window.Fill(kSampleBytesMax));
  } while (!window.at_end() && window.text().find('\n') == absl::string_view::npos);
  if (window.at_end() && !window.text().empty() && window.text().back() != '\n') {
    window.AppendLineEnd();
  }
  JsonSample sample;
  absl::string_view text = window.text();
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  for (size_t row = 1; row <= kSampleRowsMax; ++row) {
    const size_t end = text.find('\n');
    if (end == absl::string_view::npos) break;
    const absl::Status added = sample.Add(text.substr(0, end));
    if (!added.ok() && options.bad_rows == BadRows::kFail) {
      return WithContext(added, absl::StrCat(path, " line ", row));
    }
    text.remove_prefix(end + 1);
  }
  MR_RETURN_IF_ERROR(CheckNumColumns(path, sample.names().size()));
  Schema schema;
  for (size_t i = 0; i < sample.names().size(); ++i) {
    schema.push_back(Field{sample.names()[i], sample.guesses()[i].Result()});
  }
  return schema;
}

}  // namespace

absl::StatusOr<Schema> InferFileSchema(FileSystem& file_system, const std::vector<FileInfo>& files,
                                       const FileOptions& options) {
  for (const FileInfo& file : files) {
    // An empty text file tells nothing.
    if (file.size_bytes == 0 && options.format != FileFormat::kParquet) continue;
    switch (options.format) {
      case FileFormat::kCsv:
        return InferCsv(file_system, file.path, options);
      case FileFormat::kJson:
        return InferJson(file_system, file.path, options);
      case FileFormat::kParquet:
        return InferParquet(file_system, file.path);
    }
  }
  return Schema();
}

}  // namespace millrace
