#include "coordinator/membership/worker_handshake.h"

#include <string>
#include <vector>

#include "common/base/status.h"
#include "gtest/gtest.h"
#include "millrace/v1/control.pb.h"

namespace millrace {
namespace {

using Step = WorkerHandshake::Step;

v1::WorkerMessage Hello(const std::string& version = "1") {
  v1::WorkerMessage message;
  message.mutable_hello()->set_version(version);
  message.mutable_hello()->set_slots(1);
  message.mutable_hello()->set_data_address("127.0.0.1:1");
  return message;
}

v1::WorkerMessage Proof(const std::string& token) {
  v1::WorkerMessage message;
  v1::FolderProof* folder = message.mutable_storage_proof()->add_folders();
  folder->set_path("/data");
  folder->set_token(token);
  return message;
}

class WorkerHandshakeTest : public ::testing::Test {
 protected:
  const std::vector<SharedStorage> folders_ = {{"data-dir", "/data", "token"}};
  WorkerHandshake handshake_{folders_, "1"};
};

TEST_F(WorkerHandshakeTest, HelloIsChallengedAndTheProofJoins) {
  EXPECT_EQ(*handshake_.OnMessage(Hello()), Step::kChallenge);
  EXPECT_EQ(*handshake_.OnMessage(Proof("token")), Step::kJoin);
  EXPECT_EQ(handshake_.hello().data_address(), "127.0.0.1:1");
}

TEST_F(WorkerHandshakeTest, WrongTokenIsRefused) {
  ASSERT_TRUE(handshake_.OnMessage(Hello()).ok());
  EXPECT_EQ(handshake_.OnMessage(Proof("other")).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(WorkerHandshakeTest, OtherVersionIsRefusedBeforeTheChallenge) {
  EXPECT_EQ(handshake_.OnMessage(Hello("2")).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(WorkerHandshakeTest, MessagesOutOfOrderBreakTheProtocol) {
  EXPECT_EQ(GetErrorDetail(handshake_.OnMessage(Proof("token")).status()).state,
            SqlState::kProtocolViolation);
  ASSERT_TRUE(handshake_.OnMessage(Hello()).ok());
  EXPECT_EQ(GetErrorDetail(handshake_.OnMessage(Hello()).status()).state,
            SqlState::kProtocolViolation);
}

TEST(WorkerHandshakeWithoutFoldersTest, HelloIsEnough) {
  const std::vector<SharedStorage> none;
  WorkerHandshake handshake(none, "1");
  EXPECT_EQ(*handshake.OnMessage(Hello()), Step::kJoin);
}

}  // namespace
}  // namespace millrace
