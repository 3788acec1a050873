#include "common/file_format/parquet_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "arrow/memory_pool.h"
#include "arrow/record_batch.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "common/file_format/arrow_file.h"
#include "common/types/batch.h"
#include "parquet/arrow/reader.h"
#include "parquet/arrow/schema.h"
#include "parquet/exception.h"
#include "parquet/file_reader.h"
#include "parquet/metadata.h"
#include "parquet/statistics.h"

namespace millrace {
namespace {

// A dictionary is copied into every batch that is read. One whose page is at most so large for each
// row of a batch is worth keeping: then it is no larger than the codes.
constexpr int64_t kDictionaryBytesPerRowMax = 4;
// Row groups with more compressed bytes are read page by page, not chunk by chunk.
constexpr int64_t kWholeChunkBytesMax = int64_t{64} << 20;

absl::Status DamagedFile(const std::string& path, absl::string_view reason) {
  return MakeError(SqlState::kDataCorrupted,
                   absl::StrCat("cannot read \"", path, "\" as Parquet: ", reason));
}

// Runs `body`, which calls the parquet library, and turns what it throws into a status. `body`
// returns StatusOr<…>.
template <typename Body>
auto Guarded(const std::string& path, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const parquet::ParquetStatusException& e) {
    const absl::Status status = FromArrowKeepingDetail(e.status());
    if (e.status().detail() != nullptr) return status;
    return DamagedFile(path, e.what());
  } catch (const std::exception& e) {
    return DamagedFile(path, e.what());
  }
}

absl::Status FromParquet(const std::string& path, const arrow::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.detail() != nullptr || status.IsOutOfMemory() || status.IsNotImplemented()) {
    return WithContext(FromArrowKeepingDetail(status), absl::StrCat("cannot read \"", path, "\""));
  }
  return DamagedFile(path, status.message());
}

// Size of the dictionary to which every data page of the chunk refers; 0 if there is none.
int64_t DictionaryPageBytes(const parquet::ColumnChunkMetaData& chunk) {
  if (chunk.type() != parquet::Type::BYTE_ARRAY || !chunk.has_dictionary_page()) return 0;
  bool has_data_page = false;
  for (const parquet::PageEncodingStats& page : chunk.encoding_stats()) {
    if (page.page_type == parquet::PageType::DICTIONARY_PAGE) continue;
    has_data_page = true;
    if (page.encoding != parquet::Encoding::RLE_DICTIONARY &&
        page.encoding != parquet::Encoding::PLAIN_DICTIONARY) {
      return 0;
    }
  }
  const int64_t page_bytes = chunk.data_page_offset() - chunk.dictionary_page_offset();
  return has_data_page ? std::max<int64_t>(0, page_bytes) : 0;
}

// About the bytes of the chunk's values as Arrow holds them.
int64_t DecodedBytes(const parquet::ColumnChunkMetaData& chunk) {
  const int width = parquet::GetTypeByteSize(chunk.type());
  return std::max(chunk.total_uncompressed_size(), width * chunk.num_values());
}

template <typename ParquetType>
const parquet::TypedStatistics<ParquetType>& Typed(const parquet::Statistics& statistics) {
  return static_cast<const parquet::TypedStatistics<ParquetType>&>(statistics);
}

std::optional<ParquetRange> ToRange(const parquet::Statistics& statistics) {
  switch (statistics.physical_type()) {
    case parquet::Type::INT32: {
      const auto& typed = Typed<parquet::Int32Type>(statistics);
      return ParquetRange{int64_t{typed.min()}, int64_t{typed.max()}};
    }
    case parquet::Type::INT64: {
      const auto& typed = Typed<parquet::Int64Type>(statistics);
      return ParquetRange{typed.min(), typed.max()};
    }
    case parquet::Type::FLOAT: {
      const auto& typed = Typed<parquet::FloatType>(statistics);
      return ParquetRange{double{typed.min()}, double{typed.max()}};
    }
    case parquet::Type::DOUBLE: {
      const auto& typed = Typed<parquet::DoubleType>(statistics);
      return ParquetRange{typed.min(), typed.max()};
    }
    case parquet::Type::BYTE_ARRAY:
      return ParquetRange{statistics.EncodeMin(), statistics.EncodeMax()};
    default:
      return std::nullopt;
  }
}

class RowGroupRows final : public ParquetRows {
 public:
  RowGroupRows(std::string path, std::unique_ptr<parquet::arrow::FileReader> reader)
      : path_(std::move(path)), reader_(std::move(reader)) {}

  absl::Status Init(int row_group, const std::vector<int>& leaves) {
    auto rows = reader_->GetRecordBatchReader({row_group}, leaves);
    if (!rows.ok()) return FromParquet(path_, rows.status());
    rows_ = *std::move(rows);
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> Next() override {
    return Guarded(path_, [&]() -> absl::StatusOr<std::shared_ptr<arrow::RecordBatch>> {
      std::shared_ptr<arrow::RecordBatch> batch;
      const arrow::Status status = rows_->ReadNext(&batch);
      if (!status.ok()) return FromParquet(path_, status);
      return batch;
    });
  }

 private:
  const std::string path_;
  const std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> rows_;
};

class OpenParquetFile final : public ParquetFile {
 public:
  OpenParquetFile(std::string path, std::shared_ptr<arrow::io::RandomAccessFile> input)
      : path_(std::move(path)), input_(std::move(input)) {}

