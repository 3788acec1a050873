#include "worker/service/attempt_manager.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/logging/log.h"
#include "common/net/rpc_status.h"
#include "common/storage/file_system.h"
#include "millrace/v1/control.pb.h"
#include "worker/exchange/channel_registry.h"
#include "worker/exchange/peer_pool.h"
#include "worker/runtime/result_queue.h"
#include "worker/state/view_store.h"

namespace millrace {
namespace {

constexpr int64_t kExitPatienceMicros = 60'000'000;
// Tasks of such a deployment are built within some milliseconds.
constexpr size_t kSmallDeploymentBytes = size_t{256} << 10;

}  // namespace

AttemptManager::AttemptManager(const WorkerParts& parts, AttemptManagerOptions options)
    : parts_(parts), options_(std::move(options)) {}

AttemptManager::~AttemptManager() {
  Disconnect();
  // Tasks use what goes next, so a process that ends with tasks that do not end has only this left.
  for (const Key& key : CancelAll(kExitPatienceMicros)) {
    Log(LogLevel::kError, "worker", "tasks do not end; the process ends without them",
        {{"job", key.first}, {"attempt", key.second}});
    std::_Exit(EXIT_FAILURE);
  }
}

void AttemptManager::OnStorageProved(const v1::StorageProof& proof) {
  MutexLock lock(mutex_);
  storage_tokens_.clear();
  for (const v1::FolderProof& folder : proof.folders()) {
    if (!folder.has_error()) storage_tokens_[folder.path()] = folder.token();
  }
}

void AttemptManager::Connect(uint32_t worker_id, std::shared_ptr<ControlOutbox> outbox) {
  MutexLock lock(mutex_);
  worker_id_ = worker_id;
  outbox_ = std::move(outbox);
}

std::vector<AttemptManager::Key> AttemptManager::CancelAll(int64_t patience_micros) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::microseconds(patience_micros);
  MutexLock lock(mutex_);
  for (auto& [key, entry] : attempts_) {
    entry.cancelled = true;
    *entry.stop = true;
    if (entry.attempt != nullptr) entry.attempt->Cancel();
  }
  while (true) {
    std::vector<Key> running;
    for (const auto& [key, entry] : attempts_) {
      const bool ended = entry.attempt != nullptr && entry.attempt->tasks_ended();
      if (!ended) running.push_back(key);
    }
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(
        deadline - std::chrono::steady_clock::now());
    if (running.empty() || left.count() <= 0) return running;
    changed_.WaitFor(mutex_, left);
  }
}

void AttemptManager::Disconnect() {
  {
    MutexLock lock(mutex_);
    outbox_ = nullptr;
  }
  const std::vector<Key> running = CancelAll(options_.disconnect_patience_micros);
  std::map<Key, Entry> ended;
  std::set<Key> view_owners;
  {
    MutexLock lock(mutex_);
    ended.swap(attempts_);
    // These go when their tasks have ended.
    for (const Key& key : running) attempts_.insert(ended.extract(key));
    view_owners.swap(view_owners_);
  }
  for (const auto& [job, attempt] : running) {
    Log(LogLevel::kWarning, "worker", "tasks do not end in time; going on without them",
        {{"job", job}, {"attempt", attempt}});
  }
  for (const auto& [key, entry] : ended) parts_.channels.Unregister(key.first, key.second);
  for (const auto& [job, attempt] : view_owners) {
    if (std::find(running.begin(), running.end(), Key{job, attempt}) != running.end()) continue;
    parts_.views.Drop(JobId(job), AttemptId(attempt));
  }
  parts_.peers.CloseAll();
}

void AttemptManager::Handle(v1::CoordinatorMessage message) {
  using Message = v1::CoordinatorMessage;
  switch (message.message_case()) {
    case Message::kDeploy:
      return Deploy(std::move(*message.mutable_deploy()));
    case Message::kStart:
      if (auto attempt = FindOrCount(message.start().job_id(), message.start().attempt())) {
        attempt->Start();
      }
      return;
    case Message::kCancel:
      return Cancel(message.cancel());
    case Message::kSplitAssignment: {
      const v1::SplitAssignment& assignment = message.split_assignment();
      if (auto attempt = FindOrCount(assignment.job_id(), assignment.attempt())) {
        attempt->Assign(assignment);
      }
      return;
    }
    case Message::kInjectBarrier: {
      const v1::InjectBarrier& inject = message.inject_barrier();
      if (auto attempt = FindOrCount(inject.job_id(), inject.attempt())) {
        attempt->Inject(inject);
      }
      return;
    }
    case Message::kEpochPublished: {
      const v1::EpochPublished& published = message.epoch_published();
      parts_.views.Publish(JobId(published.job_id()), AttemptId(published.attempt()),
                           Epoch(published.epoch()), Epoch(published.oldest_readable()));
      return;
    }
    case Message::kDrain: {
      {
        MutexLock lock(mutex_);
        draining_ = true;
      }
      return RemoveIfOver({});
    }
    default:
      // A newer coordinator's message; versions were compared at the welcome.
      return;
  }
}

