#include "common/base/host_port.h"

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

TEST(HostPortTest, SplitsAddresses) {
  EXPECT_EQ(SplitHostPort("[::1]:80")->host, "::1");
  EXPECT_EQ(SplitHostPort("worker_1.example.com:65535")->port, 65535);
  EXPECT_EQ(SplitHostPort("127.0.0.1:0")->host, "127.0.0.1");
}

TEST(HostPortTest, WhatIsNoAddressIsRefused) {
  for (const char* address :
       {"", "x", "127.0.0.1", ":80", "h:", "h:65536", "h:-1", "h:+1", "h: 1", "::1:80", "a b:1",
        "x:y:z", "x:y:1", "http://h:80", "h:80/path", "[h]:80", "[]:80", "user@h:80"}) {
    SCOPED_TRACE(address);
    EXPECT_ERROR(SplitHostPort(address), SqlState::kInvalidParameterValue, "invalid address");
  }
}

TEST(HostPortTest, TellsHosts) {
  for (const char* host : {"localhost", "127.0.0.1", "::1", "fe80::1%eth0", "w-1.example.com"}) {
    EXPECT_TRUE(IsHost(host)) << host;
  }
  for (const char* host : {"", "a b", "x:y", "http://h", "[::1]"}) {
    EXPECT_FALSE(IsHost(host)) << host;
  }
}

}  // namespace
}  // namespace millrace
