#include "worker/state/checkpoint_transfer.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/failpoint.h"
#include "common/base/mutex.h"
#include "common/base/status.h"
#include "common/storage/checksum.h"
#include "common/storage/file_system.h"

namespace millrace {
namespace {

constexpr size_t kPieceBytes = 1 << 20;
// More do not make one disk faster.
constexpr size_t kThreadsMax = 4;
// Of uploads: checkpoints are frequent, and most have few and small files.
constexpr size_t kFilesOfThread = 8;

absl::Status Stopped() {
  return MakeError(SqlState::kQueryCanceled, "the transfer of a checkpoint was stopped");
}

// Reads a whole file, and writes what it reads to `output` unless that is null.
absl::Status ReadThrough(const ReadableFile& input, WritableFile* output, StopCheck stop,
                         uint64_t* size_bytes, uint64_t* checksum_xxh3) {
  std::string buffer(kPieceBytes, '\0');
  Xxh3Stream hash;
  uint64_t offset = 0;
  while (true) {
    if (stop()) return Stopped();
    MR_ASSIGN_OR_RETURN(const size_t size, input.ReadAt(offset, buffer.size(), buffer.data()));
    if (size == 0) break;
    const absl::string_view bytes(buffer.data(), size);
    hash.Update(bytes);
    if (output != nullptr) MR_RETURN_IF_ERROR(output->Append(bytes));
    offset += size;
  }
  *size_bytes = offset;
  *checksum_xxh3 = hash.Digest();
  return absl::OkStatus();
}

absl::Status Fetch(FileSystem& file_system, const FetchedFile& file, StopCheck stop) {
  auto input = file_system.OpenForRead(file.from);
  if (!input.ok()) {
    const bool missing = GetErrorDetail(input.status()).state == SqlState::kUndefinedFile;
    if (!missing) return std::move(input).status();
    return MakeError(SqlState::kDataCorrupted,
                     absl::StrCat("checkpoint file ", file.from, " is missing"));
  }
  std::error_code not_linked;
  std::filesystem::create_hard_link(file.from, file.to, not_linked);
  std::unique_ptr<WritableFile> output;
  if (not_linked) {
    MR_ASSIGN_OR_RETURN(output, file_system.Create(file.to));
  }
  uint64_t size_bytes = 0;
  uint64_t checksum_xxh3 = 0;
  MR_RETURN_IF_ERROR(ReadThrough(**input, output.get(), stop, &size_bytes, &checksum_xxh3));
  if (size_bytes != file.size_bytes || checksum_xxh3 != file.checksum_xxh3) {
    return MakeError(SqlState::kDataCorrupted,
                     absl::StrCat("checkpoint file ", file.from, " is damaged"));
  }
  return output == nullptr ? absl::OkStatus() : output->Close();
}

absl::Status Upload(FileSystem& file_system, UploadedFile& file, StopCheck stop) {
  MR_ASSIGN_OR_RETURN(auto input, file_system.OpenForRead(file.from));
  MR_ASSIGN_OR_RETURN(auto output, file_system.Create(file.to));
  MR_RETURN_IF_ERROR(
      ReadThrough(*input, output.get(), stop, &file.size_bytes, &file.checksum_xxh3));
  MR_RETURN_IF_ERROR(output->Sync());
  return output->Close();
}

// Calls work(0 … count − 1) on up to `num_threads` threads; none after one has failed. The first
// error.
absl::Status OnThreads(size_t num_threads, size_t count,
                       absl::FunctionRef<absl::Status(size_t)> work) {
  Mutex mutex;
  absl::Status first_error;
  std::atomic<bool> failed{false};
  std::atomic<size_t> next{0};
  const auto take = [&] {
    for (size_t i = next++; i < count && !failed; i = next++) {
      const absl::Status status = work(i);
      if (status.ok()) continue;
      failed = true;
      MutexLock lock(mutex);
      first_error.Update(status);
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(num_threads, count); ++i) threads.emplace_back(take);
  take();
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(mutex);
  return first_error;
}

}  // namespace

absl::Status UploadFiles(FileSystem& file_system, std::vector<UploadedFile>& files,
                         StopCheck stop) {
  const size_t num_threads = std::min(1 + files.size() / kFilesOfThread, kThreadsMax);
  return OnThreads(num_threads, files.size(), [&](size_t i) {
    UploadedFile& file = files[i];
    MR_RETURN_IF_ERROR(Upload(file_system, file, stop));
    file.is_there = true;
    MR_FAILPOINT("checkpoint.between_uploads");
    return absl::OkStatus();
  });
}

absl::Status FetchFiles(FileSystem& file_system, const std::vector<FetchedFile>& files,
                        StopCheck stop) {
  return OnThreads(kThreadsMax, files.size(),
                   [&](size_t i) { return Fetch(file_system, files[i], stop); });
}

}  // namespace millrace
