#include "coordinator/service/file_definition.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/connector_spec/file_options.h"
#include "common/file_format/schema_inference.h"
#include "common/storage/file_listing.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {

absl::Status ResolvePath(const PathPolicy& policy, const std::string& working_directory,
                         OptionMap& options) {
  auto it = options.find("path");
  if (it == options.end()) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(it->second, policy.CheckPath(working_directory, it->second));
  return absl::OkStatus();
}

absl::StatusOr<Schema> InferColumns(const PathPolicy& policy, const OptionMap& options,
                                    MissingFiles missing) {
  MR_ASSIGN_OR_RETURN(const FileOptions file_options, ParseFileOptions(options));
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(file_options.path));
  absl::StatusOr<std::vector<FileInfo>> files = ListFiles(*file_system, file_options.path);
  if (!files.ok()) {
    const bool absent = GetErrorDetail(files.status()).state == SqlState::kUndefinedFile;
    if (absent && missing == MissingFiles::kGiveNoColumns) return Schema();
    return files.status();
  }
  if (files->empty()) {
    if (missing == MissingFiles::kGiveNoColumns) return Schema();
    return MakeError(SqlState::kUndefinedFile,
                     absl::StrCat("no file matches \"", file_options.path, "\""));
  }
  for (const FileInfo& file : *files) MR_RETURN_IF_ERROR(policy.CheckFile(file.path));
  return InferFileSchema(*file_system, *files, file_options);
}

absl::StatusOr<CatalogObjectPtr> InferFileSource(const PathPolicy& policy,
                                                 const std::string& working_directory,
                                                 const std::string& path,
                                                 const std::string& format) {
  OptionMap options{{"connector", "file"}, {"path", path}};
  if (!format.empty()) options["format"] = format;
  MR_RETURN_IF_ERROR(ResolvePath(policy, working_directory, options));
  MR_ASSIGN_OR_RETURN(const Schema columns,
                      InferColumns(policy, options, MissingFiles::kAreAnError));
  auto object = std::make_shared<v1::CatalogObject>();
  object->set_format_version(1);
  object->set_name(path);
  object->set_kind(v1::OBJECT_KIND_SOURCE);
  object->set_state(v1::OBJECT_STATE_READY);
  object->set_connector("file");
  object->mutable_options()->insert(options.begin(), options.end());
  for (const Field& column : columns) ToProto(column, object->add_columns());
  return CatalogObjectPtr(std::move(object));
}

}  // namespace millrace
