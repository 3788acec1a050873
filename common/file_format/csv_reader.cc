#include "common/file_format/csv_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::vector<std::string> SortedLowerCase(const std::vector<std::string>& names) {
  std::vector<std::string> result;
  for (const std::string& name : names) {
    result.push_back(absl::AsciiStrToLower(absl::StripAsciiWhitespace(name)));
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace

CsvReader::CsvReader(std::unique_ptr<ByteStream> stream, std::string path, CsvDialect dialect,
                     uint64_t begin, Rest rest)
    : window_(std::move(stream), path, begin),
      path_(path),
      dialect_(std::move(dialect)),
      rest_(rest) {}

absl::StatusOr<bool> CsvReader::Next() {
  window_.Drop(block_bytes_);
  block_bytes_ = 0;
  while (true) {
    if (!window_.at_end()) {
      MR_RETURN_IF_ERROR(window_.Fill(kBlockBytes));
    } else if (window_.text().empty() || rest_ == Rest::kIsUnfinished) {
      return false;
    } else if (window_.text().back() != '\n') {
      window_.AppendLineEnd();
    } else {
      return MakeError(SqlState::kBadCopyFileFormat,
                       absl::StrCat("\"", path_, "\" at byte ", window_.offset(),
                                    ": unterminated quoted field"));
    }
    IndexCsv(window_.text(), dialect_, &index_);
    if (index_.num_rows() > 0) {
      block_bytes_ = index_.row_end(index_.num_rows() - 1) + size_t{1};
      return true;
    }
  }
}

absl::StatusOr<CsvFileHead> ReadCsvFileHead(FileSystem& file_system, const std::string& path,
                                            Compression compression, const CsvDialect& dialect) {
  CsvFileHead head;
  MR_ASSIGN_OR_RETURN(auto probe, ByteStream::Open(file_system, path, compression, 0));
  char first_bytes[kByteOrderMark.size()];
  MR_ASSIGN_OR_RETURN(const size_t count, probe->Read(sizeof(first_bytes), first_bytes));
  if (absl::string_view(first_bytes, count) == kByteOrderMark) head.mark_bytes = count;
  MR_ASSIGN_OR_RETURN(auto stream,
                      ByteStream::Open(file_system, path, compression, head.mark_bytes));
  CsvReader reader(std::move(stream), path, dialect, head.mark_bytes);
  MR_ASSIGN_OR_RETURN(bool more, reader.Next());
  while (more) {
    const CsvIndex& index = reader.index();
    for (size_t row = 0; row < index.num_rows(); ++row) {
      head.first_row_end = reader.offset() + index.row_end(row) + 1;
      if (index.num_fields(row) == 1 && CsvField(reader.text(), index, row, 0).empty()) continue;
      for (size_t column = 0; column < index.num_fields(row); ++column) {
        Unquote(CsvField(reader.text(), index, row, column), dialect,
                &head.first_row.emplace_back());
      }
      return head;
    }
    MR_ASSIGN_OR_RETURN(more, reader.Next());
  }
  return head;
}

bool IsHeaderOf(const std::vector<std::string>& row, const std::vector<std::string>& names) {
  return row.size() == names.size() && SortedLowerCase(row) == SortedLowerCase(names);
}

}  // namespace millrace
