#include "common/net/address_policy.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

TEST(AddressPolicyTest, AllowsLoopbackOnlyUnlessToldOtherwise) {
  const AddressPolicy policy;
  for (const char* address : {"localhost:9092", "127.0.0.1:1", "127.9.9.9:1", "[::1]:9092"}) {
    EXPECT_OK(policy.Check(address));
  }
  for (const char* address : {"192.0.2.1:9092", "kafka:9092", "127.evil.example:9092"}) {
    EXPECT_ERROR(policy.Check(address), SqlState::kInsufficientPrivilege, "is not allowed");
  }
}

TEST(AddressPolicyTest, AllowsTheListedHostsAndPorts) {
  const auto policy = AddressPolicy::Create({"kafka", "192.0.2.1:9092"});
  ASSERT_OK(policy);
  EXPECT_OK(policy->Check("kafka:1"));
  EXPECT_OK(policy->Check("KAFKA:2"));
  EXPECT_OK(policy->Check("192.0.2.1:9092"));
  EXPECT_ERROR(policy->Check("192.0.2.1:9093"), SqlState::kInsufficientPrivilege, "192.0.2.1:9093");
  EXPECT_ERROR(policy->Check("localhost:9092"), SqlState::kInsufficientPrivilege, "localhost");
  EXPECT_OK(AddressPolicy::Create({"*"})->Check("anything.example:1"));
  EXPECT_OK(AddressPolicy::Create({"loopback", "kafka"})->Check("127.0.0.1:1"));
}

TEST(AddressPolicyTest, RefusesEntriesThatMeanNothing) {
  for (const char* entry : {"", "a b", "kafka:port", "*.example", "http://kafka"}) {
    SCOPED_TRACE(entry);
    EXPECT_ERROR(AddressPolicy::Create({entry}), SqlState::kConfigFileError, "allowed-broker");
  }
}

}  // namespace
}  // namespace millrace
