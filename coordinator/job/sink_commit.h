#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/storage/file_system.h"
#include "common/storage/staged_commit.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

// What a job's sinks commit together: the files of one checkpoint of a stream, or those of a
// statement that ends (epoch 0).
//
// Beside the committed files of a folder, "_manifest/<cluster>-<job>-<epoch>.json" lists them with
// rows and bytes. It is written when all files of the commit have their names, and withdrawn before
// the first of them is removed: whoever reads by manifests sees a commit whole or not at all. A
// target that is a single file is replaced as a whole and has no manifest.
//
// "_manifest" is also what shows that a folder is the one that was written to. It is there before
// the first file gets its name; in a mount point without its file system it is not.
struct SinkCommit {
  FileOwner owner;
  uint64_t epoch = 0;
  std::vector<v1::StagedFile> files;
};

// How a commit treats a file that has neither its staged nor its final name. Staged files are
// durable before anything is decided, and only a commit removes their names.
enum class CommitRound : uint8_t {
  // No file can have had its final name: somebody has removed it. XX001.
  kFirst,
  // An earlier round may have been cut short: the file has had its name, and whoever reads the
  // folder has taken it away since. It counts as committed, with a warning in the log.
  kRepeated,
};

// The commit that the checkpoint has promised.
SinkCommit SinkCommitOf(const v1::CheckpointManifest& manifest, std::string cluster);

// Gives the files their final names, then writes the manifests; all of it is durable when it
// returns OK. Idempotent. 58030 (retry safe) while a folder is not there, and nothing shows that
// its files have had their names.
absl::Status CommitSinkFiles(FileSystem& file_system, const SinkCommit& commit, CommitRound round);

// Takes back what was committed, or was about to be. A file that is not what was committed, because
// somebody has changed it, stays; so does a single file, which may have replaced another one.
// Idempotent. 58030 (retry safe) while a folder is not there: its files would come back with it.
absl::Status WithdrawSinkFiles(FileSystem& file_system, const SinkCommit& commit);

// Whether the owner's sinks may have committed something in the folder: "_manifest" is there. False
// also for an empty mount point. 58030 (retry safe) if the folder is not there, or holds files with
// names of the owner's commits and no "_manifest".
absl::StatusOr<bool> HoldsCommits(FileSystem& file_system, const std::string& folder,
                                  const FileOwner& owner);

// The answer while a sink's folder is not there: nothing is decided by what is not there.
absl::Status SinkFolderNotThere(const std::string& folder);

// Takes back what the owner's sinks have committed in the folder in epochs behind `epoch`, of which
// the checkpoint's manifest can no longer be read: what is removed goes by its name alone.
// Idempotent. Errors as of HoldsCommits.
absl::Status WithdrawSinkFilesBehind(FileSystem& file_system, const std::string& folder,
                                     const FileOwner& owner, uint64_t epoch);

}  // namespace millrace
