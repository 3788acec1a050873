#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
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
struct SinkCommit {
  FileOwner owner;
  uint64_t epoch = 0;
  std::vector<v1::StagedFile> files;
};

// The commit that the checkpoint has promised.
SinkCommit SinkCommitOf(const v1::CheckpointManifest& manifest, std::string cluster);

// Gives the files their final names, then writes the manifests; all of it is durable when it
// returns OK. Idempotent.
absl::Status CommitSinkFiles(FileSystem& file_system, const SinkCommit& commit);

// Takes back what was committed, or was about to be. A file that is not what was committed, because
// somebody has changed it, stays; so does a single file, which may have replaced another one.
// Idempotent.
absl::Status WithdrawSinkFiles(FileSystem& file_system, const SinkCommit& commit);

}  // namespace millrace
