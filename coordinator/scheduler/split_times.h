#pragma once

#include <vector>

#include "common/storage/file_system.h"

namespace millrace {

namespace v1 {
class ScanNode;
class Split;
}  // namespace v1

// Sets the least event time of each split where the file tells it (Parquet statistics), so that a
// split that nobody reads yet holds the watermark at that time and not for ever. Splits without
// statistics, of other formats and of files that cannot be read stay as they are.
void SetMinTimes(FileSystem& file_system, const v1::ScanNode& scan, std::vector<v1::Split>* splits);

}  // namespace millrace
