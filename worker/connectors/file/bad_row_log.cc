#include "worker/connectors/file/bad_row_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status.h"
#include "common/types/utf8.h"

namespace millrace {
namespace {

constexpr size_t kBufferBytes = size_t{256} << 10;

// Makes text of it: what is no UTF-8, and the zero byte, becomes "\\xFF".
std::string EscapedText(absl::string_view bytes) {
  std::string text;
  for (size_t at = 0; at < bytes.size();) {
    const absl::string_view character = bytes.substr(at, CharLength(bytes, at));
    if (IsValidText(character)) {
      absl::StrAppend(&text, character);
      at += character.size();
    } else {
      absl::StrAppendFormat(&text, "\\x%02X", static_cast<unsigned char>(bytes[at++]));
    }
  }
  return text;
}

// At most `bytes_max` bytes of the row, cut between characters, as text.
std::string Shortened(absl::string_view row, size_t bytes_max) {
  while (!row.empty() && (row.back() == '\n' || row.back() == '\r')) row.remove_suffix(1);
  size_t length = std::min(row.size(), bytes_max);
  if (length < row.size()) {
    while (length > 0 && IsContinuation(row[length])) --length;
  }
  const absl::string_view head = row.substr(0, length);
  std::string text = IsValidText(head) ? std::string(head) : EscapedText(head);
  if (length < row.size()) text += "…";
  return text;
}

// Messages travel as text.
absl::Status WithTextMessage(absl::Status status) {
  const absl::string_view message(status.message().data(), status.message().size());
  if (IsValidText(message)) return status;
  return MakeError(GetErrorDetail(status), EscapedText(message));
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

void BadRowLog::BeginFile(FileSystem& file_system, const std::string& path, Compression compression,
                          uint64_t bad_rows) {
  split_bad_rows_ = bad_rows;
  if (path == path_) return;
  path_ = path;
  lines_ = std::make_unique<LineCounter>(file_system, path, compression);
}

void BadRowLog::BeginInput(const std::string& path, uint64_t bad_rows) {
  split_bad_rows_ = bad_rows;
  path_ = path;
}

absl::Status BadRowLog::Add(uint64_t position, absl::string_view row, absl::string_view column,
                            const absl::Status& reason) {
  if (policy_ == BadRows::kFail) {
    const std::string row_place = lines_ == nullptr
                                      ? absl::StrCat(" offset ", position)
                                      : absl::StrCat(" line ", lines_->LineAt(position));
    const std::string place =
        column.empty() ? std::string() : absl::StrCat(", column \"", column, "\"");
    const absl::Status located =
        WithTextMessage(WithContext(reason, absl::StrCat(path_, row_place, place)));
    if (!GetErrorDetail(located).hint.empty()) return located;
    return WithHint(located,
                    "bad_rows = 'skip' leaves such rows out, 'keep' also shows them in "
                    "millrace.bad_rows");
  }
  ++split_bad_rows_;
  ++total_bad_rows_;
  if (policy_ == BadRows::kKeep) Keep(position, row, column, reason);
  return absl::OkStatus();
}

void BadRowLog::Keep(uint64_t position, absl::string_view row, absl::string_view column,
                     const absl::Status& reason) {
  if (num_kept_ >= kRowsMax || bytes_kept_ >= kBytesMax) return;
  const std::string place =
      column.empty() ? std::string() : absl::StrCat("column \"", column, "\": ");
  BadRow& kept = rows_.emplace_back();
  kept.path = path_;
  kept.position = position;
  kept.line = lines_ == nullptr ? 0 : lines_->LineAt(position);
  kept.text = Shortened(row, kTextBytesMax);
  kept.reason = Shortened(
      absl::StrCat(place, absl::string_view(reason.message().data(), reason.message().size())),
      kReasonBytesMax);
  ++num_kept_;
  bytes_kept_ += kept.path.size() + kept.text.size() + kept.reason.size();
}

std::vector<BadRow> BadRowLog::Take() { return std::exchange(rows_, {}); }

}  // namespace millrace
