#include "worker/service/attempt_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/storage/data_folder.h"
#include "common/storage/local_file_system.h"
#include "millrace/v1/control.pb.h"
#include "tests/support/operators/text_batch.h"
#include "tests/support/runtime/fake_parts.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "worker/exchange/channel_registry.h"
#include "worker/exchange/peer_pool.h"
#include "worker/runtime/actor_pool.h"
#include "worker/runtime/result_queue.h"
#include "worker/state/memory_view_store.h"
#include "worker/state/state_resources.h"

namespace millrace {
namespace {

// Keeps messages; Wait blocks until one of a kind has come.
class KeepingOutbox final : public ControlOutbox {
 public:
  void Send(v1::WorkerMessage message) override {
    MutexLock lock(mutex_);
    messages_.push_back(std::move(message));
    changed_.NotifyAll();
  }
  v1::WorkerMessage Wait(v1::WorkerMessage::MessageCase kind) {
    MutexLock lock(mutex_);
    while (true) {
      for (const v1::WorkerMessage& message : messages_) {
        if (message.message_case() == kind) return message;
      }
      changed_.Wait(mutex_);
    }
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<v1::WorkerMessage> messages_ ABSL_GUARDED_BY(mutex_);
};

// Keeps a thread of the pool, and with it the tasks.
class Blocker final : public Actor {
 public:
  explicit Blocker(ActorPool& pool) : Actor(pool) {}
  std::latch running{1};
  std::latch go_on{1};

 protected:
  StepResult Step() override {
    running.count_down();
    go_on.wait();
    return StepResult::kDone;
  }
};

class AttemptManagerTest : public ::testing::Test {
 protected:
  explicit AttemptManagerTest(int64_t disconnect_patience_micros = 60'000'000)
      : manager_(parts_, Options(disconnect_patience_micros)) {
    manager_.Connect(1, outbox_);
  }

  AttemptManagerOptions Options(int64_t disconnect_patience_micros) {
    AttemptManagerOptions options;
    options.disconnect_patience_micros = disconnect_patience_micros;
    options.on_drained = [this] { drained_ = true; };
    return options;
  }
  // A scan that waits for splits → the result.
  static v1::CoordinatorMessage DeployMessage(uint32_t attempt, bool streaming) {
    v1::CoordinatorMessage message;
    v1::DeployAttempt& deploy = *message.mutable_deploy();
    deploy.set_job_id(5);
    deploy.set_attempt(attempt);
    deploy.mutable_plan()->set_streaming(streaming);
    v1::Fragment* fragment = deploy.mutable_plan()->add_fragments();
    fragment->set_parallelism(1);
    fragment->add_outputs()->set_distribution(v1::DISTRIBUTION_RESULT);
    fragment->mutable_root()->mutable_scan()->set_connector("view");
    deploy.add_placements()->set_worker_id(1);
    return message;
  }
  void Deploy(uint32_t attempt, bool streaming = false) {
    manager_.Handle(DeployMessage(attempt, streaming));
  }
  void Start(uint32_t attempt) {
    v1::CoordinatorMessage message;
    message.mutable_start()->set_job_id(5);
    message.mutable_start()->set_attempt(attempt);
    manager_.Handle(message);
  }
  void EndSplits(uint32_t attempt) {
    v1::CoordinatorMessage message;
    message.mutable_split_assignment()->set_job_id(5);
    message.mutable_split_assignment()->set_attempt(attempt);
    message.mutable_split_assignment()->set_end(true);
    manager_.Handle(message);
  }
  void Cancel(uint32_t attempt) {
    v1::CoordinatorMessage message;
    message.mutable_cancel()->set_job_id(5);
    message.mutable_cancel()->set_attempt(attempt);
    manager_.Handle(message);
  }
  std::shared_ptr<ResultQueue> FindResult(uint32_t attempt) {
    std::shared_ptr<arrow::Schema> schema;
    return manager_.FindResult(5, attempt, 0, 0, &schema);
  }
  int NumTasks() {
    v1::Heartbeat heartbeat;
    manager_.FillHeartbeat(&heartbeat);
    return heartbeat.tasks_size();
  }

