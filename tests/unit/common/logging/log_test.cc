#include "common/logging/log.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/base/status.h"
#include "simdjson.h"

namespace millrace {
namespace {

constexpr int64_t kTime = 1'700'000'000'123'456;

std::string Line(LogFormat format, absl::string_view message,
                 std::initializer_list<LogField> fields) {
  LogOptions options;
  options.format = format;
  options.process = "worker w1";
  return FormatLogLine(options, LogEvent{kTime, LogLevel::kWarning, "exchange", message}, fields);
}

TEST(LogTest, WritesTextForPeople) {
  EXPECT_EQ(Line(LogFormat::kText, "channel closed", {{"job", 7}, {"cause", "peer is gone"}}),
            "2023-11-14T22:13:20.123456Z warning worker w1 exchange: channel closed job=7 "
            "cause=\"peer is gone\"");
}

TEST(LogTest, WritesJsonForMachines) {
  const std::string line =
      Line(LogFormat::kJson, "a \"quoted\"\nline",
           {{"rows", 7}, {"text", "x\ty"}, {"nan", std::numeric_limits<double>::quiet_NaN()}});
  simdjson::dom::parser parser;
  simdjson::dom::element parsed;
  ASSERT_EQ(parser.parse(line).get(parsed), simdjson::SUCCESS) << line;
  EXPECT_EQ(std::string_view(parsed["message"]), "a \"quoted\"\nline");
  EXPECT_EQ(std::string_view(parsed["level"]), "warning");
  EXPECT_EQ(int64_t(parsed["rows"]), 7);
  EXPECT_EQ(std::string_view(parsed["text"]), "x\ty");
  EXPECT_EQ(std::string_view(parsed["nan"]), "nan");
}

TEST(LogTest, AValueCannotForgeALine) {
  const std::string line =
      Line(LogFormat::kText, "one\ntwo", {{"path", "a b\n2023 error"}, {"empty", ""}});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_NE(line.find("path=\"a b\\n2023 error\" empty=\"\""), std::string::npos) << line;
}

TEST(LogTest, MasksCredentials) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    const std::string line = Line(format,
                                  "connecting to postgres://me"
                                  ":hunter2@db/x",
                                  {{"db_password", "hunter2"},
                                   {"url",
                                    "http://u"
                                    ":hunter2@h/p?q=1 http://a/b"}});
    EXPECT_EQ(line.find("hunter2"), std::string::npos) << line;
    EXPECT_NE(line.find("http://***@h/p?q=1 http://a/b"), std::string::npos) << line;
  }
}

TEST(LogTest, ParsesLevelsAndFormats) {
  EXPECT_EQ(*ParseLogLevel("Warning"), LogLevel::kWarning);
  EXPECT_EQ(*ParseLogFormat("json"), LogFormat::kJson);
  EXPECT_EQ(GetErrorDetail(ParseLogLevel("warn1ng").status()).hint, "did you mean \"warning\"?");
  EXPECT_FALSE(ParseLogFormat("xml").ok());
}

TEST(LogTest, LevelDecidesWhatIsWritten) {
  LogOptions options;
  options.level = LogLevel::kError;
  ConfigureLogging(options);
  testing::internal::CaptureStderr();
  Log(LogLevel::kInfo, "test", "not shown");
  LogError("test", "shown", MakeError(SqlState::kDiskFull, "no space", "make some"));
  const std::string written = testing::internal::GetCapturedStderr();
  ConfigureLogging(LogOptions());
  EXPECT_EQ(written.find("not shown"), std::string::npos);
  EXPECT_NE(written.find("shown error=\"no space\" sqlstate=53100 hint=\"make some\""),
            std::string::npos)
      << written;
  EXPECT_FALSE(LogEnabled(LogLevel::kOff));
}

}  // namespace
}  // namespace millrace
