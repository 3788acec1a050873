#include "common/config/process_config.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

TEST(ProcessConfigTest, DefaultsAreOnLoopback) {
  const auto parsed = LoadCoordinatorConfig({"--data-dir", "/d"});
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->config.listen, "127.0.0.1:7461");
  EXPECT_EQ(parsed->config.checkpoint_dir, "/d/checkpoints");
  EXPECT_EQ(parsed->config.allowed_paths, (std::vector<std::string>{"."}));
  EXPECT_EQ(parsed->config.epoch_interval_micros, 500'000);
  const auto worker = LoadWorkerConfig({"--data-dir=/w"});
  ASSERT_OK(worker);
  EXPECT_GE(worker->config.slots, 1U);
  EXPECT_GT(worker->config.memory_bytes, 0U);
  EXPECT_FALSE(worker->config.name.empty());
}

TEST(ProcessConfigTest, FlagsWinOverTheFile) {
  const TempFolder folder;
  const std::string file = folder.Write("m.toml",
                                        "data_dir = \"/file\"\n"
                                        "listen = \"127.0.0.1:1\"\n"
                                        "allowed_path = [\"/a\", \"/b\"]\n"
                                        "epoch_interval = \"2 s\"\n"
                                        "query_memory_mb = 64\n"
                                        "insecure = true\n");
  const auto parsed = LoadCoordinatorConfig({"--config", file, "--listen=127.0.0.1:2"});
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->config.data_dir, "/file");
  EXPECT_EQ(parsed->config.listen, "127.0.0.1:2");
  EXPECT_EQ(parsed->config.allowed_paths, (std::vector<std::string>{"/a", "/b"}));
  EXPECT_EQ(parsed->config.epoch_interval_micros, 2'000'000);
  EXPECT_EQ(parsed->config.query_memory_bytes, uint64_t{64} << 20);
  EXPECT_TRUE(parsed->config.insecure);
  const auto replaced = LoadCoordinatorConfig(
      {"--allowed-path", "/x", "--config", file, "--allowed-path", "/y", "--insecure=false"});
  ASSERT_OK(replaced);
  EXPECT_EQ(replaced->config.allowed_paths, (std::vector<std::string>{"/x", "/y"}));
  EXPECT_FALSE(replaced->config.insecure);
}

TEST(ProcessConfigTest, UnknownNamesAreErrorsThatNameTheNearest) {
  const auto flag = LoadWorkerConfig({"--data-dir", "/d", "--slot", "2"});
  EXPECT_ERROR(flag, SqlState::kConfigFileError, "unknown flag \"slot\"");
  EXPECT_EQ(GetErrorDetail(flag.status()).hint, "did you mean \"slots\"?");
  const TempFolder folder;
  const std::string file = folder.Write("m.toml", "\ndata-dir = \"/d\"\n");
  const auto key = LoadWorkerConfig({"--config", file});
  EXPECT_ERROR(key, SqlState::kConfigFileError, "m.toml line 2: unknown setting \"data-dir\"");
  EXPECT_EQ(GetErrorDetail(key.status()).hint, "did you mean \"data_dir\"?");
}

TEST(ProcessConfigTest, WrongValuesAreErrors) {
  const TempFolder folder;
  EXPECT_ERROR(LoadWorkerConfig({"--data-dir", "/d", "--slots", "many"}),
               SqlState::kConfigFileError, "--slots: \"many\"");
  EXPECT_ERROR(LoadWorkerConfig({"--data-dir"}), SqlState::kConfigFileError, "needs a value");
  EXPECT_ERROR(LoadWorkerConfig({"/d"}), SqlState::kConfigFileError, "unexpected argument");
  EXPECT_ERROR(LoadWorkerConfig({}), SqlState::kConfigFileError, "data folder is not set");
  EXPECT_ERROR(LoadCoordinatorConfig({"--data-dir", "/d", "--epoch-interval", "5"}),
               SqlState::kConfigFileError, "--epoch-interval");
  EXPECT_ERROR(LoadCoordinatorConfig({"--config", folder.Write("a.toml", "listen = [")}),
               SqlState::kConfigFileError, "a.toml line 1");
  EXPECT_ERROR(LoadCoordinatorConfig({"--config", folder.Write("b.toml", "listen = [\"x\"]")}),
               SqlState::kConfigFileError, "wrong kind of value for \"listen\"");
}

