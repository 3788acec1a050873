#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace millrace {

// The folder in which one worker process keeps its state databases: "<data-dir>/state/<process>".
// The process holds a lock on it as long as it lives, however it ends, so that the next one finds
// out what was left behind, also where several workers share a data folder.
class StateFolder {
 public:
  // Makes a folder, and removes those of processes that are gone.
  static absl::StatusOr<std::unique_ptr<StateFolder>> Open(const std::string& data_dir);
  // Removes the folder.
  ~StateFolder();
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  StateFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  const std::string path_;
  // Descriptor of the locked file.
  const int lock_;
};

}  // namespace millrace
