#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "arrow/array.h"
#include "arrow/array/util.h"
#include "arrow/compute/cast.h"
#include "arrow/record_batch.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "common/file_format/arrow_file.h"
#include "common/file_format/split_enumeration.h"
#include "common/types/arrow_status.h"
#include "parquet/arrow/writer.h"
#include "parquet/exception.h"
#include "parquet/properties.h"
#include "worker/connectors/file/file_writer.h"

namespace millrace {
namespace {

// A row group is in memory, encoded, until it is complete. Where rows are wide, it is complete
// before it has kParquetRowGroupRows: at so many bytes, not yet encoded.
constexpr int64_t kRowGroupBytesMax = int64_t{32} << 20;
constexpr int64_t kWideRowBytes = 1024;
// Least and largest values that are longer are left out: those of all row groups are in memory
// until the file is complete.
constexpr size_t kStatisticsBytesMax = 256;

// How a column lies in the file: numbers with few digits as integers, intervals (which Parquet
// lacks) as 16 bytes.
std::shared_ptr<arrow::DataType> StoredType(const SqlType& type) {
  if (type.id == TypeId::kInterval) return arrow::fixed_size_binary(16);
  if (type.is_numeric() && type.precision > 0) {
    return arrow::decimal128(type.precision, type.scale);
  }
  return ToArrowType(type);
}

arrow::Compression::type CodecOf(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return arrow::Compression::UNCOMPRESSED;
    case Compression::kGzip:
      return arrow::Compression::GZIP;
    case Compression::kZstd:
      return arrow::Compression::ZSTD;
    case Compression::kLz4:
      return arrow::Compression::LZ4;
    default:
      return arrow::Compression::SNAPPY;
  }
}

// Calls into the parquet library, whose exceptions end here.
template <typename Call>
absl::Status Guarded(const Call& call) {
  try {
    return FromArrowKeepingDetail(call());
  } catch (const parquet::ParquetStatusException& e) {
    return FromArrowKeepingDetail(e.status());
  } catch (const std::exception& e) {
    return MakeError(SqlState::kIoError, absl::StrCat("cannot write Parquet: ", e.what()));
  }
}

class ParquetWriter final : public FileWriter {
 public:
  explicit ParquetWriter(const Schema& schema) {
    std::vector<std::shared_ptr<arrow::Field>> fields;
    for (const Field& field : schema) {
      fields.push_back(arrow::field(field.name, StoredType(field.type)));
    }
    schema_ = arrow::schema(std::move(fields));
  }

  absl::Status Init(const FileOptions& options, arrow::io::OutputStream& output) {
    const std::shared_ptr<parquet::WriterProperties> properties =
        parquet::WriterProperties::Builder()
            .compression(CodecOf(options.compression))
            ->max_row_group_length(kParquetRowGroupRows)
            ->max_statistics_size(kStatisticsBytesMax)
            ->enable_store_decimal_as_integer()
            ->enable_page_checksum()
            ->build();
    const std::shared_ptr<arrow::io::OutputStream> borrowed(std::shared_ptr<void>(), &output);
    return Guarded([&] {
      auto writer =
          parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), borrowed,
                                           properties, parquet::default_arrow_writer_properties());
      if (writer.ok()) writer_ = *std::move(writer);
      return writer.status();
    });
  }

  absl::Status Write(const Batch& batch) override {
    std::vector<std::shared_ptr<arrow::Array>> columns;
    for (int i = 0; i < batch.num_columns(); ++i) {
      MR_ASSIGN_OR_RETURN(auto column, ToStored(batch.column(i), schema_->field(i)->type()));
      columns.push_back(std::move(column));
    }
    if (group_bytes_ >= std::max(kRowGroupBytesMax, group_rows_ * kWideRowBytes)) {
      MR_RETURN_IF_ERROR(Guarded([&] { return writer_->NewBufferedRowGroup(); }));
      group_bytes_ = group_rows_ = 0;
    }
    const Batch stored(std::move(columns), batch.num_rows());
    CountRows(stored);
    const auto rows = arrow::RecordBatch::Make(schema_, stored.num_rows(), stored.columns());
    return Guarded([&] { return writer_->WriteRecordBatch(*rows); });
  }

  absl::Status Finish() override {
    return Guarded([&] { return writer_->Close(); });
  }

 private:
  static absl::StatusOr<std::shared_ptr<arrow::Array>> ToStored(
      const std::shared_ptr<arrow::Array>& array, const std::shared_ptr<arrow::DataType>& type) {
    if (array->type_id() == arrow::Type::DICTIONARY) {
      return FromArrow(arrow::compute::Cast(*array, type));
    }
    if (array->type()->Equals(*type)) return array;
    // Same layout under another name: a narrower decimal, the bytes of an interval.
    std::shared_ptr<arrow::ArrayData> data = array->data()->Copy();
    data->type = type;
    return arrow::MakeArray(std::move(data));
  }

  void CountRows(const Batch& batch) {
    group_bytes_ += batch.ByteSize();
    group_rows_ += batch.num_rows();
    // The library begins a new one by itself.
    if (group_rows_ >= kParquetRowGroupRows) {
      group_rows_ %= kParquetRowGroupRows;
      group_bytes_ = 0;
    }
  }

  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  // Of the row group that is being written.
  int64_t group_rows_ = 0;
  int64_t group_bytes_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FileWriter>> MakeParquetWriter(const FileOptions& options,
                                                              const Schema& schema,
                                                              arrow::io::OutputStream& output) {
  auto writer = std::make_unique<ParquetWriter>(schema);
  MR_RETURN_IF_ERROR(writer->Init(options, output));
  return writer;
}

}  // namespace millrace
