#include "worker/connectors/file/segment_verification.h"

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/base/status.h"

namespace millrace {
namespace {

// The segments that this process has found whole: their paths, and when they had been written.
class VerifiedSegments {
 public:
  bool Contains(const std::string& path, int64_t mtime_micros) {
    MutexLock lock(mutex_);
    const auto found = mtimes_.find(path);
    return found != mtimes_.end() && found->second == mtime_micros;
  }
  void Add(const std::string& path, int64_t mtime_micros) {
    MutexLock lock(mutex_);
    // Segments come and go; to read some again costs less than to follow that.
    if (mtimes_.size() >= kSegmentsMax) mtimes_.clear();
    mtimes_[path] = mtime_micros;
  }

 private:
  static constexpr size_t kSegmentsMax = 100'000;

  Mutex mutex_;
  absl::flat_hash_map<std::string, int64_t> mtimes_ ABSL_GUARDED_BY(mutex_);
};

VerifiedSegments& Verified() {
  static VerifiedSegments* const verified = new VerifiedSegments();
  return *verified;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentVerification>> SegmentVerification::Begin(
    FileSystem& file_system, const v1::FileSplit& split) {
  MR_ASSIGN_OR_RETURN(const FileInfo info, file_system.Stat(split.path()));
  if (info.size_bytes != split.size_bytes()) {
    return MakeError(SqlState::kDataCorrupted,
                     absl::StrCat("the table segment \"", split.path(), "\" has ", info.size_bytes,
                                  " bytes instead of ", split.size_bytes()));
  }
  if (split.checksum_xxh3() == 0) return nullptr;
  if (Verified().Contains(split.path(), info.mtime_micros)) return nullptr;
  MR_ASSIGN_OR_RETURN(auto file, file_system.OpenForRead(split.path()));
  return std::unique_ptr<SegmentVerification>(
      new SegmentVerification(std::move(file), info.mtime_micros, split.checksum_xxh3()));
}

absl::StatusOr<bool> SegmentVerification::Step() {
  constexpr size_t kBufferBytes = 1 << 20;
  // Between two steps a task looks whether it is to end.
  constexpr int kBuffersPerStep = 16;
  buffer_.resize(kBufferBytes);
  for (int i = 0; i < kBuffersPerStep; ++i) {
    MR_ASSIGN_OR_RETURN(const size_t count, file_->ReadAt(offset_, buffer_.size(), buffer_.data()));
    if (count > 0) {
      checksum_.Update(absl::string_view(buffer_.data(), count));
      offset_ += count;
      continue;
    }
    if (checksum_.Digest() != expected_) {
      return MakeError(SqlState::kDataCorrupted,
                       absl::StrCat("the table segment \"", file_->path(),
                                    "\" is damaged: its checksum differs"),
                       "bring the file back from a copy");
    }
    Verified().Add(file_->path(), mtime_micros_);
    return true;
  }
  return false;
}

}  // namespace millrace
