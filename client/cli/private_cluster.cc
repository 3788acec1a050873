#include "client/cli/private_cluster.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr int kReadyTimeoutMs = 20000;
constexpr int kStopTimeoutMs = 5000;

// The binaries lie beside this one.
absl::StatusOr<std::string> BinaryPath(const std::string& name) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const fs::path path = self.parent_path() / name;
  if (error || !fs::exists(path, error)) {
    return MakeError(SqlState::kUndefinedFile, absl::StrCat("cannot find ", path.string()),
                     "the three binaries of Millrace must lie in one folder");
  }
  return path.string();
}

absl::StatusOr<std::string> MakeTemporaryFolder() {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = absl::StrCat(base == nullptr ? "/tmp" : base, "/millrace-XXXXXX");
  if (mkdtemp(pattern.data()) == nullptr) {
    return MakeError(SqlState::kIoError,
                     absl::StrCat("cannot make a folder ", pattern, ": ", std::strerror(errno)));
  }
  return pattern;
}

std::string LastLines(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  constexpr size_t kBytes = 2000;
  return text.size() > kBytes ? text.substr(text.size() - kBytes) : text;
}

// The value of "key=value" in a ready line; empty if absent.
std::string ReadyField(const std::string& line, const std::string& key) {
  for (absl::string_view word : absl::StrSplit(line, ' ', absl::SkipEmpty())) {
    if (absl::StartsWith(word, absl::StrCat(key, "="))) {
      return std::string(word.substr(key.size() + 1));
    }
  }
  return "";
}

struct Pipe {
  int read_fd = -1;
  int write_fd = -1;
};

// Close-on-exec, so that no child holds another child's ends.
absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) {
    return MakeError(SqlState::kInsufficientResources,
                     absl::StrCat("cannot make a pipe: ", std::strerror(errno)));
  }
  return Pipe{fds[0], fds[1]};
}

// In the child, between fork and exec: async-signal-safe calls only.
[[noreturn]] void ExecChild(char* const* argv, int stdin_fd, int stdout_fd, int log_fd) {
  // SIGTERM stays blocked until the program looks for it: one that comes while it starts must not
  // end a coordinator before it can remove the folder.
  sigset_t only_term;
  sigemptyset(&only_term);
  sigaddset(&only_term, SIGTERM);
  sigprocmask(SIG_SETMASK, &only_term, nullptr);
  // If the parent has gone before this, the closed pipe says so.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  // Ctrl-C reaches the whole group; the parent decides what it means.
  signal(SIGINT, SIG_IGN);
  dup2(stdin_fd, STDIN_FILENO);
  dup2(stdout_fd, STDOUT_FILENO);
  if (log_fd >= 0) dup2(log_fd, STDERR_FILENO);
  execv(argv[0], argv);
  _exit(127);
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateCluster>> PrivateCluster::Start(
    const PrivateClusterOptions& options) {
  std::unique_ptr<PrivateCluster> cluster(new PrivateCluster());
  cluster->options_ = options;
  cluster->data_dir_ = options.data_dir;
  if (options.data_dir.empty()) {
    MR_ASSIGN_OR_RETURN(cluster->data_dir_, MakeTemporaryFolder());
    cluster->removes_data_dir_ = true;
  }
  std::error_code error;
  fs::create_directories(fs::path(cluster->data_dir_) / "logs", error);
  if (error) {
    return MakeError(SqlState::kIoError, absl::StrCat("cannot make the folder ", cluster->data_dir_,
                                                      ": ", error.message()));
  }
  cluster->data_dir_ = fs::absolute(cluster->data_dir_).string();

  std::vector<std::string> coordinator = {"millrace-coordinator",
                                          "--listen",
                                          options.client_address,
                                          "--control-listen",
                                          options.control_address,
                                          "--data-dir",
                                          cluster->data_dir_ + "/coordinator",
                                          "--exit-with-parent",
                                          "--allowed-path",
                                          "/",
                                          "--allowed-broker",
                                          "*"};
  // The coordinator removes the folder too, for the case that this process is killed.
  if (cluster->removes_data_dir_) {
    coordinator.insert(coordinator.end(), {"--remove-at-exit", cluster->data_dir_});
  }
  MR_RETURN_IF_ERROR(cluster->Launch("coordinator", coordinator));
  MR_ASSIGN_OR_RETURN(const std::string ready, cluster->AwaitReadyLine(cluster->children_[0]));
  cluster->client_address_ = ReadyField(ready, "client");
  const std::string control_address = ReadyField(ready, "control");

  int slots = options.slots_per_worker;
  if (slots <= 0) {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    slots = std::max(1, cores / std::max(1, options.num_workers));
  }
  for (int i = 1; i <= options.num_workers; ++i) {
    const std::string name = absl::StrCat("worker-", i);
    std::vector<std::string> worker = {"millrace-worker",
                                       "--coordinator",
                                       control_address,
                                       "--listen",
                                       "127.0.0.1:0",
                                       "--slots",
                                       absl::StrCat(slots),
                                       "--name",
                                       name,
                                       "--data-dir",
                                       absl::StrCat(cluster->data_dir_, "/", name),
                                       "--exit-with-parent",
                                       "--allowed-broker",
                                       "*"};
    MR_RETURN_IF_ERROR(cluster->Launch(name, worker));
  }
  for (size_t i = 1; i < cluster->children_.size(); ++i) {
    MR_RETURN_IF_ERROR(cluster->AwaitReadyLine(cluster->children_[i]).status());
  }
  return cluster;
}

PrivateCluster::~PrivateCluster() {
  // Workers first, so that the coordinator does not take their leaving for a loss.
  for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
    if (child->keep_alive_fd >= 0) close(child->keep_alive_fd);
    if (child->output_fd >= 0) close(child->output_fd);
    if (child->pid > 0) kill(child->pid, SIGTERM);
  }
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(kStopTimeoutMs);
  for (Child& child : children_) {
    int state = 0;
    while (child.pid > 0 && waitpid(child.pid, &state, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > deadline) {
        kill(child.pid, SIGKILL);
        waitpid(child.pid, &state, 0);
        break;
      }
      poll(nullptr, 0, 2);
    }
  }
  if (removes_data_dir_) {
    std::error_code ignored;
    fs::remove_all(data_dir_, ignored);
  }
}

