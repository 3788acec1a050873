#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/connector_spec/datagen_options.h"
#include "common/connector_spec/file_options.h"
#include "common/storage/file_system.h"

namespace millrace {

namespace v1 {
class Split;
class TableVersion;
}  // namespace v1

// kRanges: as many splits as are good for parallel reading. kWholeFiles: one split for each file,
// in the order of the files; what scans with an event time need, where a split's rows have an
// order.
enum class SplitMode : uint8_t { kRanges, kWholeFiles };

// What is known of one file beside its listing; only what the format asks for is filled in.
struct FileLayout {
  FileInfo file;
  // False: a text file that must be read from its beginning (compressed, or line breaks within
  // quotes).
  bool may_cut = true;
  // Parquet: rows of each row group.
  std::vector<int64_t> row_group_rows;
};

// The splits of a scan over `files`, ids dense from 0 in the order of `files`. Pure. Text files are
// cut at multiples of options.split_bytes, Parquet files into runs of row groups with about a
// quarter of a million rows. Size and modification time are pinned.
std::vector<v1::Split> MakeFileSplits(const std::vector<FileLayout>& files,
                                      const FileOptions& options, SplitMode mode);

// Reads what MakeFileSplits needs to know of the files (footers of Parquet files, the first
// megabyte of CSV files that are large enough to be cut), orders them by options.order_by, and
// makes the splits.
absl::StatusOr<std::vector<v1::Split>> EnumerateFileSplits(FileSystem& file_system,
                                                           std::vector<FileInfo> files,
                                                           const FileOptions& options,
                                                           SplitMode mode);

// Rows of the row groups that our Parquet files are written with.
inline constexpr int64_t kParquetRowGroupRows = int64_t{128} << 10;

// The splits of a scan over a stored table's version, or over what follows `from_position` in its
// log; segment paths lie below `data_dir`. Pure: segments never change, and what the splits need to
// know of them is in the version. A damaged segment is found by whoever reads it.
std::vector<v1::Split> MakeTableSplits(const std::string& data_dir, const v1::TableVersion& version,
                                       uint64_t from_position = 0);

// Ranges of a generated sequence: a quarter of a million rows each with kRanges, at most eight of
// equal size with kWholeFiles (so that lateness does not depend on parallelism). A sequence without
// end is one split.
std::vector<v1::Split> MakeDatagenSplits(const DatagenOptions& options, SplitMode mode);

}  // namespace millrace
