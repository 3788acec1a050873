#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// The process's log, on stderr: one line for each event, as text for people or as JSON for
// machines. Thread-safe. An error is logged where it is handled, once. Statements' literals, rows
// of users and credentials do not belong into a log; fields named like a credential (password,
// secret, token, …) and user:password@ in URLs are masked.

namespace millrace {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError, kOff };
enum class LogFormat : uint8_t { kText, kJson };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  // Stands in every line: "coordinator", "worker w1".
  std::string process;
};

// One named value of a line.
struct LogField {
  LogField(absl::string_view field_key, absl::string_view field_value)
      : key(field_key), value(field_value), is_number(false) {}
  template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
  LogField(absl::string_view field_key, T number)
      : key(field_key), value(absl::StrCat(number)), is_number(true) {}

  absl::string_view key;
  std::string value;
  bool is_number;
};

// Sets level and format for the process; call it once in main, before other threads log. Until
// then: text, info.
void ConfigureLogging(const LogOptions& options);

// True if lines of `level` are written; ask before building expensive fields.
bool LogEnabled(LogLevel level);

// Log(LogLevel::kInfo, "scheduler", "task placed", {{"job", 7}, {"worker", "w1"}});
void Log(LogLevel level, absl::string_view component, absl::string_view message,
         std::initializer_list<LogField> fields = {});

// The same with the fields of an error: its message, SQLSTATE and hint.
void LogError(absl::string_view component, absl::string_view message, const absl::Status& status);

// "debug", "info", "warning", "error", "off"; 22023 for others.
absl::StatusOr<LogLevel> ParseLogLevel(absl::string_view name);
// "text", "json".
absl::StatusOr<LogFormat> ParseLogFormat(absl::string_view name);

// One line before it is formatted.
struct LogEvent {
  int64_t wall_micros = 0;
  LogLevel level = LogLevel::kInfo;
  absl::string_view component;
  absl::string_view message;
};

// What Log writes for an event, without the newline. Pure, for tests.
std::string FormatLogLine(const LogOptions& options, const LogEvent& event,
                          std::initializer_list<LogField> fields);

}  // namespace millrace
