#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "arrow/type_fwd.h"
#include "common/connector_spec/file_options.h"
#include "common/types/sql_type.h"

namespace millrace {

// One column of rows of a CSV block, for builders that walk down a column.
struct CsvColumn {
  const char* text = nullptr;
  // As in CsvIndex; first_fields[row] = index in `separators` of the end of the row's first field.
  const uint32_t* separators = nullptr;
  const uint32_t* first_fields = nullptr;
  uint32_t column = 0;
  // The fields may end in a carriage return.
  bool is_last = false;
  // Some field of the block has quotes.
  bool has_quotes = false;
  const CsvDialect* dialect = nullptr;

  // The field as it stands there, quotes included.
  absl::string_view field(size_t row) const {
    const uint32_t* end = separators + first_fields[row] + column;
    const uint32_t begin = end[-1] + 1;
    absl::string_view field(text + begin, *end - begin);
    if (is_last && !field.empty() && field.back() == '\r') field.remove_suffix(1);
    return field;
  }
  // Bytes of the fields of rows [first, last), at least.
  int64_t text_bytes(size_t first, size_t last) const {
    int64_t bytes = 0;
    for (size_t row = first; row < last; ++row) {
      const uint32_t* end = separators + first_fields[row] + column;
      bytes += *end - end[-1];
    }
    return bytes;
  }
};

// Collects the values of one column from text, typed, in Arrow's layout.
class ColumnBuilder {
 public:
  static absl::StatusOr<std::unique_ptr<ColumnBuilder>> Create(const SqlType& type);
  virtual ~ColumnBuilder() = default;

  // Makes room; the Append calls below do not. `text_bytes`: of all values together, for strings.
  virtual absl::Status Reserve(int64_t num_rows, int64_t text_bytes) = 0;
  virtual void AppendNull() = 0;
  // False if the text is no value of the type; then nothing is appended.
  virtual bool AppendText(absl::string_view text) = 0;
  // bytea: appends the bytes themselves, not their text form. Other types: AppendText.
  virtual bool AppendBytes(absl::string_view bytes) = 0;
  // smallint to bigint and timestamps: appends values as they lie in memory; absent = NULL. Makes
  // room itself. XX000 for other types.
  virtual absl::Status AppendIntegers(absl::Span<const std::optional<int64_t>> values) = 0;
  // Appends rows [first, last) of a column; returns `last`, or the first row that is no value of
  // the type.
  virtual size_t AppendCsv(const CsvColumn& column, size_t first, size_t last) = 0;
  // Why AppendText refuses `text`: 22P02 "invalid input syntax for type integer: …" and so on.
  virtual absl::Status ExplainFailure(absl::string_view text) const = 0;
  // True: strings are checked one by one for UTF-8 without U+0000 from now on. False: the caller
  // knows.
  virtual void set_check_text(bool check) = 0;
  virtual int64_t num_rows() const = 0;
  // The array of what was appended; the builder begins anew.
  virtual absl::StatusOr<std::shared_ptr<arrow::Array>> Finish() = 0;
};

}  // namespace millrace