Attempt::StateOptions AttemptManager::StateOptionsOf(const v1::DeployAttempt& deploy) const {
  Attempt::StateOptions state;
  state.resources = options_.state_resources;
  state.local_folder = options_.state_folder;
  const auto it = deploy.settings().find("checkpoint_folder");
  state.checkpoint_folder =
      it != deploy.settings().end()
          ? it->second
          : JoinPath(options_.data_dir, absl::StrCat("checkpoints/job-", deploy.job_id()));
  return state;
}

void AttemptManager::Deploy(v1::DeployAttempt deploy) {
  const Key key{deploy.job_id(), deploy.attempt()};
  if (deploy.memory_bytes_max() == 0) deploy.set_memory_bytes_max(options_.query_memory_bytes);
  const bool streaming = deploy.plan().streaming();
  auto shared = std::make_shared<const v1::DeployAttempt>(std::move(deploy));
  std::vector<Key> replaced;
  {
    MutexLock lock(mutex_);
    if (!attempts_.try_emplace(key).second) {
      ++stale_messages_;
      return;
    }
    // Nobody reads the views of an attempt once there is a newer one.
    for (auto it = view_owners_.lower_bound({key.first, 0});
         it != view_owners_.end() && *it < key;) {
      replaced.push_back(*it);
      it = view_owners_.erase(it);
    }
    if (streaming) view_owners_.insert(key);
  }
  for (const Key& old : replaced) parts_.views.Drop(JobId(old.first), AttemptId(old.second));
  // The control thread also sends the heartbeats. Only the cancellation of an attempt can come
  // before it has reported that it is built.
  if (streaming || shared->ByteSizeLong() > kSmallDeploymentBytes) {
    RunBlocking([this, shared] { Build(shared); });
  } else {
    Build(shared);
  }
}

void AttemptManager::Build(const std::shared_ptr<const v1::DeployAttempt>& deploy) {
  const Key key{deploy->job_id(), deploy->attempt()};
  uint32_t own_worker = 0;
  Attempt::StateOptions state = StateOptionsOf(*deploy);
  {
    MutexLock lock(mutex_);
    own_worker = worker_id_;
    state.stop = attempts_[key].stop;
    const auto token = storage_tokens_.find(FolderOf(state.checkpoint_folder));
    if (token != storage_tokens_.end()) state.checkpoint_token = token->second;
  }
  auto attempt = Attempt::Create(deploy, own_worker, parts_, state, *this);
  bool cancelled = false;
  {
    MutexLock lock(mutex_);
    Entry& entry = attempts_[key];
    cancelled = entry.cancelled;
    if (attempt.ok()) {
      entry.attempt = *attempt;
    } else {
      attempts_.erase(key);
    }
    changed_.NotifyAll();
  }
  if (cancelled) {
    // Cancelled while it was built. Its tasks have never run.
    if (attempt.ok()) return (*attempt)->Cancel();
    return AnswerCancel(key);
  }
  v1::WorkerMessage message;
  message.mutable_deployed()->set_job_id(key.first);
  message.mutable_deployed()->set_attempt(key.second);
  if (!attempt.ok()) ToProto(attempt.status(), message.mutable_deployed()->mutable_error());
  SendToCoordinator(std::move(message));
  if (!attempt.ok() || !deploy->start()) return;
  for (const v1::SplitAssignment& assignment : deploy->assignments()) {
    (*attempt)->Assign(assignment);
  }
  (*attempt)->Start();
}

void AttemptManager::Cancel(const v1::CancelAttempt& cancel) {
  const Key key{cancel.job_id(), cancel.attempt()};
  std::shared_ptr<Attempt> attempt;
  {
    MutexLock lock(mutex_);
    view_owners_.erase(key);
    const auto it = attempts_.find(key);
    if (it != attempts_.end()) {
      it->second.cancelled = true;
      *it->second.stop = true;
      attempt = it->second.attempt;
      // Still being built: the answer comes when that is over.
      if (attempt == nullptr) return;
    }
  }
  // A task may be about to open or to seal its part of a view, which must not fail with an error of
  // its own: the views go when the tasks have ended.
  if (attempt != nullptr && !attempt->tasks_ended()) return attempt->Cancel();
  parts_.views.Drop(JobId(key.first), AttemptId(key.second));
  RemoveIfOver(key);
  AnswerCancel(key);
}

