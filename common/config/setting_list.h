#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/logging/log.h"

namespace millrace {

// The settings of one program, each known to the command line (--data-dir D, --data-dir=D) and to
// the configuration file (data_dir = "D"). Values are written to where the setting points; wrong
// ones are F0000.
class SettingList {
 public:
  void AddText(std::string name, std::string* target, std::string help);
  // May be given several times; the file gives an array. Flags replace the file's list.
  void AddTextList(std::string name, std::vector<std::string>* target, std::string help);
  // --name, --name=false.
  void AddSwitch(std::string name, bool* target, std::string help);
  void AddCount(std::string name, uint32_t* target, std::string help);
  // In MiB; kept in bytes.
  void AddMegabytes(std::string name, uint64_t* target, std::string help);
  void AddDuration(std::string name, int64_t* target_micros, std::string help);
  void AddLogSettings(LogOptions* target);

  // Reads a TOML file. F0000 with file and line for syntax errors, unknown keys and wrong values,
  // with the file alone if there is nothing to read.
  absl::Status ApplyFile(const std::string& path);
  // Applies flags; --config is passed over, because its file must be applied before.
  absl::Status ApplyFlags(const std::vector<std::string>& args);
  // The value of a text flag that is not in the list of settings, such as --config; the last one
  // counts, empty if absent.
  static std::string FindFlag(const std::vector<std::string>& args, absl::string_view name);

  // One line for each setting.
  std::string Help() const;

 private:
  enum class Shape : uint8_t { kValue, kList, kSwitch };
  struct Setting {
    std::string name;
    Shape shape;
    std::string help;
    std::function<absl::Status(absl::string_view value)> apply;
    // Lists: forgets what was applied so far.
    std::function<void()> clear;
  };

  void Add(std::string name, Shape shape, std::string help,
           std::function<absl::Status(absl::string_view)> apply);
  const Setting* Find(absl::string_view name) const;
  absl::Status UnknownName(absl::string_view what, absl::string_view name, char separator) const;

  std::vector<Setting> settings_;
};

}  // namespace millrace
