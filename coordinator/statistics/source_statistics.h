#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/storage/file_system.h"
#include "common/storage/path_policy.h"
#include "coordinator/planner/rules/cardinality.h"

namespace millrace {

class ParquetFile;

namespace v1 {
class CatalogObject;
}  // namespace v1

// Sizes of tables and sources for the planner: rows and ranges of integer columns from the footers
// of Parquet files, rows of text files guessed from their sizes. Whatever cannot be read is
// unknown; errors come up when the query reads the files. Footers are remembered as long as size
// and modification time of their file stay. Thread-safe.
class SourceStatistics {
 public:
  // Files outside the policy's folders are not looked at. `data_dir` holds the segments of stored
  // tables.
  SourceStatistics(PathPolicy path_policy, std::string data_dir);

  TableStatistics Of(const v1::CatalogObject& object);

 private:
  // Least and greatest value of a column.
  struct Range {
    int64_t min = 0;
    int64_t max = 0;
  };
  struct FileStatistics {
    uint64_t size_bytes = 0;
    int64_t mtime_micros = 0;
    uint64_t rows = 0;
    // By column name; columns without a range in every row group are left out.
    std::map<std::string, Range> ranges;
  };
  // What is known of some files together.
  struct Total {
    uint64_t rows = 0;
    uint64_t bytes_read = 0;
    uint64_t bytes = 0;
    std::map<std::string, Range> ranges;
  };

  TableStatistics OfFiles(const v1::CatalogObject& object);
  TableStatistics OfSegments(const v1::CatalogObject& object);
  TableStatistics OfParquet(const std::vector<FileInfo>& files, const v1::CatalogObject& object);
  static void AddRowGroup(const ParquetFile& parquet, int group, FileStatistics* statistics);
  // False if the footer cannot be read.
  bool ReadFooter(const FileInfo& file, FileStatistics* statistics);

  const PathPolicy path_policy_;
  const std::string data_dir_;
  Mutex mutex_;
  std::map<std::string, FileStatistics> footers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace millrace