void AttemptManager::AnswerCancel(Key key) {
  v1::WorkerMessage message;
  message.mutable_cancelled()->set_job_id(key.first);
  message.mutable_cancelled()->set_attempt(key.second);
  SendToCoordinator(std::move(message));
}

void AttemptManager::OnTasksEnded(uint64_t job, uint32_t attempt) {
  const Key key{job, attempt};
  bool cancelled = false;
  {
    MutexLock lock(mutex_);
    const auto it = attempts_.find(key);
    cancelled = it != attempts_.end() && it->second.cancelled;
    changed_.NotifyAll();
  }
  if (cancelled) parts_.views.Drop(JobId(job), AttemptId(attempt));
  RemoveIfOver(key);
  if (cancelled) AnswerCancel(key);
}

void AttemptManager::OnResultRead(uint64_t job, uint32_t attempt) { RemoveIfOver({job, attempt}); }

void AttemptManager::RemoveIfOver(Key key) {
  std::shared_ptr<Attempt> removed;
  bool drained = false;
  {
    MutexLock lock(mutex_);
    const auto it = attempts_.find(key);
    if (it != attempts_.end() && it->second.attempt != nullptr &&
        it->second.attempt->tasks_ended() &&
        (it->second.cancelled || it->second.attempt->results_read())) {
      removed = std::move(it->second.attempt);
      attempts_.erase(it);
    }
    if (draining_ && attempts_.empty()) drained = !std::exchange(drained_, true);
  }
  if (removed != nullptr) parts_.channels.Unregister(key.first, key.second);
  if (drained && options_.on_drained) options_.on_drained();
}

std::shared_ptr<Attempt> AttemptManager::FindOrCount(uint64_t job, uint32_t attempt) {
  MutexLock lock(mutex_);
  const auto it = attempts_.find({job, attempt});
  if (it != attempts_.end() && it->second.attempt != nullptr) return it->second.attempt;
  ++stale_messages_;
  return nullptr;
}

std::shared_ptr<ResultQueue> AttemptManager::FindResult(
    uint64_t job, uint32_t attempt, uint32_t fragment, uint32_t task_index,
    std::shared_ptr<arrow::Schema>* schema) const {
  MutexLock lock(mutex_);
  const auto it = attempts_.find({job, attempt});
  if (it == attempts_.end() || it->second.attempt == nullptr) return nullptr;
  *schema = it->second.attempt->result_schema();
  return it->second.attempt->FindResult(fragment, task_index);
}

void AttemptManager::FillHeartbeat(v1::Heartbeat* heartbeat) const {
  std::vector<std::shared_ptr<Attempt>> attempts;
  {
    MutexLock lock(mutex_);
    for (const auto& [key, entry] : attempts_) {
      if (entry.attempt != nullptr) attempts.push_back(entry.attempt);
    }
  }
  auto view_bytes = parts_.views.BytesByAttempt();
  uint64_t memory_bytes = 0;
  for (const auto& attempt : attempts) {
    const auto views = view_bytes.extract({JobId(attempt->job()), AttemptId(attempt->attempt())});
    const uint64_t bytes = views.empty() ? 0 : static_cast<uint64_t>(views.mapped());
    attempt->FillHeartbeat(bytes, heartbeat);
    memory_bytes += attempt->memory_bytes(bytes);
  }
  // The tasks of the others have ended, and the rows stay.
  for (const auto& [owner, bytes] : view_bytes) {
    v1::JobStateSize* size = heartbeat->add_state_sizes();
    size->set_job_id(owner.first.value());
    size->set_attempt(owner.second.value());
    size->set_memory_bytes(static_cast<uint64_t>(bytes));
    memory_bytes += static_cast<uint64_t>(bytes);
  }
  heartbeat->set_memory_used_bytes(memory_bytes);
  heartbeat->set_memory_bytes_max(options_.memory_bytes_max);
  std::error_code unknown;
  const auto space = std::filesystem::space(options_.state_folder, unknown);
  if (!unknown) heartbeat->set_disk_free_bytes(space.available);
  heartbeat->set_stale_messages(stale_messages());
}

uint64_t AttemptManager::stale_messages() const {
  MutexLock lock(mutex_);
  return stale_messages_ + parts_.channels.stale_frames();
}

void AttemptManager::SendToCoordinator(v1::WorkerMessage message) {
  std::shared_ptr<ControlOutbox> outbox;
  {
    MutexLock lock(mutex_);
    outbox = outbox_;
  }
  if (outbox != nullptr) outbox->Send(std::move(message));
}

void AttemptManager::RunBlocking(std::function<void()> work) { blocking_.Run(std::move(work)); }

}  // namespace millrace
