#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace millrace {

class FileSystem;
class MetadataStore;

namespace v1 {
class StorageChallenge;
class StorageProof;
}  // namespace v1

// A folder that all processes of the cluster must share, and the proof of it: the content of a file
// that only somebody who sees the same folder can know.
struct SharedStorage {
  // The setting that names the folder.
  std::string setting;
  // Absolute.
  std::string path;
  std::string token;
};

// Draws the folder's token at the first start and writes it durably; later starts read it. The
// folder must exist. 55000 if it belongs to another cluster: two coordinators would take each
// other's files for their own.
absl::StatusOr<SharedStorage> OpenSharedStorage(FileSystem& file_system, absl::string_view setting,
                                                const std::string& path,
                                                absl::string_view cluster_id);

struct SharedFolders {
  SharedStorage data_dir;
  SharedStorage checkpoint_dir;
};

// Opens both. The metadata keeps the token of the checkpoint folder, so that a start finds out
// whether it is the one in which the jobs' checkpoints lie: 58030 if it is not, and nothing is made
// in it. A folder without a token is taken only by metadata that knows of none, or if it names the
// cluster in kClusterIdFile. 55000 if one of them is another cluster's; where that is data-dir, in
// which the metadata lies, it is the metadata that was lost.
absl::StatusOr<SharedFolders> OpenSharedFolders(FileSystem& file_system, MetadataStore& metadata,
                                                const std::string& data_dir,
                                                const std::string& checkpoint_dir,
                                                absl::string_view cluster_id);

v1::StorageChallenge ChallengeOf(const std::vector<SharedStorage>& folders);

// FAILED_PRECONDITION (55000) that names setting, path and worker if the worker does not see the
// same folders, or cannot write there; 53100 if only because the disk is full: then it may ask
// again later. `worker` stands in the message.
absl::Status CheckStorageProof(const std::vector<SharedStorage>& folders,
                               const v1::StorageProof& proof, absl::string_view worker);

}  // namespace millrace