  std::atomic<bool> drained_{false};
  ChannelRegistry channels_;
  PeerPool peers_;
  LocalFileSystem file_system_;
  MemoryViewStore views_;
  ActorPool pool_{1};
  ManualTimers timers_;
  WorkerParts parts_{pool_, timers_, SystemClock(), channels_, peers_, file_system_, views_};
  std::shared_ptr<KeepingOutbox> outbox_ = std::make_shared<KeepingOutbox>();
  AttemptManager manager_;
};

TEST_F(AttemptManagerTest, AttemptGoesWhenItsResultWasRead) {
  Deploy(1);
  EXPECT_FALSE(outbox_->Wait(v1::WorkerMessage::kDeployed).deployed().has_error());
  Start(1);
  outbox_->Wait(v1::WorkerMessage::kSplitRequest);
  auto result = FindResult(1);
  ASSERT_NE(result, nullptr);
  std::latch ready(1);
  ASSERT_TRUE(result->Attach([&] { ready.count_down(); }));
  EndSplits(1);
  ready.wait();
  EXPECT_EQ(NumTasks(), 1);
  EXPECT_TRUE(result->Pop().end.has_value());
  // The task says that it has ended, and is gone a moment later.
  while (NumTasks() > 0) {
    manager_.OnResultRead(5, 1);
    std::this_thread::yield();
  }
  EXPECT_EQ(FindResult(1), nullptr);
}

TEST_F(AttemptManagerTest, CancelledAttemptAnswersWhenItsTasksHaveEnded) {
  Deploy(1);
  Start(1);
  outbox_->Wait(v1::WorkerMessage::kSplitRequest);
  auto result = FindResult(1);
  Cancel(1);
  EXPECT_EQ(outbox_->Wait(v1::WorkerMessage::kCancelled).cancelled().attempt(), 1);
  EXPECT_EQ(NumTasks(), 0);
  const ResultQueue::Item end = result->Pop();
  ASSERT_TRUE(end.end.has_value());
  EXPECT_ERROR(*end.end, SqlState::kQueryCanceled, "cancelled");
}

// A task that seals an epoch of a view while the cancellation comes must not fail with an error of
// its own: the job would not be restarted.
TEST_F(AttemptManagerTest, ViewsGoAfterTheTasksOfACancelledAttempt) {
  Deploy(1);
  Start(1);
  outbox_->Wait(v1::WorkerMessage::kSplitRequest);
  const ViewPart part{ObjectId(11), JobId(5), AttemptId(1), 0};
  ASSERT_OK(views_.Open(part, {}, Epoch(0)));
  // Keeps the pool's only thread, and with it the task.
  const auto blocker = std::make_shared<Blocker>(pool_);
  blocker->Wake();
  blocker->running.wait();
  Cancel(1);
  EXPECT_OK(views_.Seal(part, Epoch(1), {}));
  blocker->go_on.count_down();
  outbox_->Wait(v1::WorkerMessage::kCancelled);
  EXPECT_FALSE(views_.Read(part, Epoch(1)).ok());
}

// They stay when the tasks of a view's job have ended, and with them what is known of its attempt.
TEST_F(AttemptManagerTest, HeartbeatsCountTheRowsOfViews) {
  const ViewPart part{ObjectId(11), JobId(5), AttemptId(1), 0};
  ASSERT_OK(views_.Open(part, {}, Epoch(0)));
  ASSERT_OK(views_.Seal(part, Epoch(1), {TextBatch("+ 1 | + 2", TextSchema("int8 k"))}));
  const auto bytes = static_cast<uint64_t>(views_.bytes(part));
  EXPECT_GT(bytes, 0);
  const auto heartbeat = [&] {
    v1::Heartbeat filled;
    manager_.FillHeartbeat(&filled);
    return filled;
  };
  EXPECT_EQ(heartbeat().memory_used_bytes(), bytes);
  ASSERT_EQ(heartbeat().state_sizes_size(), 1);
  EXPECT_EQ(heartbeat().state_sizes(0).job_id(), 5);
  EXPECT_EQ(heartbeat().state_sizes(0).attempt(), 1);
  EXPECT_EQ(heartbeat().state_sizes(0).memory_bytes(), bytes);
  Cancel(1);
  EXPECT_EQ(heartbeat().memory_used_bytes(), 0);
}

TEST_F(AttemptManagerTest, AttemptThatNeverStartedCanBeCancelled) {
  Deploy(1);
  Cancel(1);
  outbox_->Wait(v1::WorkerMessage::kCancelled);
  EXPECT_EQ(NumTasks(), 0);
}

TEST_F(AttemptManagerTest, CancelOfSomethingUnknownIsAnswered) {
  Cancel(9);
  EXPECT_EQ(outbox_->Wait(v1::WorkerMessage::kCancelled).cancelled().attempt(), 9);
}

TEST_F(AttemptManagerTest, MessagesForOtherAttemptsAreCounted) {
  Deploy(2);
  Start(1);
  EndSplits(1);
  Deploy(2);
  EXPECT_EQ(manager_.stale_messages(), 3);
  EXPECT_EQ(NumTasks(), 1);
}

TEST_F(AttemptManagerTest, StreamingJobNeedsState) {
  Deploy(1, /*streaming=*/true);
  const v1::WorkerMessage answer = outbox_->Wait(v1::WorkerMessage::kDeployed);
  EXPECT_EQ(answer.deployed().error().detail().sqlstate(), "0A000");
}

TEST_F(AttemptManagerTest, AJobIsNotRestoredFromAnotherFolderThanTheOneThatWasProved) {
  const TempFolder folder;
  folder.Write("checkpoints/job-5/1-w1/1.sst", "");
  folder.Write(absl::StrCat("checkpoints/", kStorageTokenFile), "theirs");
  const StateResources resources(8 << 20, 8 << 20);
  AttemptManagerOptions options = Options(60'000'000);
  options.state_folder = folder.Path("state");
  options.state_resources = &resources;
  AttemptManager manager(parts_, options);
  v1::StorageProof proof;
  proof.add_folders()->set_path(folder.Path("checkpoints"));
  proof.mutable_folders(0)->set_token("ours");
  manager.OnStorageProved(proof);
  manager.Connect(1, outbox_);
  v1::CoordinatorMessage message = DeployMessage(1, /*streaming=*/true);
  v1::DeployAttempt& deploy = *message.mutable_deploy();
  (*deploy.mutable_settings())["checkpoint_folder"] = folder.Path("checkpoints/job-5");
  deploy.mutable_plan()->set_num_shards(1);
  deploy.mutable_placements(0)->set_num_shards(1);
  deploy.set_restore_epoch(3);
  deploy.mutable_restore_manifest()->add_files()->set_path("1-w1/1.sst");
  manager.Handle(message);
  const v1::WorkerMessage answer = outbox_->Wait(v1::WorkerMessage::kDeployed);
  EXPECT_EQ(answer.deployed().error().detail().sqlstate(), "58030");
}

TEST_F(AttemptManagerTest, LossOfTheCoordinatorEndsEverything) {
  Deploy(1);
  Start(1);
  outbox_->Wait(v1::WorkerMessage::kSplitRequest);
  manager_.Disconnect();
  EXPECT_EQ(NumTasks(), 0);
}

class ImpatientAttemptManagerTest : public AttemptManagerTest {
 protected:
  ImpatientAttemptManagerTest() : AttemptManagerTest(20'000) {}
};

TEST_F(ImpatientAttemptManagerTest, LossOfTheCoordinatorDoesNotWaitForeverForATask) {
  Deploy(1);
  Start(1);
  outbox_->Wait(v1::WorkerMessage::kSplitRequest);
  const auto blocker = std::make_shared<Blocker>(pool_);
  blocker->Wake();
  blocker->running.wait();
  manager_.Disconnect();
  EXPECT_EQ(NumTasks(), 1);
  // What ends late goes without a trace, also when there is a coordinator again.
  manager_.Connect(2, outbox_);
  blocker->go_on.count_down();
  while (NumTasks() > 0) std::this_thread::yield();
}

TEST_F(AttemptManagerTest, DrainsWhenTheLastTaskHasGone) {
  Deploy(1);
  v1::CoordinatorMessage message;
  message.mutable_drain();
  manager_.Handle(message);
  EXPECT_FALSE(drained_);
  Cancel(1);
  outbox_->Wait(v1::WorkerMessage::kCancelled);
  EXPECT_TRUE(drained_);
}

}  // namespace
}  // namespace millrace