std::string PrivateCluster::LogPath(const std::string& name) const {
  return absl::StrCat(data_dir_, "/logs/", name, ".log");
}

absl::Status PrivateCluster::Launch(const std::string& name,
                                    const std::vector<std::string>& arguments) {
  MR_ASSIGN_OR_RETURN(const std::string binary, BinaryPath(arguments[0]));
  MR_ASSIGN_OR_RETURN(const Pipe keep_alive, MakePipe());
  MR_ASSIGN_OR_RETURN(const Pipe output, MakePipe());
  int log_fd = -1;
  if (options_.log_to_files) {
    log_fd = open(LogPath(name).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  }
  std::vector<std::string> owned = arguments;
  owned[0] = binary;
  std::vector<char*> argv;
  for (std::string& argument : owned) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const pid_t pid = fork();
  if (pid == 0) ExecChild(argv.data(), keep_alive.read_fd, output.write_fd, log_fd);
  close(keep_alive.read_fd);
  close(output.write_fd);
  if (log_fd >= 0) close(log_fd);
  if (pid < 0) {
    return MakeError(SqlState::kInsufficientResources,
                     absl::StrCat("cannot start ", name, ": ", std::strerror(errno)));
  }
  children_.push_back(Child{name, pid, keep_alive.write_fd, output.read_fd});
  return absl::OkStatus();
}

absl::StatusOr<std::string> PrivateCluster::AwaitReadyLine(const Child& child) const {
  std::string line;
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(kReadyTimeoutMs);
  while (line.find('\n') == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd ready{child.output_fd, POLLIN, 0};
    char buffer[512];
    const int polled = left.count() <= 0 ? 0 : poll(&ready, 1, static_cast<int>(left.count()));
    if (polled < 0 && errno == EINTR) continue;
    const ssize_t size = polled > 0 ? read(child.output_fd, buffer, sizeof(buffer)) : 0;
    if (size <= 0) {
      return MakeError(SqlState::kCannotConnectNow,
                       absl::StrCat("the ", child.name, " process did not come up: ",
                                    options_.log_to_files ? LastLines(LogPath(child.name)) : ""));
    }
    line.append(buffer, static_cast<size_t>(size));
  }
  return line.substr(0, line.find('\n'));
}

}  // namespace millrace
