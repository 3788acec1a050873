#include "coordinator/statistics/source_statistics.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "arrow/type.h"
#include "common/connector_spec/file_options.h"
#include "common/file_format/parquet_file.h"
#include "common/storage/file_listing.h"
#include "common/types/sql_type.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// Of more files, these are read and the rest is taken to be like them.
constexpr size_t kFootersMax = 64;
constexpr size_t kRememberedMax = 4096;
// More segments than this with so few rows each are not worth a look: they will soon be joined.
constexpr int kSmallSegmentsMax = 4;
constexpr uint64_t kSmallSegmentRows = 1000;
// What compression of a text file saves, roughly.
constexpr double kTextCompression = 4;

// Bytes of a value in a text file with its separator, roughly.
double TextBytes(TypeId type) {
  switch (type) {
    case TypeId::kBoolean:
      return 5;
    case TypeId::kInt16:
    case TypeId::kInt32:
    case TypeId::kInt64:
      return 7;
    case TypeId::kDate:
      return 11;
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      return 20;
    case TypeId::kText:
    case TypeId::kVarchar:
    case TypeId::kChar:
    case TypeId::kBytea:
      return 16;
    case TypeId::kUuid:
      return 37;
    default:
      return 9;
  }
}

double TextRowBytes(const v1::CatalogObject& object, FileFormat format) {
  double bytes = 1;
  for (const v1::Field& field : object.columns()) {
    bytes += TextBytes(FromProto(field.type()).id);
    // {"name":value,
    if (format == FileFormat::kJson) bytes += static_cast<double>(field.name().size()) + 4;
  }
  return bytes;
}

template <typename Range>
void Widen(const Range& more, Range* range) {
  range->min = std::min(range->min, more.min);
  range->max = std::max(range->max, more.max);
}

// The number of integers in [min, max]; 0 if it does not fit.
uint64_t ValuesBetween(int64_t min, int64_t max) {
  return max < min ? 0 : static_cast<uint64_t>(max) - static_cast<uint64_t>(min) + 1;
}

}  // namespace

SourceStatistics::SourceStatistics(PathPolicy path_policy, std::string data_dir)
    : path_policy_(std::move(path_policy)), data_dir_(std::move(data_dir)) {}

TableStatistics SourceStatistics::Of(const v1::CatalogObject& object) {
  if (object.kind() == v1::OBJECT_KIND_TABLE) return OfSegments(object);
  if (object.kind() == v1::OBJECT_KIND_SOURCE && object.connector() == "file") {
    return OfFiles(object);
  }
  return {};
}

TableStatistics SourceStatistics::OfSegments(const v1::CatalogObject& object) {
  const auto& segments = object.table_version().segments();
  std::vector<FileInfo> files;
  uint64_t rows = 0;
  for (const v1::TableSegment& segment : segments) {
    rows += segment.rows();
    // Segments never change, so nobody has to look when they did.
    files.push_back({JoinPath(data_dir_, segment.path()), segment.size_bytes(), 0, false});
  }
  TableStatistics statistics;
  const bool small = segments.size() > kSmallSegmentsMax &&
                     rows / static_cast<uint64_t>(segments.size()) < kSmallSegmentRows;
  // Ranges of some segments only would be too narrow.
  if (!small && files.size() <= kFootersMax) statistics = OfParquet(files, object);
  statistics.rows = rows;
  return statistics;
}

TableStatistics SourceStatistics::OfFiles(const v1::CatalogObject& object) {
  const absl::StatusOr<FileOptions> options = ParseFileOptions(ToOptionMap(object.options()));
  if (!options.ok()) return {};
  const absl::StatusOr<FileSystem*> file_system = FileSystemOf(options->path);
  if (!file_system.ok()) return {};
  absl::StatusOr<std::vector<FileInfo>> files = ListFiles(**file_system, options->path);
  if (!files.ok()) return {};
  std::erase_if(*files,
                [&](const FileInfo& file) { return !path_policy_.CheckFile(file.path).ok(); });
  if (options->format == FileFormat::kParquet) return OfParquet(*files, object);
  double bytes = 0;
  for (const FileInfo& file : *files) {
    const bool compressed = ReadCompression(*options, file.path) != Compression::kNone;
    bytes += static_cast<double>(file.size_bytes) * (compressed ? kTextCompression : 1);
  }
  TableStatistics statistics;
  statistics.rows = static_cast<uint64_t>(bytes / TextRowBytes(object, options->format));
  return statistics;
}

