#include "common/file_format/split_enumeration.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/file_format/csv_index.h"
#include "common/file_format/parquet_file.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/split.pb.h"

namespace millrace {
namespace {

constexpr int64_t kRowsPerSplit = int64_t{1} << 18;
constexpr uint64_t kSampleBytes = uint64_t{1} << 20;
constexpr uint64_t kEventTimeDatagenSplits = 8;

class SplitList {
 public:
  explicit SplitList(FileFormat format) : format_(format) {}

  // A split of the whole file, to be narrowed.
  v1::FileSplit* Add(const FileInfo& file) {
    v1::Split& split = splits_.emplace_back();
    split.set_id(splits_.size() - 1);
    v1::FileSplit* out = split.mutable_file();
    out->set_path(file.path);
    out->set_format(std::string(FileFormatName(format_)));
    out->set_size_bytes(file.size_bytes);
    out->set_mtime_micros(file.mtime_micros);
    return out;
  }
  std::vector<v1::Split> Take() && { return std::move(splits_); }

 private:
  const FileFormat format_;
  std::vector<v1::Split> splits_;
};

void AddParquetSplits(const FileLayout& layout, SplitMode mode, SplitList* splits) {
  const auto num_groups = static_cast<uint32_t>(layout.row_group_rows.size());
  for (uint32_t first = 0; first < num_groups;) {
    uint32_t last = first;
    int64_t rows = 0;
    while (last < num_groups && (mode == SplitMode::kWholeFiles || last == first ||
                                 rows + layout.row_group_rows[last] <= kRowsPerSplit)) {
      rows += layout.row_group_rows[last++];
    }
    v1::FileSplit* split = splits->Add(layout.file);
    split->set_first_row_group(first);
    split->set_num_row_groups(last - first);
    first = last;
  }
}

void AddTextSplits(const FileLayout& layout, uint64_t split_bytes, SplitList* splits) {
  const uint64_t size = layout.file.size_bytes;
  uint64_t begin = 0;
  while (size - begin > split_bytes) {
    v1::FileSplit* split = splits->Add(layout.file);
    split->set_begin_byte(begin);
    split->set_end_byte(begin + split_bytes);
    begin += split_bytes;
  }
  v1::FileSplit* split = splits->Add(layout.file);
  split->set_begin_byte(begin);
  split->set_end_byte(size);
}

// True if a quoted field at the beginning of the file holds a line feed.
absl::StatusOr<bool> SampleHasQuotedLineEnd(FileSystem& file_system, const FileInfo& file,
                                            const CsvDialect& dialect) {
  MR_ASSIGN_OR_RETURN(const auto input, file_system.OpenForRead(file.path));
  std::vector<char> sample(kSampleBytes + 64);
  MR_ASSIGN_OR_RETURN(const size_t count, input->ReadAt(0, kSampleBytes, sample.data()));
  const absl::string_view text(sample.data(), count);
  CsvIndex index;
  IndexCsv(text, dialect, &index);
  if (!index.has_quotes) return false;
  const size_t complete =
      index.num_rows() == 0 ? 0 : index.row_end(index.num_rows() - 1) + size_t{1};
  const auto line_ends =
      std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(complete), '\n');
  // Rows and line feeds differ, or the sample ends inside a row that goes on behind a line feed.
  return static_cast<size_t>(line_ends) != index.num_rows() ||
         text.substr(complete).find('\n') != absl::string_view::npos;
}

absl::StatusOr<FileLayout> ReadLayout(FileSystem& file_system, FileInfo file,
                                      const FileOptions& options, SplitMode mode) {
  FileLayout layout;
  layout.file = std::move(file);
  if (options.format == FileFormat::kParquet) {
    MR_ASSIGN_OR_RETURN(const auto parquet, ParquetFile::Open(file_system, layout.file.path));
    for (int i = 0; i < parquet->num_row_groups(); ++i) {
      layout.row_group_rows.push_back(parquet->row_group_rows(i));
    }
    return layout;
  }
  layout.may_cut = mode == SplitMode::kRanges && !options.multiline &&
                   ReadCompression(options, layout.file.path) == Compression::kNone;
  const bool large = layout.file.size_bytes > options.split_bytes;
  if (layout.may_cut && large && options.format == FileFormat::kCsv) {
    MR_ASSIGN_OR_RETURN(const bool quoted,
                        SampleHasQuotedLineEnd(file_system, layout.file, options.csv));
    layout.may_cut = !quoted;
  }
  return layout;
}

}  // namespace

