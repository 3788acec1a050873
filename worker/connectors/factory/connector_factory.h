#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/net/address_policy.h"
#include "common/storage/staged_commit.h"
#include "worker/connectors/sink.h"
#include "worker/connectors/source.h"

namespace millrace {

class FileSystem;

namespace v1 {
class FileSinkNode;
class ScanNode;
class TableSinkNode;
}  // namespace v1

// Who writes: fixes the names of a sink's files, so that a repeated epoch writes the same names.
struct SinkTask {
  FileOwner owner;
  // Part of staged names only, never of final ones: two attempts must not write one file.
  uint32_t attempt = 0;
  uint32_t task_index = 0;
  // Its job is a stream, which is tried again after an error that passes.
  bool streaming = false;
};

// The reader for a scan's splits: "file", "table" (segments of stored tables), "kafka" or
// "datagen". Checks the options and the projection; opens nothing. The filter of `node` is used to
// skip row groups only; the scan operator applies it to the rows. `node` is copied where needed;
// `file_system` must outlive the source. "view" is not a connector: 0A000. `addresses`: where it
// may connect to.
absl::StatusOr<std::unique_ptr<Source>> CreateSource(const v1::ScanNode& node,
                                                     FileSystem& file_system,
                                                     const AddressPolicy& addresses = {});

// The writer of one task for an outside table: "file", "kafka" or "blackhole", chosen by
// options["connector"] ("file" if absent).
absl::StatusOr<std::unique_ptr<Sink>> CreateSink(const v1::FileSinkNode& node, const SinkTask& task,
                                                 FileSystem& file_system,
                                                 const AddressPolicy& addresses = {});

// The writer of one task for segments of a stored table.
absl::StatusOr<std::unique_ptr<Sink>> CreateTableSink(const v1::TableSinkNode& node,
                                                      const SinkTask& task,
                                                      FileSystem& file_system);

}  // namespace millrace