TableStatistics SourceStatistics::OfParquet(const std::vector<FileInfo>& files,
                                            const v1::CatalogObject& object) {
  Total total;
  size_t num_read = 0;
  for (const FileInfo& file : files) {
    total.bytes += file.size_bytes;
    FileStatistics footer;
    if (num_read == kFootersMax || !ReadFooter(file, &footer)) continue;
    ++num_read;
    total.rows += footer.rows;
    total.bytes_read += file.size_bytes;
    if (num_read == 1) {
      total.ranges = std::move(footer.ranges);
      continue;
    }
    std::erase_if(total.ranges,
                  [&](const auto& entry) { return !footer.ranges.contains(entry.first); });
    for (auto& [name, range] : total.ranges) Widen(footer.ranges.at(name), &range);
  }
  TableStatistics statistics;
  if (num_read == 0 && !files.empty()) return statistics;
  statistics.rows = total.rows;
  if (num_read < files.size()) {
    const double share = static_cast<double>(total.bytes) /
                         static_cast<double>(std::max<uint64_t>(total.bytes_read, 1));
    statistics.rows = static_cast<uint64_t>(static_cast<double>(total.rows) * share);
    return statistics;
  }
  for (int i = 0; i < object.columns_size(); ++i) {
    const auto found = total.ranges.find(object.columns(i).name());
    if (found == total.ranges.end()) continue;
    const uint64_t values = ValuesBetween(found->second.min, found->second.max);
    if (values > 0) statistics.distinct_max[i] = values;
  }
  return statistics;
}

void SourceStatistics::AddRowGroup(const ParquetFile& parquet, int group,
                                   FileStatistics* statistics) {
  statistics->rows += static_cast<uint64_t>(parquet.row_group_rows(group));
  for (int field = 0; field < parquet.schema().num_fields(); ++field) {
    const std::string& name = parquet.schema().field(field)->name();
    const auto bounds = parquet.RangeOf(group, field);
    const int64_t* min = bounds.has_value() ? std::get_if<int64_t>(&bounds->min) : nullptr;
    const int64_t* max = bounds.has_value() ? std::get_if<int64_t>(&bounds->max) : nullptr;
    const auto found = statistics->ranges.find(name);
    if (min == nullptr || max == nullptr) {
      statistics->ranges.erase(name);
    } else if (found != statistics->ranges.end()) {
      Widen(Range{*min, *max}, &found->second);
    } else if (group == 0) {
      statistics->ranges.emplace(name, Range{*min, *max});
    }
  }
}

bool SourceStatistics::ReadFooter(const FileInfo& file, FileStatistics* statistics) {
  {
    MutexLock lock(mutex_);
    const auto found = footers_.find(file.path);
    if (found != footers_.end() && found->second.size_bytes == file.size_bytes &&
        found->second.mtime_micros == file.mtime_micros) {
      *statistics = found->second;
      return true;
    }
  }
  const absl::StatusOr<FileSystem*> file_system = FileSystemOf(file.path);
  if (!file_system.ok()) return false;
  const auto parquet = ParquetFile::Open(**file_system, file.path);
  if (!parquet.ok()) return false;
  *statistics = FileStatistics{file.size_bytes, file.mtime_micros, 0, {}};
  for (int group = 0; group < (*parquet)->num_row_groups(); ++group) {
    AddRowGroup(**parquet, group, statistics);
  }
  MutexLock lock(mutex_);
  if (footers_.size() >= kRememberedMax) footers_.clear();
  footers_[file.path] = *statistics;
  return true;
}

}  // namespace millrace
