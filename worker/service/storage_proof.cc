#include "worker/service/storage_proof.h"

#include <unistd.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/net/rpc_status.h"
#include "common/storage/data_folder.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

std::string MachineName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "this machine";
}

absl::Status WriteProbe(FileSystem& file_system, const std::string& path) {
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file, file_system.Create(path));
  absl::Status written = file->Append("x");
  written.Update(file->Close());
  written.Update(file_system.Remove(path));
  return written;
}

absl::StatusOr<std::string> ReadToken(const v1::SharedFolder& folder, absl::string_view probe) {
  MR_ASSIGN_OR_RETURN(FileSystem * file_system, FileSystemOf(folder.path()));
  MR_ASSIGN_OR_RETURN(std::string token,
                      ReadWholeFile(*file_system, JoinPath(folder.path(), folder.token_file()),
                                    kStorageTokenBytesMax));
  const std::string name = absl::StrCat(kStagedPrefix, "probe-", probe);
  MR_RETURN_IF_ERROR(WriteProbe(*file_system, JoinPath(folder.path(), name)));
  return token;
}

}  // namespace

v1::StorageProof ProveStorage(const v1::StorageChallenge& challenge, absl::string_view probe) {
  v1::StorageProof proof;
  for (const v1::SharedFolder& folder : challenge.folders()) {
    v1::FolderProof* shown = proof.add_folders();
    shown->set_path(folder.path());
    const absl::StatusOr<std::string> token = ReadToken(folder, probe);
    if (token.ok()) {
      shown->set_token(*token);
    } else {
      ToProto(WithContext(token.status(), absl::StrCat("on machine ", MachineName())),
              shown->mutable_error());
    }
  }
  return proof;
}

}  // namespace millrace
