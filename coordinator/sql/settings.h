#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace millrace {

// One setting of a session: SET name = value.
struct SettingSpec {
  const char* name;
  const char* default_value;
  const char* description;
};

// All settings, by name.
const std::vector<SettingSpec>& AllSettings();

// 42704 with the nearest name for one that does not exist. Names are lower case.
absl::StatusOr<const SettingSpec*> FindSetting(absl::string_view name);

// Checks a value and gives the form that it is kept and shown in: numbers in digits, durations as
// "500 ms", the time zone by its name. 22023 for a value that the setting does not take.
absl::StatusOr<std::string> NormalizeSetting(absl::string_view name, absl::string_view value);

}  // namespace millrace