TEST(ProcessConfigTest, IntervalsHaveTheBoundsOfSet) {
  const std::vector<std::pair<const char*, const char*>> wrong = {
      {"--epoch-interval=1 us", "from 10 ms to 60 s"},
      {"--epoch-interval=1 day", "from 10 ms to 60 s"},
      {"--checkpoint-interval=99 ms", "from 100 ms to 1 day"},
      {"--checkpoint-interval=25 hours", "from 100 ms to 1 day"},
      {"--heartbeat-interval=1 us", "at least 10 ms"},
      {"--heartbeat-interval=5 s", "twice heartbeat-interval"},
  };
  for (const auto& [flag, message] : wrong) {
    SCOPED_TRACE(flag);
    EXPECT_ERROR(LoadCoordinatorConfig({"--data-dir=/d", flag}), SqlState::kConfigFileError,
                 message);
  }
  EXPECT_OK(LoadCoordinatorConfig({"--data-dir=/d", "--epoch-interval=60 s",
                                   "--checkpoint-interval=1 day", "--heartbeat-interval=10 ms"}));
}

TEST(ProcessConfigTest, AnEmptyAllowedPathIsRefused) {
  EXPECT_ERROR(LoadCoordinatorConfig({"--data-dir=/d", "--allowed-path="}),
               SqlState::kConfigFileError, "allowed-path");
}

TEST(ProcessConfigTest, WhatAWorkerAdvertisesIsAnAddress) {
  for (const char* address : {"localhost", "w-1.example.com:7463", "::1", "[::1]:7463"}) {
    SCOPED_TRACE(address);
    EXPECT_OK(LoadWorkerConfig({"--data-dir=/d", "--advertise", address}));
  }
  for (const char* address : {"x:y:z", "h:0", "h:99999", ":7463", "a b", "http://h:1", "h:"}) {
    SCOPED_TRACE(address);
    EXPECT_ERROR(LoadWorkerConfig({"--data-dir=/d", "--advertise", address}),
                 SqlState::kConfigFileError, "invalid value for advertise");
  }
}

TEST(ProcessConfigTest, ElementsOfListsAreTexts) {
  const TempFolder folder;
  const std::string number = "data_dir = \"/d\"\nallowed_path = [\n  \"/a\",\n  1,\n]\n";
  EXPECT_ERROR(LoadCoordinatorConfig({"--config", folder.Write("a.toml", number)}),
               SqlState::kConfigFileError, "a.toml line 4: wrong kind of value for");
  const std::string alone = "data_dir = \"/d\"\nallowed_broker = true\n";
  EXPECT_ERROR(LoadWorkerConfig({"--config", folder.Write("b.toml", alone)}),
               SqlState::kConfigFileError, "b.toml line 2: wrong kind of value for");
}

TEST(ProcessConfigTest, WhatIsNoFileIsAnErrorWithoutALine) {
  const TempFolder folder;
  const std::string missing = folder.Path("missing.toml");
  EXPECT_ERROR(LoadCoordinatorConfig({"--config", missing}), SqlState::kConfigFileError,
               "cannot open " + missing + ": No such file or directory");
  EXPECT_ERROR(LoadWorkerConfig({"--config", folder.path()}), SqlState::kConfigFileError,
               folder.path() + " is a folder");
}

TEST(ProcessConfigTest, WiderAddressesNeedInsecure) {
  for (const char* address : {"0.0.0.0:7461", "[::]:7461", "example.com:1", "127.evil.example:1"}) {
    SCOPED_TRACE(address);
    EXPECT_ERROR(LoadCoordinatorConfig({"--data-dir", "/d", "--listen", address}),
                 SqlState::kConfigFileError, "is not a loopback address");
    EXPECT_OK(LoadCoordinatorConfig({"--data-dir", "/d", "--listen", address, "--insecure"}));
  }
  for (const char* address : {"localhost:0", "127.0.0.2:80", "[::1]:0"}) {
    SCOPED_TRACE(address);
    EXPECT_OK(LoadCoordinatorConfig({"--data-dir", "/d", "--control-listen", address}));
  }
}

TEST(ProcessConfigTest, ParsesAddresses) {
  EXPECT_EQ(ParseHostPort("[::1]:80")->host, "::1");
  EXPECT_EQ(ParseHostPort("h:65535")->port, 65535);
  for (const char* address : {"", "h", ":80", "h:", "h:65536", "h:-1", "::1:80"}) {
    SCOPED_TRACE(address);
    EXPECT_FALSE(ParseHostPort(address).ok());
  }
}

TEST(ProcessConfigTest, HelpNamesEverySetting) {
  const auto parsed = LoadWorkerConfig({"--help"});
  ASSERT_OK(parsed);
  EXPECT_EQ(parsed->request, CommandLineRequest::kHelp);
  EXPECT_NE(parsed->help.find("--memory-mb VALUE"), std::string::npos);
  EXPECT_EQ(LoadWorkerConfig({"--version"})->request, CommandLineRequest::kShowVersion);
}

}  // namespace
}  // namespace millrace
