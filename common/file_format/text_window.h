#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/file_format/byte_stream.h"

namespace millrace {

// A window that moves over the text of a file: rows are parsed where they lie, without a copy.
class TextWindow {
 public:
  // Bytes behind the text that may be read (not used), for vector instructions and simdjson.
  static constexpr size_t kPaddingBytes = 64;
  // No row may be longer.
  static constexpr size_t kRowBytesMax = size_t{256} << 20;

  // `begin`: the position of the stream's first byte. `path` stands in messages.
  TextWindow(std::unique_ptr<ByteStream> stream, std::string path, uint64_t begin);

  // The text in the window, and the position of its first byte in the file.
  absl::string_view text() const {
    return absl::string_view(buffer_.data() + first_, end_ - first_);
  }
  uint64_t offset() const { return offset_; }
  // True when the window ends where the file ends.
  bool at_end() const { return at_end_; }

  // Gives up the first `num_bytes` of the window.
  void Drop(size_t num_bytes);
  // At the end of the file: adds the line feed that its last line lacks.
  void AppendLineEnd();
  // Appends more of the file: `block_bytes`, or as much as the window holds already if that is
  // more. Views of the text become invalid. 54000 if the window exceeds kRowBytesMax.
  absl::Status Fill(size_t block_bytes);

 private:
  const std::unique_ptr<ByteStream> stream_;
  const std::string path_;
  // The text lies in buffer_[first_, end_).
  std::vector<char> buffer_;
  size_t first_ = 0;
  size_t end_ = 0;
  uint64_t offset_;
  bool at_end_ = false;
};

}  // namespace millrace
