#include "common/storage/local_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

// The one place where errno becomes a status.
absl::Status ErrnoStatus(int error, absl::string_view action, absl::string_view path) {
  const std::string message =
      absl::StrCat("cannot ", action, " \"", path, "\": ", std::generic_category().message(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return MakeError(SqlState::kUndefinedFile, message);
    case EACCES:
    case EPERM:
    case EROFS:
      return MakeError(SqlState::kInsufficientPrivilege, message);
    case ENOSPC:
    case EDQUOT:
      return MakeError(SqlState::kDiskFull, message);
    default:
      return MakeError(SqlState::kIoError, message);
  }
}

// Repeats a system call that a signal has interrupted.
template <typename Call>
auto Retried(const Call& call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

class LocalReadableFile final : public ReadableFile {
 public:
  LocalReadableFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t num_bytes, char* out) const override {
    size_t done = 0;
    while (done < num_bytes) {
      const ssize_t count = Retried([&] {
        return pread(fd_.get(), out + done, num_bytes - done, static_cast<off_t>(offset + done));
      });
      if (count < 0) return ErrnoStatus(errno, "read", path_);
      if (count == 0) break;
      done += static_cast<size_t>(count);
    }
    return done;
  }

  const std::string& path() const override { return path_; }

 private:
  const FileDescriptor fd_;
  const std::string path_;
};

class LocalWritableFile final : public WritableFile {
 public:
  LocalWritableFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  absl::Status Append(absl::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = Retried([&] { return write(fd_.get(), bytes.data(), bytes.size()); });
      if (count < 0) return ErrnoStatus(errno, "write", path_);
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (Retried([&] { return fsync(fd_.get()); }) != 0) return ErrnoStatus(errno, "sync", path_);
    return absl::OkStatus();
  }

  absl::Status Close() override {
    const int fd = fd_.Release();
    // Not repeated after EINTR: the descriptor is gone on Linux in any case.
    if (fd >= 0 && close(fd) != 0 && errno != EINTR) return ErrnoStatus(errno, "close", path_);
    return absl::OkStatus();
  }

 private:
  FileDescriptor fd_;
  const std::string path_;
};

FileInfo InfoOf(const std::string& path, const struct stat& entry) {
  FileInfo info;
  info.path = path;
  info.size_bytes = static_cast<uint64_t>(entry.st_size);
  info.mtime_micros = int64_t{entry.st_mtim.tv_sec} * 1'000'000 + entry.st_mtim.tv_nsec / 1'000;
  info.is_folder = S_ISDIR(entry.st_mode);
  return info;
}

}  // namespace

absl::StatusOr<FileInfo> LocalFileSystem::Stat(const std::string& path) {
  struct stat entry;
  if (stat(path.c_str(), &entry) != 0) return ErrnoStatus(errno, "open", path);
  return InfoOf(path, entry);
}

absl::StatusOr<std::unique_ptr<ReadableFile>> LocalFileSystem::OpenForRead(
    const std::string& path) {
  FileDescriptor fd(Retried([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (fd.get() < 0) return ErrnoStatus(errno, "open", path);
  struct stat entry;
  if (fstat(fd.get(), &entry) != 0) return ErrnoStatus(errno, "open", path);
  if (S_ISDIR(entry.st_mode)) return ErrnoStatus(EISDIR, "open", path);
  return std::make_unique<LocalReadableFile>(fd.Release(), path);
}

absl::StatusOr<std::unique_ptr<WritableFile>> LocalFileSystem::Create(const std::string& path) {
  FileDescriptor fd(
      Retried([&] { return open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644); }));
  if (fd.get() < 0) return ErrnoStatus(errno, "create", path);
  return std::make_unique<LocalWritableFile>(fd.Release(), path);
}

absl::StatusOr<std::vector<FileInfo>> LocalFileSystem::List(const std::string& folder) {
  std::unique_ptr<DIR, int (*)(DIR*)> stream(opendir(folder.c_str()), closedir);
  if (stream == nullptr) return ErrnoStatus(errno, "list", folder);
  std::vector<FileInfo> found;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(stream.get());  // NOLINT(concurrency-mt-unsafe): own stream
    if (entry == nullptr) break;
    const absl::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string path = JoinPath(folder, name);
    struct stat info;
    // A dangling link, or a file that went away meanwhile, is not there.
    if (stat(path.c_str(), &info) == 0) found.push_back(InfoOf(path, info));
  }
  if (errno != 0) return ErrnoStatus(errno, "list", folder);
  return found;
}

absl::Status LocalFileSystem::CreateFolders(const std::string& path) {
  if (mkdir(path.c_str(), 0755) == 0) return SyncFolder(FolderOf(path));
  if (errno == EEXIST) {
    struct stat entry;
    if (stat(path.c_str(), &entry) != 0) return ErrnoStatus(errno, "create folder", path);
    if (S_ISDIR(entry.st_mode)) return absl::OkStatus();
    return ErrnoStatus(EEXIST, "create folder", path);
  }
  if (errno != ENOENT) return ErrnoStatus(errno, "create folder", path);
  const std::string parent = FolderOf(path);
  if (parent == path || parent == ".") return ErrnoStatus(ENOENT, "create folder", path);
  MR_RETURN_IF_ERROR(CreateFolders(parent));
  // Somebody else may have been faster.
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, "create folder", path);
  }
  return SyncFolder(parent);
}

absl::Status LocalFileSystem::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("rename \"", from, "\" to"), to);
  }
  return absl::OkStatus();
}

absl::Status LocalFileSystem::SyncFolder(const std::string& path) {
  FileDescriptor fd(
      Retried([&] { return open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (fd.get() < 0) return ErrnoStatus(errno, "open folder", path);
  if (Retried([&] { return fsync(fd.get()); }) != 0) return ErrnoStatus(errno, "sync", path);
  return absl::OkStatus();
}

absl::Status LocalFileSystem::Remove(const std::string& path) {
  if (remove(path.c_str()) != 0 && errno != ENOENT) return ErrnoStatus(errno, "remove", path);
  return absl::OkStatus();
}

absl::StatusOr<std::string> LocalFileSystem::Resolve(const std::string& path) {
  std::error_code error;
  const std::filesystem::path resolved = std::filesystem::weakly_canonical(path, error);
  if (error) return ErrnoStatus(error.value(), "resolve", path);
  std::string text = resolved.string();
  // weakly_canonical keeps a slash at the end of a path whose last part does not exist.
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace millrace
