#include "common/file_format/arrow_file.h"

#include <utility>

#include "arrow/buffer.h"
#include "arrow/result.h"
#include "arrow/status.h"
#include "common/base/status.h"
#include "common/types/arrow_status.h"

namespace millrace {
namespace {

constexpr char kDetailType[] = "millrace";

class CarriedStatus final : public arrow::StatusDetail {
 public:
  explicit CarriedStatus(absl::Status status) : status_(std::move(status)) {}
  const char* type_id() const override { return kDetailType; }
  std::string ToString() const override { return std::string(status_.message()); }
  const absl::Status& status() const { return status_; }

 private:
  const absl::Status status_;
};

class ArrowInput final : public arrow::io::RandomAccessFile {
 public:
  ArrowInput(std::shared_ptr<const ReadableFile> file, uint64_t size_bytes)
      : file_(std::move(file)), size_bytes_(static_cast<int64_t>(size_bytes)) {}

  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Tell() const override { return position_; }
  arrow::Status Seek(int64_t position) override {
    position_ = position;
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> GetSize() override { return size_bytes_; }

  arrow::Result<int64_t> ReadAt(int64_t position, int64_t num_bytes, void* out) override {
    absl::StatusOr<size_t> count = file_->ReadAt(
        static_cast<uint64_t>(position), static_cast<size_t>(num_bytes), static_cast<char*>(out));
    if (!count.ok()) return ToArrowStatus(count.status());
    return static_cast<int64_t>(*count);
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position,
                                                       int64_t num_bytes) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(num_bytes));
    ARROW_ASSIGN_OR_RAISE(const int64_t count, ReadAt(position, num_bytes, buffer->mutable_data()));
    if (count < num_bytes) ARROW_RETURN_NOT_OK(buffer->Resize(count));
    return std::shared_ptr<arrow::Buffer>(std::move(buffer));
  }
  arrow::Result<int64_t> Read(int64_t num_bytes, void* out) override {
    ARROW_ASSIGN_OR_RAISE(const int64_t count, ReadAt(position_, num_bytes, out));
    position_ += count;
    return count;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t num_bytes) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, num_bytes));
    position_ += buffer->size();
    return buffer;
  }

 private:
  const std::shared_ptr<const ReadableFile> file_;
  const int64_t size_bytes_;
  int64_t position_ = 0;
  bool closed_ = false;
};

}  // namespace

arrow::Status ToArrowStatus(absl::Status status) {
  if (status.ok()) return arrow::Status::OK();
  const std::string message(status.message());
  return arrow::Status(arrow::StatusCode::IOError, message,
                       std::make_shared<CarriedStatus>(std::move(status)));
}

absl::Status FromArrowKeepingDetail(const arrow::Status& status) {
  if (!status.ok() && status.detail() != nullptr && status.detail()->type_id() == kDetailType) {
    return static_cast<const CarriedStatus&>(*status.detail()).status();
  }
  return FromArrow(status);
}

absl::StatusOr<std::unique_ptr<arrow::util::Codec>> MakeTextCodec(Compression compression) {
  arrow::Compression::type type = arrow::Compression::UNCOMPRESSED;
  switch (compression) {
    case Compression::kNone:
      return nullptr;
    case Compression::kGzip:
      type = arrow::Compression::GZIP;
      break;
    case Compression::kZstd:
      type = arrow::Compression::ZSTD;
      break;
    case Compression::kBzip2:
      type = arrow::Compression::BZ2;
      break;
    case Compression::kLz4:
      type = arrow::Compression::LZ4_FRAME;
      break;
    default:
      return InternalError("not a compression of text files");
  }
  MR_ASSIGN_ARROW_OR_RETURN(auto codec, arrow::util::Codec::Create(type));
  return codec;
}

std::shared_ptr<arrow::io::RandomAccessFile> MakeArrowInput(
    std::shared_ptr<const ReadableFile> file, uint64_t size_bytes) {
  return std::make_shared<ArrowInput>(std::move(file), size_bytes);
}

ArrowOutput::ArrowOutput(WritableFile& file) : file_(file) {}
ArrowOutput::~ArrowOutput() = default;

arrow::Status ArrowOutput::Write(const void* bytes, int64_t num_bytes) {
  const absl::string_view view(static_cast<const char*>(bytes), static_cast<size_t>(num_bytes));
  checksum_.Update(view);
  size_bytes_ += view.size();
  return ToArrowStatus(file_.Append(view));
}

arrow::Status ArrowOutput::Close() {
  closed_ = true;
  return arrow::Status::OK();
}

}  // namespace millrace
