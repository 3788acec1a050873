#include "coordinator/membership/worker_registry.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/metadata/memory_metadata_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RegistryClock final : public Clock {
 public:
  int64_t MonotonicMicros() const override { return now_; }
  int64_t WallMicros() const override { return 1'000'000'000 + now_; }
  void AdvanceMillis(int64_t millis) { now_ += millis * 1000; }

 private:
  int64_t now_ = 0;
};

class RegistryLink final : public WorkerLink {
 public:
  void Send(v1::CoordinatorMessage message) override { sent.push_back(std::move(message)); }
  void Close(const absl::Status& reason) override { closed = reason; }
  std::vector<v1::CoordinatorMessage> sent;
  absl::Status closed;
};

class RecordingListener final : public WorkerListener {
 public:
  void OnWorkerJoined(WorkerId worker) override {
    events.push_back(absl::StrCat("joined ", worker.value()));
  }
  void OnWorkerMessage(WorkerId worker, const v1::WorkerMessage&) override {
    events.push_back(absl::StrCat("message ", worker.value()));
  }
  void OnWorkerLost(WorkerId worker, const absl::Status& reason) override {
    events.push_back(absl::StrCat("lost ", worker.value()));
    last_reason = reason;
  }
  std::vector<std::string> events;
  absl::Status last_reason;
};

class WorkerRegistryTest : public ::testing::Test {
 protected:
  WorkerRegistryTest() { registry_.SetListener(&listener_); }

  static v1::WorkerHello Hello(uint64_t incarnation) {
    v1::WorkerHello hello;
    hello.set_version("1");
    hello.set_slots(2);
    hello.set_name("w");
    hello.set_data_address("127.0.0.1:1");
    hello.set_incarnation(incarnation);
    return hello;
  }

  WorkerId Join(uint64_t incarnation, std::shared_ptr<RegistryLink> link) {
    const auto id = registry_.Join(Hello(incarnation), std::move(link));
    EXPECT_TRUE(id.ok()) << id.status();
    return *id;
  }

  RegistryClock clock_;
  MemoryMetadataStore store_;
  IdAllocator ids_{store_, "worker", 8};
  RecordingListener listener_;
  WorkerRegistry registry_{clock_, MembershipOptions{}, ids_, "c1", "1"};
};

TEST_F(WorkerRegistryTest, WelcomeCarriesIdAndTimes) {
  auto link = std::make_shared<RegistryLink>();
  const WorkerId id = Join(1, link);
  ASSERT_EQ(link->sent.size(), 1);
  EXPECT_EQ(link->sent[0].welcome().worker_id(), id.value());
  EXPECT_EQ(link->sent[0].welcome().heartbeat_timeout_ms(), 5000);
  EXPECT_EQ(link->sent[0].welcome().cluster_id(), "c1");
  EXPECT_THAT(listener_.events, ElementsAre("joined 1"));
}

TEST_F(WorkerRegistryTest, OtherVersionIsRefusedWithAHint) {
  v1::WorkerHello hello = Hello(1);
  hello.set_version("2");
  const auto refused = registry_.Join(hello, std::make_shared<RegistryLink>());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(GetErrorDetail(refused.status()).hint.empty());
  EXPECT_THAT(listener_.events, IsEmpty());
}

TEST_F(WorkerRegistryTest, WorkerWithoutSlotsOrAddressIsRefused) {
  v1::WorkerHello hello = Hello(1);
  hello.set_slots(0);
  EXPECT_FALSE(registry_.Join(hello, std::make_shared<RegistryLink>()).ok());
  hello = Hello(1);
  hello.clear_data_address();
  EXPECT_FALSE(registry_.Join(hello, std::make_shared<RegistryLink>()).ok());
}

TEST_F(WorkerRegistryTest, SilenceIsALossAfterTheTimeoutOnly) {
  auto link = std::make_shared<RegistryLink>();
  const WorkerId id = Join(1, link);
  clock_.AdvanceMillis(4000);
  registry_.Receive(id, v1::WorkerMessage());
  clock_.AdvanceMillis(5000);
  registry_.ExpireSilent();
  EXPECT_EQ(registry_.Active().size(), 1);
  clock_.AdvanceMillis(1);
  registry_.ExpireSilent();
  EXPECT_THAT(registry_.Active(), IsEmpty());
  EXPECT_THAT(listener_.events, ElementsAre("joined 1", "message 1", "lost 1"));
  EXPECT_EQ(GetErrorDetail(listener_.last_reason).retry, Retry::kSafe);
  EXPECT_FALSE(link->closed.ok());
}

