#pragma once

#include "absl/strings/string_view.h"

namespace millrace {

namespace v1 {
class StorageChallenge;
class StorageProof;
}  // namespace v1

// Shows that this machine sees the cluster's shared folders: reads each token, and writes and
// removes a small file named after `probe`, which must differ from that of other processes. What
// does not work stands in the proof, with the machine's name. Blocks on the disk.
v1::StorageProof ProveStorage(const v1::StorageChallenge& challenge, absl::string_view probe);

}  // namespace millrace
