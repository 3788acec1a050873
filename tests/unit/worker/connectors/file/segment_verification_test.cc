#include "worker/connectors/file/segment_verification.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/base/status.h"
#include "common/storage/checksum.h"
#include "common/storage/local_file_system.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

class SegmentVerificationTest : public ::testing::Test {
 protected:
  void Write(const std::string& bytes) {
    std::ofstream file(split_.path(), std::ios::binary | std::ios::trunc);
    file << bytes;
    ASSERT_TRUE(file.flush().good());
  }
  // Names the file, and its bytes as its commit has recorded them.
  void MakeSplit(const std::string& name, const std::string& bytes) {
    split_.set_path(folder_.Path(name));
    split_.set_immutable(true);
    split_.set_size_bytes(bytes.size());
    split_.set_checksum_xxh3(Xxh3(bytes));
  }
  absl::Status Verify() {
    auto verification = SegmentVerification::Begin(file_system_, split_);
    if (!verification.ok()) return verification.status();
    while (*verification != nullptr) {
      const absl::StatusOr<bool> whole = (*verification)->Step();
      if (!whole.ok() || *whole) return whole.status();
    }
    return absl::OkStatus();
  }
  SqlState Error() { return GetErrorDetail(Verify()).state; }

  TempFolder folder_;
  LocalFileSystem file_system_;
  v1::FileSplit split_;
  const std::string bytes_ = "the bytes of a segment";
};

TEST_F(SegmentVerificationTest, EveryFlippedBitIsNoticed) {
  MakeSplit("flipped", bytes_);
  for (size_t i = 0; i < bytes_.size() * 8; ++i) {
    std::string damaged = bytes_;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << (i % 8)));
    Write(damaged);
    EXPECT_EQ(Error(), SqlState::kDataCorrupted) << "bit " << i;
  }
  Write(bytes_);
  EXPECT_OK(Verify());
}

TEST_F(SegmentVerificationTest, AnotherLengthIsNoticedAlsoOfASegmentThatWasWhole) {
  MakeSplit("cut", bytes_);
  Write(bytes_);
  EXPECT_OK(Verify());
  Write(bytes_.substr(1));
  EXPECT_EQ(Error(), SqlState::kDataCorrupted);
}

TEST_F(SegmentVerificationTest, ALongSegmentIsReadInSteps) {
  const std::string bytes(40 << 20, 'x');
  MakeSplit("long", bytes);
  Write(bytes);
  const auto verification = SegmentVerification::Begin(file_system_, split_);
  ASSERT_OK(verification);
  ASSERT_NE(*verification, nullptr);
  EXPECT_EQ((*verification)->Step().value(), false);
  EXPECT_EQ((*verification)->Step().value(), false);
  EXPECT_EQ((*verification)->Step().value(), true);
}

TEST_F(SegmentVerificationTest, ASegmentThatWasFoundWholeIsNotReadAgainUnlessItIsWrittenTo) {
  MakeSplit("once", bytes_);
  Write(bytes_);
  EXPECT_OK(Verify());
  const auto written = std::filesystem::last_write_time(split_.path());
  Write(std::string(bytes_.size(), 'x'));
  std::filesystem::last_write_time(split_.path(), written + std::chrono::hours(1));
  EXPECT_EQ(Error(), SqlState::kDataCorrupted);
  std::filesystem::last_write_time(split_.path(), written);
  EXPECT_OK(Verify());
}

}  // namespace
}  // namespace millrace
