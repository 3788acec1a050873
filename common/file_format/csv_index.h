#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/connector_spec/file_options.h"

namespace millrace {

// Where the fields and rows of a piece of CSV text lie. Filled by IndexCsv; the text itself stays
// where it is.
struct CsvIndex {
  // separators[0] stands before the first row (its begin − 1, modulo 2^32); then the positions of
  // all delimiters and line ends outside of quotes, as far as row_ends refers to them. A field lies
  // between two neighbours.
  std::vector<uint32_t> separators;
  // For each complete row the index in `separators` of its line end.
  std::vector<uint32_t> row_ends;
  // True if there is a quote anywhere; if not, fields are what they look like.
  bool has_quotes = false;

  size_t num_rows() const { return row_ends.size(); }
  // Index in `separators` of the end of the row's first field.
  uint32_t first_field(size_t row) const { return row == 0 ? 1 : row_ends[row - 1] + 1; }
  size_t num_fields(size_t row) const { return row_ends[row] + 1 - first_field(row); }
  uint32_t row_begin(size_t row) const { return separators[first_field(row) - 1] + 1; }
  // Position of the row's line end.
  uint32_t row_end(size_t row) const { return separators[row_ends[row]]; }
};

// Finds the rows of `text`, which begins with a row and has 64 readable bytes behind it. A row ends
// at a line feed outside of quotes; quotes toggle, as PostgreSQL's COPY has it, so "" within a
// quoted field is a quote. With another escape character, what it stands before within quotes does
// not toggle; such text is gone through byte by byte. What follows the last line end is not a row.
void IndexCsv(absl::string_view text, const CsvDialect& dialect, CsvIndex* index);

// The field without carriage return at its end, if it is the row's last one.
inline absl::string_view WithoutCarriageReturn(absl::string_view field) {
  if (!field.empty() && field.back() == '\r') field.remove_suffix(1);
  return field;
}

// Field `column` of a row, quotes included, carriage return excluded.
absl::string_view CsvField(absl::string_view text, const CsvIndex& index, size_t row,
                           size_t column);

// The value of a field that has a quote somewhere: outer quotes removed, "" made one, or what the
// dialect's escape character stands before made itself.
void Unquote(absl::string_view field, const CsvDialect& dialect, std::string* value);

// True if the field means NULL: one of the null strings, or empty unless the dialect says
// otherwise, and not quoted.
bool IsCsvNull(absl::string_view field, const CsvDialect& dialect);

}  // namespace millrace
