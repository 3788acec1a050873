#include "worker/connectors/file/text_split.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/storage/checksum.h"
#include "millrace/v1/split.pb.h"
#include "worker/connectors/file/line_range.h"

namespace millrace {
namespace {

// So much of a file's beginning tells whether it is still the same file.
constexpr uint32_t kHeadBytesMax = 4096;

absl::StatusOr<uint64_t> ChecksumOfHead(FileSystem& file_system, const std::string& path,
                                        uint32_t num_bytes) {
  MR_ASSIGN_OR_RETURN(const auto file, file_system.OpenForRead(path));
  std::string head(num_bytes, '\0');
  MR_ASSIGN_OR_RETURN(const size_t count, file->ReadAt(0, num_bytes, head.data()));
  return Xxh3(absl::string_view(head).substr(0, count));
}

absl::Status NotTheSameFile(const std::string& path, absl::string_view what) {
  return MakeError(SqlState::kObjectNotInPrerequisiteState,
                   absl::StrCat("the file \"", path, "\" was ", what, " while it was followed"),
                   "rows may only be appended to a followed file; begin a new file under a new "
                   "name instead");
}

}  // namespace

absl::Status TextSplit::Open(FileSystem& file_system, const FileScan& scan,
                             const v1::Split& split) {
  MR_ASSIGN_OR_RETURN(const v1::FileSplit* file, FileSplitOf(split));
  id_ = split.id();
  path_ = file->path();
  compression_ = ReadCompression(scan.options, path_);
  follows_ = file->follow();
  resumed_ = split.has_resume();
  begin_byte_ = file->begin_byte();
  const bool to_end = file->end_byte() == 0 || compression_ != Compression::kNone;
  end_byte_ = to_end ? UINT64_MAX : file->end_byte();
  position_ = split.resume().offset();
  rows_passed_ = split.resume().rows();
  resumed_bad_rows_ = split.resume().bad_rows();
  ended_ = split.resume().ended();
  if (begin_byte_ > 0 && compression_ != Compression::kNone) {
    return InternalError("a compressed file was cut");
  }
  return follows_ ? CheckGrown(file_system, split) : CheckPinned(file_system, *file);
}

absl::Status TextSplit::CheckGrown(FileSystem& file_system, const v1::Split& split) {
  MR_ASSIGN_OR_RETURN(const FileInfo info, file_system.Stat(path_));
  file_bytes_ = info.size_bytes;
  if (file_bytes_ < std::max<uint64_t>(position_, split.resume().head_bytes())) {
    return NotTheSameFile(path_, "cut short");
  }
  if (split.resume().head_bytes() > 0) {
    MR_ASSIGN_OR_RETURN(const uint64_t checksum,
                        ChecksumOfHead(file_system, path_, split.resume().head_bytes()));
    if (checksum != split.resume().head_checksum_xxh3()) return NotTheSameFile(path_, "replaced");
  }
  head_bytes_ = static_cast<uint32_t>(std::min<uint64_t>(file_bytes_, kHeadBytesMax));
  MR_ASSIGN_OR_RETURN(head_checksum_, ChecksumOfHead(file_system, path_, head_bytes_));
  return absl::OkStatus();
}

absl::Status TextSplit::FindFirstRow(FileSystem& file_system, uint64_t rows_begin) {
  position_ = std::max(position_, rows_begin);
  if (!resumed_ && begin_byte_ > rows_begin) {
    MR_ASSIGN_OR_RETURN(position_, FindFirstLine(file_system, path_, begin_byte_));
  }
  if (position_ >= end_byte_) ended_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ByteStream>> TextSplit::OpenText(FileSystem& file_system) const {
  return ByteStream::Open(file_system, path_, compression_, position_);
}

v1::SplitPosition TextSplit::Position(uint64_t bad_rows) const {
  v1::SplitPosition position;
  position.set_split_id(id_);
  position.set_offset(position_);
  position.set_rows(rows_passed_);
  position.set_ended(ended_);
  position.set_path(path_);
  position.set_bad_rows(bad_rows);
  if (follows_) {
    position.set_head_bytes(head_bytes_);
    position.set_head_checksum_xxh3(head_checksum_);
  }
  return position;
}

}  // namespace millrace
