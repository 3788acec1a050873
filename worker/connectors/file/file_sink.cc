#include "worker/connectors/file/file_sink.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/failpoint.h"
#include "common/base/status.h"
#include "common/storage/data_folder.h"
#include "common/storage/file_listing.h"
#include "common/storage/staged_commit.h"

namespace millrace {

FileSink::FileSink(FileSinkSpec spec, FileSystem& file_system)
    : spec_(std::move(spec)),
      file_system_(file_system),
      single_file_(spec_.options.names_single_file()),
      folder_(single_file_ ? FolderOf(spec_.options.path) : spec_.options.path) {}

FileSink::~FileSink() {
  // Nobody is left to be told.
  Abort().IgnoreError();
}

absl::Status FileSink::Open() {
  if (IsGlob(spec_.options.path)) {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("cannot write to the pattern \"", spec_.options.path, "\""),
                     "give a folder, or one file");
  }
  if (single_file_ && spec_.options.rows_per_file > 0) {
    return MakeError(SqlState::kInvalidParameterValue,
                     "option \"rows_per_file\" needs a folder as path");
  }
  // That of a stored table is the coordinator's.
  return spec_.final_names ? RequireFolder(file_system_, folder_)
                           : file_system_.CreateFolders(folder_);
}

absl::Status FileSink::BeginFile() {
  if (single_file_ && spec_.task_index > 0) {
    return InternalError("several tasks write to one file");
  }
  auto next = std::make_unique<OpenFile>();
  const std::string name =
      absl::StrCat(spec_.task_index, "-", num_staged_++, FileSuffix(spec_.options));
  if (spec_.final_names) {
    next->staged_path = JoinPath(
        folder_, absl::StrCat(SegmentNamePrefix(spec_.owner.job_id), spec_.attempt, "-", name));
  } else {
    const std::string stem = absl::StrCat("part-", spec_.object_id, "-", name);
    next->staged_path = StagedPath(JoinPath(folder_, stem), spec_.owner, spec_.attempt);
  }
  MR_ASSIGN_OR_RETURN(next->file, file_system_.Create(next->staged_path));
  // From here on Abort knows of the file.
  open_file_ = std::move(next);
  open_file_->output = std::make_unique<ArrowOutput>(*open_file_->file);
  MR_ASSIGN_OR_RETURN(open_file_->writer,
                      CreateFileWriter(spec_.options, spec_.columns, *open_file_->output));
  return absl::OkStatus();
}

absl::Status FileSink::Write(const Batch& batch) {
  if (batch.weights() != nullptr) {
    return MakeError(SqlState::kFeatureNotSupported,
                     "a file cannot take back rows: the query's result changes over time",
                     "use EMIT ON WINDOW CLOSE, or a query that only adds rows");
  }
  MR_FAILPOINT("file_sink.before_write");
  for (int64_t begin = 0; begin < batch.num_rows();) {
    if (open_file_ == nullptr) MR_RETURN_IF_ERROR(BeginFile());
    int64_t count = batch.num_rows() - begin;
    const uint64_t rows_per_file = spec_.options.rows_per_file;
    if (rows_per_file > 0) {
      count = std::min<int64_t>(count, static_cast<int64_t>(rows_per_file - open_file_->rows));
    }
    MR_RETURN_IF_ERROR(open_file_->writer->Write(batch.Slice(begin, count)));
    begin += count;
    open_file_->rows += static_cast<uint64_t>(count);
    if (open_file_->rows == rows_per_file) MR_RETURN_IF_ERROR(EndFile());
  }
  return absl::OkStatus();
}

absl::Status FileSink::EndFile() {
  if (open_file_ == nullptr) return absl::OkStatus();
  MR_RETURN_IF_ERROR(open_file_->writer->Finish());
  MR_FAILPOINT("file_sink.before_sync");
  MR_RETURN_IF_ERROR(open_file_->file->Sync());
  MR_RETURN_IF_ERROR(open_file_->file->Close());
  MR_FAILPOINT("file_sink.after_sync");
  v1::StagedFile& staged = complete_.emplace_back();
  staged.set_object_id(spec_.object_id);
  staged.set_staged_path(open_file_->staged_path);
  staged.set_size_bytes(open_file_->output->size_bytes());
  staged.set_rows(open_file_->rows);
  staged.set_checksum_xxh3(open_file_->output->checksum());
  open_file_.reset();
  return absl::OkStatus();
}

std::string FileSink::FinalPath(uint64_t epoch, size_t number) const {
  if (single_file_) return spec_.options.path;
  return JoinPath(
      folder_, absl::StrCat(CommittedNamePrefix(spec_.owner), spec_.object_id, "-",
                            spec_.task_index, "-", epoch, "-", number, FileSuffix(spec_.options)));
}

absl::StatusOr<std::vector<v1::StagedFile>> FileSink::Prepare(uint64_t epoch) {
  if (single_file_ && epoch > 0) {
    return WithHint(NotSupported("writing a stream to a single file"), "give a folder as path");
  }
  // One file was asked for, so there is one, with header or schema.
  const bool wants_empty_file = single_file_ && spec_.task_index == 0;
  if (open_file_ == nullptr && complete_.empty() && wants_empty_file) {
    MR_RETURN_IF_ERROR(BeginFile());
  }
  MR_RETURN_IF_ERROR(EndFile());
  if (complete_.empty()) return complete_;
  // The names too must survive a crash before anybody relies on them.
  MR_RETURN_IF_ERROR(file_system_.SyncFolder(folder_));
  size_t number = 0;
  for (v1::StagedFile& file : complete_) {
    file.set_final_path(spec_.final_names ? file.staged_path() : FinalPath(epoch, number++));
  }
  MR_FAILPOINT("file_sink.after_prepare");
  return std::exchange(complete_, {});
}

absl::Status FileSink::Abort() {
  absl::Status first_error;
  if (open_file_ != nullptr) {
    // An unfinished Parquet writer flushes when it is destroyed; that goes into a file that is
    // removed next.
    open_file_->writer.reset();
    first_error.Update(open_file_->file->Close());
    first_error.Update(file_system_.Remove(open_file_->staged_path));
    open_file_.reset();
  }
  first_error.Update(AbortStagedFiles(file_system_, std::exchange(complete_, {})));
  return first_error;
}

absl::Status FileSink::Close() { return Abort(); }

}  // namespace millrace
