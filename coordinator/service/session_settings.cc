#include "coordinator/service/session_settings.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/base/units.h"
#include "coordinator/sql/settings.h"

namespace millrace {
namespace {

constexpr uint64_t kParallelismMax = 1024;
constexpr uint64_t kMemoryMbMax = uint64_t{1} << 30;

absl::StatusOr<uint64_t> ReadCount(const std::string& name, const std::string& text, uint64_t max) {
  uint64_t value = 0;
  if (absl::SimpleAtoi(text, &value) && value <= max) return value;
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("invalid value for setting \"", name, "\": \"", text, "\""),
                   absl::StrCat("expected a number up to ", max, ", 0 = the server decides"));
}

// PostgreSQL takes a plain number for statement_timeout: milliseconds.
absl::StatusOr<int64_t> ReadDuration(const std::string& name, const std::string& text) {
  int64_t millis = 0;
  if (absl::SimpleAtoi(text, &millis) && millis >= 0 && millis < INT64_MAX / 1000) {
    return millis * 1000;
  }
  absl::StatusOr<int64_t> micros = ParseDurationMicros(text);
  if (micros.ok()) return *micros;
  return WithContext(micros.status(), absl::StrCat("invalid value for setting \"", name, "\""));
}

}  // namespace

absl::StatusOr<SessionSettings> ParseSessionSettings(
    const std::map<std::string, std::string>& settings) {
  SessionSettings parsed;
  for (const auto& [name, value_text] : settings) {
    MR_ASSIGN_OR_RETURN(const std::string text, NormalizeSetting(name, value_text));
    if (name == "parallelism") {
      MR_ASSIGN_OR_RETURN(const uint64_t value, ReadCount(name, text, kParallelismMax));
      parsed.parallelism = static_cast<uint32_t>(value);
    } else if (name == "query_memory_mb") {
      MR_ASSIGN_OR_RETURN(const uint64_t value, ReadCount(name, text, kMemoryMbMax));
      parsed.query_memory_bytes = value << 20;
    } else if (name == "epoch_interval") {
      MR_ASSIGN_OR_RETURN(parsed.epoch_interval_micros, ReadDuration(name, text));
    } else if (name == "checkpoint_interval") {
      MR_ASSIGN_OR_RETURN(parsed.checkpoint_interval_micros, ReadDuration(name, text));
    } else if (name == "statement_timeout") {
      MR_ASSIGN_OR_RETURN(parsed.statement_timeout_micros, ReadDuration(name, text));
    }
  }
  return parsed;
}

}  // namespace millrace
