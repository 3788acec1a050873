#include "common/file_format/text_window.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"

namespace millrace {

TextWindow::TextWindow(std::unique_ptr<ByteStream> stream, std::string path, uint64_t begin)
    : stream_(std::move(stream)), path_(std::move(path)), buffer_(kPaddingBytes), offset_(begin) {}

void TextWindow::Drop(size_t num_bytes) {
  MR_CHECK(num_bytes <= end_ - first_);
  first_ += num_bytes;
  offset_ += num_bytes;
}

void TextWindow::AppendLineEnd() {
  MR_CHECK(at_end_);
  buffer_.resize(std::max(buffer_.size(), end_ + 1 + kPaddingBytes));
  buffer_[end_++] = '\n';
}

absl::Status TextWindow::Fill(size_t block_bytes) {
  const size_t kept = end_ - first_;
  if (kept >= kRowBytesMax) {
    return MakeError(
        SqlState::kProgramLimitExceeded,
        absl::StrCat("a row of \"", path_, "\" at byte ", offset_, " is longer than 256 MiB"),
        "is the quote or the line end missing?");
  }
  // Doubling keeps the cost of looking again at a long row linear.
  const size_t wanted = std::max(block_bytes, kept);
  if (first_ > 0) std::memmove(buffer_.data(), buffer_.data() + first_, kept);
  first_ = 0;
  end_ = kept;
  if (buffer_.size() < kept + wanted + kPaddingBytes) {
    buffer_.resize(kept + wanted + kPaddingBytes);
  }
  MR_ASSIGN_OR_RETURN(const size_t count, stream_->Read(wanted, buffer_.data() + end_));
  end_ += count;
  at_end_ = count < wanted;
  std::memset(buffer_.data() + end_, 0, kPaddingBytes);
  return absl::OkStatus();
}

}  // namespace millrace
