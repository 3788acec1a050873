#include "worker/connectors/file/bad_row_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

constexpr size_t kBufferBytes = size_t{256} << 10;

// At most `bytes_max` bytes, cut between characters.
std::string Shortened(absl::string_view text, size_t bytes_max) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (text.size() <= bytes_max) return std::string(text);
  size_t length = bytes_max;
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  return absl::StrCat(text.substr(0, length), "…");
}

}  // namespace

LineCounter::LineCounter(FileSystem& file_system, std::string path, Compression compression)
    : file_system_(file_system), path_(std::move(path)), compression_(compression) {}

bool LineCounter::CountTo(uint64_t position) {
  if (stream_ == nullptr || position < position_) {
    auto stream = ByteStream::Open(file_system_, path_, compression_, 0);
    if (!stream.ok()) return false;
    stream_ = *std::move(stream);
    buffer_.resize(kBufferBytes);
    position_ = 0;
    line_ = 1;
  }
  while (position_ < position) {
    const size_t wanted = std::min<uint64_t>(position - position_, buffer_.size());
    const absl::StatusOr<size_t> count = stream_->Read(wanted, buffer_.data());
    if (!count.ok() || *count == 0) return false;
    line_ += static_cast<uint64_t>(
        std::count(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(*count), '\n'));
    position_ += *count;
  }
  return true;
}

uint64_t LineCounter::LineAt(uint64_t position) { return CountTo(position) ? line_ : 0; }

BadRowLog::BadRowLog(FileSystem& file_system, const FileOptions& options)
    : file_system_(file_system), options_(options) {}

void BadRowLog::BeginFile(const std::string& path, uint64_t bad_rows) {
  split_bad_rows_ = bad_rows;
  if (path == path_) return;
  path_ = path;
  lines_ = std::make_unique<LineCounter>(file_system_, path, ReadCompression(options_, path));
}

absl::Status BadRowLog::Add(uint64_t position, absl::string_view row, absl::string_view column,
                            const absl::Status& reason) {
  if (options_.bad_rows == BadRows::kFail) {
    const std::string place =
        column.empty() ? std::string() : absl::StrCat(", column \"", column, "\"");
    return WithContext(reason, absl::StrCat(path_, " line ", lines_->LineAt(position), place));
  }
  ++split_bad_rows_;
  ++total_bad_rows_;
  if (options_.bad_rows == BadRows::kKeep && rows_.size() < kRowsMax) {
    rows_.push_back(BadRow{path_, lines_->LineAt(position), Shortened(row, kTextBytesMax),
                           column.empty()
                               ? std::string(reason.message())
                               : absl::StrCat("column \"", column, "\": ", reason.message())});
  }
  return absl::OkStatus();
}

std::vector<BadRow> BadRowLog::Take() { return std::exchange(rows_, {}); }

}  // namespace millrace
