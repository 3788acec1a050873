#include "worker/connectors/file/file_writer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "arrow/io/compressed.h"
#include "common/base/status.h"
#include "common/file_format/arrow_file.h"
#include "common/types/arrow_status.h"

namespace millrace {
namespace {

// Text through a compressor.
class CompressedWriter final : public FileWriter {
 public:
  CompressedWriter(std::unique_ptr<arrow::util::Codec> codec,
                   std::shared_ptr<arrow::io::CompressedOutputStream> stream,
                   std::unique_ptr<FileWriter> writer)
      : codec_(std::move(codec)), stream_(std::move(stream)), writer_(std::move(writer)) {}

  absl::Status Write(const Batch& batch) override { return writer_->Write(batch); }
  absl::Status Finish() override {
    MR_RETURN_IF_ERROR(writer_->Finish());
    return FromArrowKeepingDetail(stream_->Close());
  }

 private:
  const std::unique_ptr<arrow::util::Codec> codec_;
  const std::shared_ptr<arrow::io::CompressedOutputStream> stream_;
  const std::unique_ptr<FileWriter> writer_;
};

std::unique_ptr<FileWriter> MakeTextWriter(const FileOptions& options, const Schema& schema,
                                           arrow::io::OutputStream& output) {
  return options.format == FileFormat::kCsv ? MakeCsvWriter(options, schema, output)
                                            : MakeJsonWriter(schema, output);
}

Compression TextCompression(const FileOptions& options) {
  if (options.compression != Compression::kAuto) return options.compression;
  return options.names_single_file() ? CompressionOfName(options.path) : Compression::kNone;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileWriter>> CreateFileWriter(const FileOptions& options,
                                                             const Schema& schema,
                                                             arrow::io::OutputStream& output) {
  if (options.format == FileFormat::kParquet) return MakeParquetWriter(options, schema, output);
  MR_ASSIGN_OR_RETURN(auto codec, MakeTextCodec(TextCompression(options)));
  if (codec == nullptr) return MakeTextWriter(options, schema, output);
  // The stream shares ownership of its output; ours is owned by the sink and outlives it.
  const std::shared_ptr<arrow::io::OutputStream> borrowed(std::shared_ptr<void>(), &output);
  MR_ASSIGN_ARROW_OR_RETURN(auto stream,
                            arrow::io::CompressedOutputStream::Make(codec.get(), borrowed));
  auto writer = MakeTextWriter(options, schema, *stream);
  return std::make_unique<CompressedWriter>(std::move(codec), std::move(stream), std::move(writer));
}

std::string FileSuffix(const FileOptions& options) {
  std::string suffix = absl::StrCat(".", FileFormatName(options.format));
  if (options.format == FileFormat::kParquet) return suffix;
  switch (TextCompression(options)) {
    case Compression::kGzip:
      return absl::StrCat(suffix, ".gz");
    case Compression::kZstd:
      return absl::StrCat(suffix, ".zst");
    case Compression::kBzip2:
      return absl::StrCat(suffix, ".bz2");
    case Compression::kLz4:
      return absl::StrCat(suffix, ".lz4");
    default:
      return suffix;
  }
}

}  // namespace millrace