std::vector<v1::Split> MakeFileSplits(const std::vector<FileLayout>& files,
                                      const FileOptions& options, SplitMode mode) {
  SplitList splits(options.format);
  for (const FileLayout& layout : files) {
    if (options.format == FileFormat::kParquet) {
      AddParquetSplits(layout, mode, &splits);
    } else if (mode == SplitMode::kWholeFiles || !layout.may_cut) {
      // No end: the size of a compressed file says nothing.
      splits.Add(layout.file);
    } else {
      AddTextSplits(layout, options.split_bytes, &splits);
    }
  }
  return std::move(splits).Take();
}

absl::StatusOr<std::vector<v1::Split>> EnumerateFileSplits(FileSystem& file_system,
                                                           std::vector<FileInfo> files,
                                                           const FileOptions& options,
                                                           SplitMode mode) {
  std::sort(files.begin(), files.end(), [&](const FileInfo& a, const FileInfo& b) {
    const bool by_time = options.order_by == FileOrder::kModificationTime;
    if (by_time && a.mtime_micros != b.mtime_micros) return a.mtime_micros < b.mtime_micros;
    return a.path < b.path;
  });
  std::vector<FileLayout> layouts;
  for (FileInfo& file : files) {
    if (file.size_bytes == 0 && options.format != FileFormat::kParquet) continue;
    MR_ASSIGN_OR_RETURN(layouts.emplace_back(),
                        ReadLayout(file_system, std::move(file), options, mode));
  }
  return MakeFileSplits(layouts, options, mode);
}

std::vector<v1::Split> MakeTableSplits(const std::string& data_dir, const v1::TableVersion& version,
                                       uint64_t from_position) {
  constexpr uint32_t kGroupsPerSplit = static_cast<uint32_t>(kRowsPerSplit / kParquetRowGroupRows);
  SplitList splits(FileFormat::kParquet);
  for (const v1::TableSegment& segment : version.segments()) {
    if (segment.begin_position() < from_position) continue;
    const uint64_t num_groups = (segment.rows() + kParquetRowGroupRows - 1) / kParquetRowGroupRows;
    uint32_t first = 0;
    do {
      v1::FileSplit* split =
          splits.Add({JoinPath(data_dir, segment.path()), segment.size_bytes(), 0, false});
      split->set_immutable(true);
      split->set_checksum_xxh3(segment.checksum_xxh3());
      split->set_first_row_group(first);
      first += kGroupsPerSplit;
      // The last one goes to the segment's end, however many row groups there are.
      if (first < num_groups) split->set_num_row_groups(kGroupsPerSplit);
    } while (first < num_groups);
  }
  return std::move(splits).Take();
}

std::vector<v1::Split> MakeDatagenSplits(const DatagenOptions& options, SplitMode mode) {
  std::vector<v1::Split> splits;
  const auto add = [&](uint64_t begin, uint64_t end) {
    v1::Split& split = splits.emplace_back();
    split.set_id(splits.size() - 1);
    split.mutable_datagen()->set_begin_row(begin);
    split.mutable_datagen()->set_end_row(end);
  };
  if (!options.rows.has_value()) {
    add(0, UINT64_MAX);
    return splits;
  }
  const uint64_t rows = *options.rows;
  uint64_t step = static_cast<uint64_t>(kRowsPerSplit);
  if (mode == SplitMode::kWholeFiles) {
    step = std::max<uint64_t>(1, (rows + kEventTimeDatagenSplits - 1) / kEventTimeDatagenSplits);
  }
  for (uint64_t begin = 0; begin < rows; begin += std::min(step, rows - begin)) {
    add(begin, begin + std::min(step, rows - begin));
  }
  return splits;
}

}  // namespace millrace