TEST_F(WorkerRegistryTest, ClosedConnectionIsALossAtOnceAndReportedOnce) {
  const WorkerId id = Join(1, std::make_shared<RegistryLink>());
  registry_.Disconnect(id, absl::UnavailableError("eof"));
  registry_.Disconnect(id, absl::UnavailableError("eof"));
  EXPECT_THAT(listener_.events, ElementsAre("joined 1", "lost 1"));
  EXPECT_FALSE(registry_.Send(id, v1::CoordinatorMessage()));
}

TEST_F(WorkerRegistryTest, MessagesOfAFencedWorkerAreDroppedAndCounted) {
  const WorkerId id = Join(1, std::make_shared<RegistryLink>());
  clock_.AdvanceMillis(6000);
  registry_.ExpireSilent();
  registry_.Receive(id, v1::WorkerMessage());
  EXPECT_THAT(listener_.events, ElementsAre("joined 1", "lost 1"));
  EXPECT_EQ(registry_.stale_messages(), 1);
}

TEST_F(WorkerRegistryTest, ReconnectingProcessGetsANewIdAndLosesTheOld) {
  Join(7, std::make_shared<RegistryLink>());
  const WorkerId again = Join(7, std::make_shared<RegistryLink>());
  EXPECT_EQ(again, WorkerId(2));
  EXPECT_THAT(listener_.events, ElementsAre("joined 1", "lost 1", "joined 2"));
  ASSERT_EQ(registry_.Active().size(), 1);
  EXPECT_EQ(registry_.Active()[0].id, again);
  EXPECT_EQ(registry_.All().size(), 2);
}

TEST_F(WorkerRegistryTest, HeartbeatShowsInTheList) {
  const WorkerId id = Join(1, std::make_shared<RegistryLink>());
  v1::WorkerMessage message;
  message.mutable_heartbeat()->set_rss_bytes(77);
  message.mutable_heartbeat()->add_tasks()->set_state(v1::TASK_STATE_RUNNING);
  message.mutable_heartbeat()->add_tasks()->set_state(v1::TASK_STATE_FINISHED);
  message.mutable_heartbeat()->set_memory_used_bytes(5);
  message.mutable_heartbeat()->set_memory_bytes_max(50);
  message.mutable_heartbeat()->set_disk_free_bytes(500);
  v1::JobStateSize* size = message.mutable_heartbeat()->add_state_sizes();
  size->set_job_id(9);
  size->set_attempt(2);
  size->set_memory_bytes(30);
  size->set_disk_bytes(40);
  registry_.Receive(id, message);
  const WorkerEntry worker = registry_.Active()[0];
  EXPECT_EQ(worker.rss_bytes, 77);
  EXPECT_EQ(worker.running_tasks, 1);
  EXPECT_EQ(worker.memory_used_bytes, 5);
  EXPECT_EQ(worker.memory_bytes_max, 50);
  EXPECT_EQ(worker.disk_free_bytes, 500);
  ASSERT_EQ(worker.state_sizes.size(), 1);
  EXPECT_EQ(worker.state_sizes[0].job_id, 9);
  EXPECT_EQ(worker.state_sizes[0].attempt, 2);
  EXPECT_EQ(worker.state_sizes[0].memory_bytes, 30);
  EXPECT_EQ(worker.state_sizes[0].disk_bytes, 40);
}

TEST_F(WorkerRegistryTest, ALostWorkerSaysWhyAndKeepsNothing) {
  const WorkerId silent = Join(1, std::make_shared<RegistryLink>());
  v1::WorkerMessage message;
  message.mutable_heartbeat()->add_state_sizes()->set_disk_bytes(40);
  registry_.Receive(silent, message);
  clock_.AdvanceMillis(5001);
  registry_.ExpireSilent();
  const WorkerId gone = Join(2, std::make_shared<RegistryLink>());
  registry_.Disconnect(gone, absl::UnavailableError("Socket closed"));
  const std::vector<WorkerEntry> all = registry_.All();
  ASSERT_EQ(all.size(), 2);
  EXPECT_EQ(all[0].lost_reason, "silent for more than 5000 ms");
  EXPECT_TRUE(all[0].state_sizes.empty());
  EXPECT_EQ(all[1].lost_reason, "connection lost: Socket closed");
}

