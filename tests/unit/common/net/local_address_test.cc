#include "common/net/local_address.h"

#include "common/base/status.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

TEST(LocalAddressTest, TheWayToLoopbackIsLoopback) {
  EXPECT_EQ(*LocalAddressTowards("127.0.0.1", 7462), "127.0.0.1");
}

TEST(LocalAddressTest, UnknownNameIsAConnectionError) {
  const auto address = LocalAddressTowards("no-such-host.invalid", 1);
  EXPECT_EQ(GetErrorDetail(address.status()).state, SqlState::kConnectionFailure);
}

TEST(LocalAddressTest, OnlyTheTwoWildcardsMeanAnyHost) {
  EXPECT_TRUE(IsAnyHost("0.0.0.0"));
  EXPECT_TRUE(IsAnyHost("::"));
  EXPECT_FALSE(IsAnyHost("127.0.0.1"));
  EXPECT_FALSE(IsAnyHost("::1"));
}

TEST(LocalAddressTest, IPv6IsWrittenInBrackets) {
  EXPECT_EQ(JoinHostPort("192.0.2.1", 80), "192.0.2.1:80");
  EXPECT_EQ(JoinHostPort("2001:db8::1", 80), "[2001:db8::1]:80");
}

}  // namespace
}  // namespace millrace
