#include "worker/connectors/factory/connector_factory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/connector_spec/connector_options.h"
#include "common/connector_spec/datagen_options.h"
#include "common/connector_spec/kafka_options.h"
#include "common/storage/file_system.h"
#include "millrace/v1/plan.pb.h"
#include "worker/connectors/blackhole/blackhole_sink.h"
#include "worker/connectors/datagen/datagen_source.h"
#include "worker/connectors/file/csv_source.h"
#include "worker/connectors/file/file_scan.h"
#include "worker/connectors/file/file_sink.h"
#include "worker/connectors/file/json_source.h"
#include "worker/connectors/file/parquet_source.h"
#include "worker/connectors/kafka/kafka_sink.h"
#include "worker/connectors/kafka/kafka_source.h"

namespace millrace {
namespace {

// Segments of stored tables hold at most so many rows.
constexpr uint64_t kSegmentRows = uint64_t{4} << 20;

Schema ToSchema(const google::protobuf::RepeatedPtrField<v1::Field>& fields) {
  Schema schema;
  for (const v1::Field& field : fields) schema.push_back(FromProto(field));
  return schema;
}

absl::StatusOr<std::unique_ptr<Source>> CreateFileSource(const v1::ScanNode& node,
                                                         FileSystem& file_system) {
  MR_ASSIGN_OR_RETURN(FileScan scan, MakeFileScan(node));
  switch (scan.options.format) {
    case FileFormat::kCsv:
      return CsvSource::Create(std::move(scan), file_system);
    case FileFormat::kJson:
      return JsonSource::Create(std::move(scan), file_system);
    case FileFormat::kParquet:
      return ParquetSource::Create(std::move(scan), file_system);
  }
  return InternalError("unknown file format");
}

absl::StatusOr<std::unique_ptr<Source>> CreateDatagenSource(const v1::ScanNode& node) {
  const Schema columns = ToSchema(node.columns());
  MR_ASSIGN_OR_RETURN(const DatagenOptions options,
                      ParseDatagenOptions(ToOptionMap(node.options()), columns));
  return DatagenSource::Create(options, columns,
                               {node.projection().begin(), node.projection().end()});
}

FileSinkSpec SpecOf(const SinkTask& task, uint64_t object_id, Schema columns) {
  FileSinkSpec spec;
  spec.columns = std::move(columns);
  spec.object_id = object_id;
  spec.owner = task.owner;
  spec.attempt = task.attempt;
  spec.task_index = task.task_index;
  return spec;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Source>> CreateSource(const v1::ScanNode& node,
                                                     FileSystem& file_system,
                                                     const AddressPolicy& addresses) {
  if (node.connector() == "table") return CreateFileSource(node, file_system);
  MR_ASSIGN_OR_RETURN(const ConnectorKind kind, ParseConnectorName(node.connector()));
  switch (kind) {
    case ConnectorKind::kFile:
      return CreateFileSource(node, file_system);
    case ConnectorKind::kDatagen:
      return CreateDatagenSource(node);
    case ConnectorKind::kKafka:
      return KafkaSource::Create(node, addresses, SystemClock());
    case ConnectorKind::kBlackhole:
      break;
  }
  return NotSupported(absl::StrCat("reading from connector \"", node.connector(), "\""));
}

absl::StatusOr<std::unique_ptr<Sink>> CreateSink(const v1::FileSinkNode& node, const SinkTask& task,
                                                 FileSystem& file_system,
                                                 const AddressPolicy& addresses) {
  const OptionMap options = ToOptionMap(node.options());
  const auto connector = options.find("connector");
  ConnectorKind kind = ConnectorKind::kFile;
  if (connector != options.end()) {
    MR_ASSIGN_OR_RETURN(kind, ParseConnectorName(connector->second));
  }
  switch (kind) {
    case ConnectorKind::kFile: {
      FileSinkSpec spec = SpecOf(task, node.object_id(), ToSchema(node.columns()));
      MR_ASSIGN_OR_RETURN(spec.options, ParseFileOptions(options));
      return std::make_unique<FileSink>(std::move(spec), file_system);
    }
    case ConnectorKind::kBlackhole:
      return std::make_unique<BlackholeSink>();
    case ConnectorKind::kKafka: {
      Schema columns = ToSchema(node.columns());
      MR_ASSIGN_OR_RETURN(KafkaOptions kafka, ParseKafkaOptions(options, columns));
      const auto input = task.streaming ? KafkaSinkInput::kStream : KafkaSinkInput::kStatement;
      return std::make_unique<KafkaSink>(std::move(kafka), std::move(columns), addresses, input);
    }
    case ConnectorKind::kDatagen:
      break;
  }
  return NotSupported("writing to connector \"datagen\"");
}

absl::StatusOr<std::unique_ptr<Sink>> CreateTableSink(const v1::TableSinkNode& node,
                                                      const SinkTask& task,
                                                      FileSystem& file_system) {
  FileSinkSpec spec = SpecOf(task, node.object_id(), ToSchema(node.columns()));
  spec.options.path = absl::StrCat(node.staging_path(), "/");
  spec.options.format = FileFormat::kParquet;
  spec.options.compression = Compression::kLz4;
  spec.options.rows_per_file = kSegmentRows;
  spec.final_names = true;
  return std::make_unique<FileSink>(std::move(spec), file_system);
}

}  // namespace millrace