TEST(MembershipStateTest, ACoordinatorThatStoodStillGivesEverybodyTimeToSpeak) {
  constexpr int64_t kTimeout = 5'000'000;
  MembershipState state;
  v1::WorkerHello hello;
  hello.set_incarnation(1);
  state.Join(WorkerId(1), hello, Moment{.monotonic_micros = 1'000'000});
  EXPECT_TRUE(state.Expire(Moment{.monotonic_micros = 1'200'000}, kTimeout).empty());
  // A minute in which nobody looked.
  EXPECT_TRUE(state.Expire(Moment{.monotonic_micros = 61'000'000}, kTimeout).empty());
  EXPECT_TRUE(state.IsActive(WorkerId(1)));
  for (int64_t now = 61'200'000; now <= 66'000'000; now += 200'000) {
    EXPECT_TRUE(state.Expire(Moment{.monotonic_micros = now}, kTimeout).empty());
  }
  EXPECT_EQ(state.Expire(Moment{.monotonic_micros = 66'200'000}, kTimeout).size(), 1);
}

TEST(MembershipStateTest, LostWorkersAreForgottenInTheEnd) {
  MembershipState state;
  v1::WorkerHello hello;
  for (uint32_t i = 1; i <= MembershipState::kLostKept + 10; ++i) {
    hello.set_incarnation(i);
    state.Join(WorkerId(i), hello, Moment{});
    EXPECT_TRUE(state.Lose(WorkerId(i), "gone"));
    EXPECT_FALSE(state.Lose(WorkerId(i), "gone again"));
  }
  EXPECT_EQ(state.All().size(), MembershipState::kLostKept);
}

TEST_F(WorkerRegistryTest, LeavingWorkerGetsNoNewTasksButIsStillConnected) {
  const WorkerId id = Join(1, std::make_shared<RegistryLink>());
  v1::WorkerMessage leaving;
  leaving.mutable_leaving()->set_patience_ms(1000);
  registry_.Receive(id, leaving);
  EXPECT_THAT(registry_.Active(), IsEmpty());
  ASSERT_EQ(registry_.All().size(), 1);
  EXPECT_EQ(registry_.All()[0].phase, WorkerPhase::kDraining);
  EXPECT_TRUE(registry_.Send(id, v1::CoordinatorMessage()));
}

TEST_F(WorkerRegistryTest, SilentLeavingWorkerIsLostToo) {
  const WorkerId id = Join(1, std::make_shared<RegistryLink>());
  registry_.BeginDraining(id);
  clock_.AdvanceMillis(6000);
  registry_.ExpireSilent();
  EXPECT_EQ(registry_.All()[0].phase, WorkerPhase::kLost);
}

TEST_F(WorkerRegistryTest, WorkerIsFoundByIdAndByAnUnambiguousName) {
  const WorkerId first = Join(1, std::make_shared<RegistryLink>());
  EXPECT_EQ(*registry_.Find("1"), first);
  EXPECT_EQ(*registry_.Find("w"), first);
  const WorkerId second = Join(2, std::make_shared<RegistryLink>());
  const absl::Status ambiguous = registry_.Find("w").status();
  EXPECT_EQ(GetErrorDetail(ambiguous).state, SqlState::kObjectNotInPrerequisiteState);
  EXPECT_EQ(GetErrorDetail(ambiguous).hint, "name one by its id: 1, 2");
  registry_.Disconnect(first, absl::UnavailableError("eof"));
  EXPECT_EQ(*registry_.Find("w"), second);
  EXPECT_EQ(GetErrorDetail(registry_.Find("1").status()).state,
            SqlState::kObjectNotInPrerequisiteState);
  EXPECT_EQ(GetErrorDetail(registry_.Find("x").status()).state, SqlState::kUndefinedObject);
}

}  // namespace
}  // namespace millrace
