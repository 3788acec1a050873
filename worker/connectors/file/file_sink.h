#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/connector_spec/file_options.h"
#include "common/file_format/arrow_file.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"
#include "millrace/v1/control.pb.h"
#include "worker/connectors/file/file_writer.h"
#include "worker/connectors/sink.h"

namespace millrace {

// What a file sink writes, where, and under which names.
struct FileSinkSpec {
  FileOptions options;
  Schema columns;
  // The sink in the catalog, and the task that writes.
  uint64_t object_id = 0;
  FileOwner owner;
  uint32_t attempt = 0;
  uint32_t task_index = 0;
  // Segments of a stored table: what counts is in the table's version, so files get their final
  // names at once, which no other attempt uses, and nothing is renamed.
  bool final_names = false;
};

// Writes files of one task under staged names in the target's folder. Prepare fsyncs them and tells
// their final names, which cluster, job, sink, task and epoch fix:
// "part-<cluster>-<job>-<sink>-<task>-<epoch>-<number>.csv". The coordinator renames
// (CommitStagedFiles). A path that names a file gets that one file, also for no rows; a folder gets
// no file for no rows.
class FileSink final : public Sink {
 public:
  FileSink(FileSinkSpec spec, FileSystem& file_system);
  // Removes what was not prepared.
  ~FileSink() override;

  absl::Status Open() override;
  absl::Status Write(const Batch& batch) override;
  absl::StatusOr<std::vector<v1::StagedFile>> Prepare(uint64_t epoch) override;
  absl::Status Abort() override;
  absl::Status Close() override;

 private:
  // The file being written; members in the order of use, so that they are destroyed from the writer
  // down.
  struct OpenFile {
    std::string staged_path;
    std::unique_ptr<WritableFile> file;
    std::unique_ptr<ArrowOutput> output;
    std::unique_ptr<FileWriter> writer;
    uint64_t rows = 0;
  };

  absl::Status BeginFile();
  // Completes and fsyncs the file being written, if there is one.
  absl::Status EndFile();
  std::string FinalPath(uint64_t epoch, size_t number) const;

  const FileSinkSpec spec_;
  FileSystem& file_system_;
  const bool single_file_;
  const std::string folder_;

  std::unique_ptr<OpenFile> open_file_;
  // Complete files of the current epoch, without final names.
  std::vector<v1::StagedFile> complete_;
  // Distinguishes staged names over all epochs.
  uint64_t num_staged_ = 0;
};

}  // namespace millrace
