#include "worker/state/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/storage/file_system.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr char kLockName[] = "LOCK";
constexpr int kTriesMax = 10;

absl::Status Failed(const std::string& what, int error) {
  const SqlState state = error == ENOSPC ? SqlState::kDiskFull : SqlState::kIoError;
  return MakeError(state, absl::StrCat(what, ": ", std::strerror(error)));
}

// The descriptor of a lock file that this process has locked; −1 if another one has.
absl::StatusOr<int> TryLock(const std::string& folder) {
  const std::string path = JoinPath(folder, kLockName);
  const int file = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  if (file < 0) return Failed(absl::StrCat("cannot open ", path), errno);
  if (flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  const int error = errno;
  close(file);
  if (error == EWOULDBLOCK) return -1;
  return Failed(absl::StrCat("cannot lock ", path), error);
}

// Removes the folders of processes that have ended. What cannot be removed stays: it only costs
// room.
void RemoveLeftovers(const std::string& parent, const std::string& own) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, ignored)) {
    if (entry.path() == own || !entry.is_directory(ignored)) continue;
    const absl::StatusOr<int> lock = TryLock(entry.path().string());
    if (!lock.ok() || *lock < 0) continue;
    fs::remove_all(entry.path(), ignored);
    close(*lock);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateFolder>> StateFolder::Open(const std::string& data_dir) {
  const std::string parent = JoinPath(data_dir, "state");
  std::random_device random;
  // Another worker that starts may take the new folder for a leftover before it is locked.
  for (int tries = 0; tries < kTriesMax; ++tries) {
    const std::string path = JoinPath(parent, absl::StrCat("process-", getpid(), "-", random()));
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return Failed(absl::StrCat("cannot make the folder ", path), error.value());
    const absl::StatusOr<int> lock = TryLock(path);
    if (!lock.ok() && fs::exists(path, error)) return lock.status();
    if (!lock.ok() || *lock < 0) continue;
    if (!fs::exists(JoinPath(path, kLockName), error)) {
      close(*lock);
      continue;
    }
    RemoveLeftovers(parent, path);
    return std::unique_ptr<StateFolder>(new StateFolder(path, *lock));
  }
  return MakeError(SqlState::kIoError, absl::StrCat("cannot lock a folder below ", parent));
}

StateFolder::~StateFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  close(lock_);
}

}  // namespace millrace
