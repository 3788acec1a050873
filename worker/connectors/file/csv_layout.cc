#include "worker/connectors/file/csv_layout.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"

namespace millrace {
namespace {

// Place of `name` in the header: as written, else in other case.
std::optional<uint32_t> FindName(const std::vector<std::string>& header, const std::string& name) {
  for (size_t i = 0; i < header.size(); ++i) {
    if (absl::StripAsciiWhitespace(header[i]) == name) return static_cast<uint32_t>(i);
  }
  for (size_t i = 0; i < header.size(); ++i) {
    if (absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(header[i]), name)) {
      return static_cast<uint32_t>(i);
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<CsvLayout> MakeCsvLayout(const FileScan& scan, const CsvFileHead& head,
                                        const std::string& path) {
  CsvLayout layout;
  std::vector<uint32_t> place_of_column;
  if (scan.options.header != CsvHeader::kNo) {
    for (const Field& column : scan.columns) {
      const std::optional<uint32_t> place = FindName(head.first_row, column.name);
      if (!place.has_value()) break;
      place_of_column.push_back(*place);
    }
  }
  const bool by_name = place_of_column.size() == scan.columns.size() &&
                       scan.options.header != CsvHeader::kNo && !head.first_row.empty();
  const bool has_header = by_name || scan.options.header == CsvHeader::kYes;
  if (has_header && !by_name && !head.first_row.empty() &&
      head.first_row.size() != scan.columns.size()) {
    const Field& missing = scan.columns[place_of_column.size()];
    return MakeError(SqlState::kBadCopyFileFormat,
                     absl::StrCat("the header of \"", path, "\" does not name the column \"",
                                  missing.name, "\" and has ", head.first_row.size(),
                                  " fields, the table ", scan.columns.size(), " columns"),
                     absl::StrCat("its fields are ", absl::StrJoin(head.first_row, ", ")));
  }
  layout.has_header = has_header;
  layout.rows_begin = has_header ? head.first_row_end : head.mark_bytes;
  if (by_name) {
    layout.field_names = head.first_row;
  } else {
    for (const Field& column : scan.columns) layout.field_names.push_back(column.name);
  }
  layout.num_fields = layout.field_names.size();
  for (const int column : scan.projection) {
    layout.field_of_output.push_back(by_name ? place_of_column[column]
                                             : static_cast<uint32_t>(column));
  }
  return layout;
}

}  // namespace millrace