  absl::Status Init() {
    metadata_ = parquet::ReadMetaData(input_);
    parquet::ArrowReaderProperties properties;
    MR_RETURN_IF_ERROR(FromParquet(
        path_, parquet::arrow::SchemaManifest::Make(
                   metadata_->schema(), metadata_->key_value_metadata(), properties, &manifest_)));
    std::vector<std::shared_ptr<arrow::Field>> fields;
    for (const auto& field : manifest_.schema_fields) fields.push_back(field.field);
    schema_ = arrow::schema(std::move(fields));
    return absl::OkStatus();
  }

  const std::string& path() const override { return path_; }
  const arrow::Schema& schema() const override { return *schema_; }
  int num_row_groups() const override { return metadata_->num_row_groups(); }
  int64_t row_group_rows(int row_group) const override {
    return metadata_->RowGroup(row_group)->num_rows();
  }

  std::optional<ParquetRange> RangeOf(int row_group, int field) const override {
    const int leaf = manifest_.schema_fields[static_cast<size_t>(field)].column_index;
    if (leaf < 0) return std::nullopt;
    // Damaged statistics are as good as none.
    try {
      const auto group = metadata_->RowGroup(row_group);
      const auto chunk = group->ColumnChunk(leaf);
      const auto statistics = chunk->is_stats_set() ? chunk->statistics() : nullptr;
      if (statistics == nullptr || !statistics->HasMinMax()) return std::nullopt;
      return ToRange(*statistics);
    } catch (const std::exception&) {
      return std::nullopt;
    }
  }

  absl::StatusOr<std::unique_ptr<ParquetRows>> ReadRowGroup(
      int row_group, const std::vector<int>& fields) const override {
    return Guarded(path_, [&]() -> absl::StatusOr<std::unique_ptr<ParquetRows>> {
      return DoReadRowGroup(row_group, fields);
    });
  }

 private:
  absl::StatusOr<std::unique_ptr<ParquetRows>> DoReadRowGroup(
      int row_group, const std::vector<int>& fields) const {
    const auto group = metadata_->RowGroup(row_group);
    parquet::ArrowReaderProperties arrow_properties(/*use_threads=*/false);
    arrow_properties.set_pre_buffer(false);
    std::vector<int> leaves;
    int64_t compressed_bytes = 0;
    int64_t decoded_bytes = 0;
    for (const int field : fields) {
      const auto& schema_field = manifest_.schema_fields[static_cast<size_t>(field)];
      if (!schema_field.is_leaf()) {
        return NotSupported(absl::StrCat("reading the nested column \"", schema_field.field->name(),
                                         "\" of \"", path_, "\""));
      }
      leaves.push_back(schema_field.column_index);
      const auto chunk = group->ColumnChunk(schema_field.column_index);
      compressed_bytes += chunk->total_compressed_size();
      decoded_bytes += DecodedBytes(*chunk);
    }
    // Fewer rows a batch where they are large, more where they share a large dictionary.
    const int64_t group_rows = std::max<int64_t>(1, group->num_rows());
    const int64_t rows_max =
        std::clamp<int64_t>(kMaxBatchBytes / (decoded_bytes / group_rows + 1), 1, group_rows);
    int64_t batch_rows = std::min(rows_max, kTargetBatchRows);
    for (const int field : fields) {
      const auto& schema_field = manifest_.schema_fields[static_cast<size_t>(field)];
      if (schema_field.field->type()->id() != arrow::Type::STRING) continue;
      const int64_t bytes = DictionaryPageBytes(*group->ColumnChunk(schema_field.column_index));
      if (bytes == 0 || bytes > kDictionaryBytesPerRowMax * rows_max) continue;
      arrow_properties.set_read_dictionary(schema_field.column_index, true);
      if (bytes > kDictionaryBytesPerRowMax * batch_rows) batch_rows = rows_max;
    }
    arrow_properties.set_batch_size(batch_rows);
    parquet::ReaderProperties properties;
    // Of pages that have one.
    properties.set_page_checksum_verification(true);
    if (compressed_bytes > kWholeChunkBytesMax) {
      properties.enable_buffered_stream();
      properties.set_buffer_size(int64_t{1} << 20);
    }
    auto raw = parquet::ParquetFileReader::Open(input_, properties, metadata_);
    auto reader = parquet::arrow::FileReader::Make(arrow::default_memory_pool(), std::move(raw),
                                                   arrow_properties);
    if (!reader.ok()) return FromParquet(path_, reader.status());
    auto rows = std::make_unique<RowGroupRows>(path_, *std::move(reader));
    MR_RETURN_IF_ERROR(rows->Init(row_group, leaves));
    return rows;
  }

  const std::string path_;
  const std::shared_ptr<arrow::io::RandomAccessFile> input_;
  std::shared_ptr<parquet::FileMetaData> metadata_;
  parquet::arrow::SchemaManifest manifest_;
  std::shared_ptr<arrow::Schema> schema_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const ParquetFile>> ParquetFile::Open(FileSystem& file_system,
                                                                     const std::string& path) {
  MR_ASSIGN_OR_RETURN(const FileInfo info, file_system.Stat(path));
  MR_ASSIGN_OR_RETURN(std::unique_ptr<ReadableFile> file, file_system.OpenForRead(path));
  auto opened =
      std::make_shared<OpenParquetFile>(path, MakeArrowInput(std::move(file), info.size_bytes));
  return Guarded(path, [&]() -> absl::StatusOr<std::shared_ptr<const ParquetFile>> {
    MR_RETURN_IF_ERROR(opened->Init());
    return opened;
  });
}

}  // namespace millrace
