#include "coordinator/sql/settings.h"

#include <cstdint>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/interval_limits.h"
#include "common/base/nearest_name.h"
#include "common/base/status.h"
#include "common/base/units.h"
#include "common/types/calendar.h"

namespace millrace {
namespace {

constexpr int64_t kMicrosPerMilli = 1'000;
constexpr int64_t kMicrosPerSecond = 1'000'000;

struct CountRange {
  const char* name;
  int64_t min;
  int64_t max;
};
constexpr CountRange kCounts[] = {
    // 0 = as many as the cluster has slots.
    {"parallelism", 0, 1024},
    {"query_memory_mb", 0, int64_t{1} << 24},
    {"batch_rows", 64, 1 << 20},
};

struct DurationRange {
  const char* name;
  int64_t min_micros;
  int64_t max_micros;
};
constexpr DurationRange kDurations[] = {
    {"epoch_interval", kEpochIntervalMicrosMin, kEpochIntervalMicrosMax},
    {"checkpoint_interval", kCheckpointIntervalMicrosMin, kCheckpointIntervalMicrosMax},
    // 0 = no limit.
    {"statement_timeout", 0, 365 * kMicrosPerDay},
};

absl::Status Invalid(absl::string_view name, absl::string_view value, absl::string_view hint) {
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("invalid value for parameter \"", name, "\": \"", value, "\""),
                   hint);
}

std::string DurationText(int64_t micros) {
  if (micros % kMicrosPerSecond == 0) return absl::StrCat(micros / kMicrosPerSecond, " s");
  if (micros % kMicrosPerMilli == 0) return absl::StrCat(micros / kMicrosPerMilli, " ms");
  return absl::StrCat(micros, " us");
}

absl::StatusOr<std::string> NormalizeCount(const CountRange& range, absl::string_view value) {
  int64_t count = 0;
  if (!absl::SimpleAtoi(value, &count) || count < range.min || count > range.max) {
    return Invalid(
        range.name, value,
        absl::StrCat("It takes a whole number from ", range.min, " to ", range.max, "."));
  }
  return absl::StrCat(count);
}

absl::StatusOr<std::string> NormalizeDuration(const DurationRange& range, absl::string_view value) {
  int64_t micros = 0;
  int64_t millis = 0;
  // A number alone means milliseconds, as in PostgreSQL.
  if (absl::SimpleAtoi(value, &millis) && millis >= 0 &&
      millis <= std::numeric_limits<int64_t>::max() / kMicrosPerMilli) {
    micros = millis * kMicrosPerMilli;
  } else {
    const absl::StatusOr<int64_t> parsed = ParseDurationMicros(value);
    if (!parsed.ok()) return Invalid(range.name, value, "Write a duration: '500 ms', '10 s'.");
    micros = *parsed;
  }
  if (micros < range.min_micros || micros > range.max_micros) {
    return Invalid(range.name, value,
                   absl::StrCat("It takes a duration from ", DurationText(range.min_micros), " to ",
                                DurationText(range.max_micros), "."));
  }
  return DurationText(micros);
}

}  // namespace

const std::vector<SettingSpec>& AllSettings() {
  static const auto* const kSettings = new std::vector<SettingSpec>{
      {"batch_rows", "8192", "Rows that operators put into one batch."},
      {"checkpoint_interval", "10 s", "Time between durable epochs of a job."},
      {"epoch_interval", "500 ms", "Time between epochs: how often views change."},
      {"parallelism", "0", "Tasks of each parallel part of a query; 0: the cluster's slots."},
      {"query_memory_mb", "0", "Memory of a query on one worker in MiB; 0: the worker's share."},
      {"statement_timeout", "0 s", "Statements that take longer are cancelled; 0: never."},
      {"timezone", "UTC", "Time zone of timestamptz; only UTC."},
  };
  return *kSettings;
}

absl::StatusOr<const SettingSpec*> FindSetting(absl::string_view name) {
  std::vector<std::string> names;
  for (const SettingSpec& setting : AllSettings()) {
    if (name == setting.name) return &setting;
    names.emplace_back(setting.name);
  }
  const std::string nearest = NearestName(name, names);
  return MakeError(SqlState::kUndefinedObject,
                   absl::StrCat("unrecognized configuration parameter \"", name, "\""),
                   nearest.empty() ? "" : absl::StrCat("Perhaps you meant \"", nearest, "\"."));
}

absl::StatusOr<std::string> NormalizeSetting(absl::string_view name, absl::string_view value) {
  MR_RETURN_IF_ERROR(FindSetting(name).status());
  for (const CountRange& range : kCounts) {
    if (name == range.name) return NormalizeCount(range, value);
  }
  for (const DurationRange& range : kDurations) {
    if (name == range.name) return NormalizeDuration(range, value);
  }
  for (const char* utc : {"utc", "gmt", "z", "zulu", "etc/utc", "+00", "+00:00"}) {
    if (absl::EqualsIgnoreCase(value, utc)) return std::string("UTC");
  }
  return MakeError(SqlState::kFeatureNotSupported,
                   absl::StrCat("time zone \"", value, "\" is not supported"),
                   "The time zone of a session is UTC; AT TIME ZONE converts values.");
}

}  // namespace millrace
