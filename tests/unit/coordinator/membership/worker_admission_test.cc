#include "coordinator/membership/worker_admission.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "coordinator/membership/worker_registry.h"
#include "coordinator/metadata/memory_metadata_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class ManualClock final : public Clock {
 public:
  int64_t MonotonicMicros() const override { return now_; }
  int64_t WallMicros() const override { return now_; }
  void Advance(int64_t micros) { now_ += micros; }

 private:
  int64_t now_ = 0;
};

class FakeLink final : public WorkerLink {
 public:
  void Send(v1::CoordinatorMessage message) override { sent.push_back(std::move(message)); }
  void Close(const absl::Status& reason) override { closed = reason; }
  std::vector<v1::CoordinatorMessage> sent;
  absl::Status closed;
};

v1::WorkerMessage Hello() {
  v1::WorkerMessage message;
  message.mutable_hello()->set_version("1");
  message.mutable_hello()->set_slots(1);
  message.mutable_hello()->set_data_address("127.0.0.1:1");
  return message;
}

v1::WorkerMessage Proof(const char* token) {
  v1::WorkerMessage message;
  v1::FolderProof* folder = message.mutable_storage_proof()->add_folders();
  folder->set_path("/data");
  folder->set_token(token);
  return message;
}

class WorkerAdmissionTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  MemoryMetadataStore store_;
  IdAllocator ids_{store_, "worker", 8};
  WorkerRegistry registry_{clock_, MembershipOptions{}, ids_, "c1", "1"};
  WorkerAdmission admission_{clock_, registry_, {{"data-dir", "/data", "token"}}, "1"};
  std::shared_ptr<FakeLink> link_ = std::make_shared<FakeLink>();
};

TEST_F(WorkerAdmissionTest, WorkerIsRegisteredOnceItHasShownTheToken) {
  const uint64_t connection = *admission_.Open(link_);
  EXPECT_EQ(*admission_.Receive(connection, Hello()), std::nullopt);
  ASSERT_THAT(link_->sent, SizeIs(1));
  EXPECT_EQ(link_->sent[0].storage_challenge().folders(0).setting(), "data-dir");
  EXPECT_THAT(registry_.Active(), IsEmpty());
  EXPECT_EQ(*admission_.Receive(connection, Proof("token")), WorkerId(1));
  EXPECT_THAT(registry_.Active(), SizeIs(1));
  EXPECT_TRUE(link_->sent[1].has_welcome());
}

TEST_F(WorkerAdmissionTest, RefusedConnectionIsForgotten) {
  const uint64_t connection = *admission_.Open(link_);
  ASSERT_TRUE(admission_.Receive(connection, Hello()).ok());
  EXPECT_FALSE(admission_.Receive(connection, Proof("wrong")).ok());
  EXPECT_FALSE(admission_.Receive(connection, Proof("token")).ok());
  EXPECT_THAT(registry_.All(), IsEmpty());
}

TEST_F(WorkerAdmissionTest, SilentConnectionIsClosedAtTheDeadline) {
  const uint64_t connection = *admission_.Open(link_);
  ASSERT_TRUE(admission_.Receive(connection, Hello()).ok());
  clock_.Advance(WorkerAdmission::kTimeoutMicros - 1);
  admission_.ExpireSilent();
  EXPECT_TRUE(link_->closed.ok());
  clock_.Advance(1);
  admission_.ExpireSilent();
  EXPECT_EQ(GetErrorDetail(link_->closed).state, SqlState::kConnectionFailure);
  EXPECT_FALSE(admission_.Receive(connection, Proof("token")).ok());
}

TEST_F(WorkerAdmissionTest, NumberOfWaitingConnectionsIsBounded) {
  std::vector<uint64_t> connections;
  for (size_t i = 0; i < WorkerAdmission::kConnectionsMax; ++i) {
    connections.push_back(*admission_.Open(link_));
  }
  EXPECT_EQ(GetErrorDetail(admission_.Open(link_).status()).state,
            SqlState::kInsufficientResources);
  admission_.Forget(connections.back());
  EXPECT_TRUE(admission_.Open(link_).ok());
}

TEST_F(WorkerAdmissionTest, CloseAllEndsThoseThatWait) {
  ASSERT_TRUE(admission_.Open(link_).ok());
  admission_.CloseAll(MakeError(SqlState::kCannotConnectNow, "bye"));
  EXPECT_EQ(GetErrorDetail(link_->closed).state, SqlState::kCannotConnectNow);
}

}  // namespace
}  // namespace millrace
