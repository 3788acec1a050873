#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "arrow/io/interfaces.h"
#include "arrow/result.h"
#include "arrow/util/compression.h"
#include "common/connector_spec/file_options.h"
#include "common/storage/checksum.h"
#include "common/storage/file_system.h"

namespace millrace {

// Our errors through Arrow and back: the status of a failed read comes out of
// FromArrowKeepingDetail as it went in, with SQLSTATE and path.
arrow::Status ToArrowStatus(absl::Status status);
absl::Status FromArrowKeepingDetail(const arrow::Status& status);

// What packs and unpacks a compressed text file; null for Compression::kNone.
absl::StatusOr<std::unique_ptr<arrow::util::Codec>> MakeTextCodec(Compression compression);

// An open file as Arrow's readers want it.
std::shared_ptr<arrow::io::RandomAccessFile> MakeArrowInput(
    std::shared_ptr<const ReadableFile> file, uint64_t size_bytes);

// A file being written as Arrow's writers want it; counts and checksums what passes.
class ArrowOutput final : public arrow::io::OutputStream {
 public:
  // `file` must outlive this.
  explicit ArrowOutput(WritableFile& file);
  ~ArrowOutput() override;

  arrow::Status Write(const void* bytes, int64_t num_bytes) override;
  // Leaves the file open: its owner syncs and closes it.
  arrow::Status Close() override;
  arrow::Result<int64_t> Tell() const override { return static_cast<int64_t>(size_bytes_); }
  bool closed() const override { return closed_; }

  uint64_t size_bytes() const { return size_bytes_; }
  uint64_t checksum() const { return checksum_.Digest(); }

 private:
  WritableFile& file_;
  Xxh3Stream checksum_;
  uint64_t size_bytes_ = 0;
  bool closed_ = false;
};

}  // namespace millrace
