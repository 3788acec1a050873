#include "common/file_format/byte_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "arrow/io/compressed.h"
#include "common/base/status.h"
#include "common/file_format/arrow_file.h"

namespace millrace {
namespace {

class PlainStream final : public ByteStream {
 public:
  PlainStream(std::unique_ptr<ReadableFile> file, uint64_t begin)
      : file_(std::move(file)), position_(begin) {}

  absl::StatusOr<size_t> Read(size_t num_bytes, char* out) override {
    MR_ASSIGN_OR_RETURN(const size_t count, file_->ReadAt(position_, num_bytes, out));
    position_ += count;
    return count;
  }

 private:
  const std::unique_ptr<ReadableFile> file_;
  uint64_t position_;
};

class CompressedStream final : public ByteStream {
 public:
  CompressedStream(std::string path, std::unique_ptr<arrow::util::Codec> codec)
      : path_(std::move(path)), codec_(std::move(codec)) {}

  absl::Status Init(std::shared_ptr<arrow::io::InputStream> raw) {
    auto stream = arrow::io::CompressedInputStream::Make(codec_.get(), std::move(raw));
    if (!stream.ok()) return Wrapped(stream.status());
    stream_ = *std::move(stream);
    return absl::OkStatus();
  }

  absl::StatusOr<size_t> Read(size_t num_bytes, char* out) override {
    size_t done = 0;
    while (done < num_bytes) {
      const auto count = stream_->Read(static_cast<int64_t>(num_bytes - done), out + done);
      if (!count.ok()) return Wrapped(count.status());
      if (*count == 0) break;
      done += static_cast<size_t>(*count);
    }
    return done;
  }

 private:
  absl::Status Wrapped(const arrow::Status& status) const {
    return WithContext(FromArrowKeepingDetail(status),
                       absl::StrCat("cannot decompress \"", path_, "\""));
  }

  const std::string path_;
  const std::unique_ptr<arrow::util::Codec> codec_;
  std::shared_ptr<arrow::io::CompressedInputStream> stream_;
};

absl::Status Skip(ByteStream& stream, uint64_t num_bytes) {
  std::vector<char> dropped(size_t{1} << 16);
  while (num_bytes > 0) {
    const size_t wanted = std::min<uint64_t>(num_bytes, dropped.size());
    MR_ASSIGN_OR_RETURN(const size_t count, stream.Read(wanted, dropped.data()));
    if (count == 0) break;
    num_bytes -= count;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> ByteStream::Open(FileSystem& file_system,
                                                             const std::string& path,
                                                             Compression compression,
                                                             uint64_t begin) {
  MR_ASSIGN_OR_RETURN(std::unique_ptr<ReadableFile> file, file_system.OpenForRead(path));
  if (compression == Compression::kNone) {
    return std::make_unique<PlainStream>(std::move(file), begin);
  }
  MR_ASSIGN_OR_RETURN(const FileInfo info, file_system.Stat(path));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<arrow::util::Codec> codec, MakeTextCodec(compression));
  auto stream = std::make_unique<CompressedStream>(path, std::move(codec));
  MR_RETURN_IF_ERROR(stream->Init(MakeArrowInput(std::move(file), info.size_bytes)));
  MR_RETURN_IF_ERROR(Skip(*stream, begin));
  return stream;
}

}  // namespace millrace
