#include "common/config/setting_list.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/nearest_name.h"
#include "common/base/status.h"
#include "common/base/units.h"
#include "toml++/toml.h"

namespace millrace {
namespace {

constexpr char kConfigFlag[] = "config";

absl::Status SettingError(absl::string_view message, absl::string_view hint = "") {
  return MakeError(SqlState::kConfigFileError, message, hint);
}

// An error of a value as an error of its setting.
absl::Status WrongValue(absl::string_view shown_name, absl::string_view value,
                        const absl::Status& reason) {
  return SettingError(absl::StrCat("invalid value for ", shown_name, ": \"", value, "\""),
                      GetErrorDetail(reason).hint.empty() ? std::string(reason.message())
                                                          : GetErrorDetail(reason).hint);
}

// A TOML value as the text that a flag would have.
bool ScalarText(const toml::node& node, std::string* text) {
  if (const auto value = node.value_exact<std::string>()) {
    *text = *value;
  } else if (const auto integer = node.value_exact<int64_t>()) {
    *text = absl::StrCat(*integer);
  } else if (const auto truth = node.value_exact<bool>()) {
    *text = *truth ? "true" : "false";
  } else {
    return false;
  }
  return true;
}

std::string Place(const std::string& path, const toml::source_region& region) {
  return absl::StrCat(path, " line ", region.begin.line);
}

absl::StatusOr<toml::table> ReadToml(const std::string& path) {
  // A folder can be opened as a stream, and is then empty.
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return SettingError(absl::StrCat(path, " is a folder"), "--config names a TOML file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return SettingError(absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
  try {
    return toml::parse(file, path);
  } catch (const toml::parse_error& e) {
    return SettingError(
        absl::StrCat(Place(path, e.source()), ": ",
                     absl::string_view(e.description().data(), e.description().size())));
  }
}

}  // namespace

void SettingList::Add(std::string name, Shape shape, std::string help,
                      std::function<absl::Status(absl::string_view)> apply) {
  settings_.push_back(Setting{std::move(name), shape, std::move(help), std::move(apply), [] {}});
}

void SettingList::AddText(std::string name, std::string* target, std::string help) {
  Add(std::move(name), Shape::kValue, std::move(help), [target](absl::string_view value) {
    *target = std::string(value);
    return absl::OkStatus();
  });
}

void SettingList::AddTextList(std::string name, std::vector<std::string>* target,
                              std::string help) {
  Add(std::move(name), Shape::kList, std::move(help), [target](absl::string_view value) {
    target->emplace_back(value);
    return absl::OkStatus();
  });
  settings_.back().clear = [target] { target->clear(); };
}

void SettingList::AddSwitch(std::string name, bool* target, std::string help) {
  Add(std::move(name), Shape::kSwitch, std::move(help), [target](absl::string_view value) {
    if (!absl::SimpleAtob(value, target)) return SettingError("expected true or false");
    return absl::OkStatus();
  });
}

void SettingList::AddCount(std::string name, uint32_t* target, std::string help) {
  Add(std::move(name), Shape::kValue, std::move(help), [target](absl::string_view value) {
    if (!absl::SimpleAtoi(value, target)) return SettingError("expected a whole number");
    return absl::OkStatus();
  });
}

void SettingList::AddMegabytes(std::string name, uint64_t* target, std::string help) {
  Add(std::move(name), Shape::kValue, std::move(help), [target](absl::string_view value) {
    uint32_t megabytes = 0;
    if (!absl::SimpleAtoi(value, &megabytes)) return SettingError("expected a number of MiB");
    *target = uint64_t{megabytes} << 20;
    return absl::OkStatus();
  });
}

void SettingList::AddDuration(std::string name, int64_t* target_micros, std::string help) {
  Add(std::move(name), Shape::kValue, std::move(help), [target_micros](absl::string_view value) {
    MR_ASSIGN_OR_RETURN(*target_micros, ParseDurationMicros(value));
    if (*target_micros == 0) return SettingError("must not be 0");
    return absl::OkStatus();
  });
}

void SettingList::AddLogSettings(LogOptions* target) {
  Add("log-level", Shape::kValue, "debug, info, warning, error or off (info)",
      [target](absl::string_view value) {
        MR_ASSIGN_OR_RETURN(target->level, ParseLogLevel(value));
        return absl::OkStatus();
      });
  Add("log-format", Shape::kValue, "text or json (text)", [target](absl::string_view value) {
    MR_ASSIGN_OR_RETURN(target->format, ParseLogFormat(value));
    return absl::OkStatus();
  });
}

const SettingList::Setting* SettingList::Find(absl::string_view name) const {
  for (const Setting& setting : settings_) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

absl::Status SettingList::UnknownName(absl::string_view what, absl::string_view name,
                                      char separator) const {
  std::vector<std::string> names;
  for (const Setting& setting : settings_) {
    names.push_back(absl::StrReplaceAll(setting.name, {{"-", std::string(1, separator)}}));
  }
  return SettingError(absl::StrCat("unknown ", what, " \"", name, "\""),
                      NearestNameHint(name, names));
}

absl::Status SettingList::ApplyFile(const std::string& path) {
  MR_ASSIGN_OR_RETURN(const toml::table table, ReadToml(path));
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const Setting* setting = Find(absl::StrReplaceAll(name, {{"_", "-"}}));
    if (setting == nullptr || absl::StrContains(name, '-')) {
      return WithContext(UnknownName("setting", name, '_'), Place(path, node.source()));
    }
    const bool is_list = setting->shape == Shape::kList;
    std::vector<std::string> values;
    const toml::node* wrong = nullptr;
    const auto add = [&](const toml::node& value) {
      const bool fits = !is_list || value.is_string();
      if (wrong != nullptr || (fits && ScalarText(value, &values.emplace_back()))) return;
      wrong = &value;
    };
    if (const toml::array* array = is_list ? node.as_array() : nullptr) {
      for (const toml::node& element : *array) add(element);
    } else {
      add(node);
    }
    if (wrong != nullptr) {
      return SettingError(
          absl::StrCat(Place(path, wrong->source()), ": wrong kind of value for \"", name, "\""),
          is_list ? "write texts in quotes: [\"…\", \"…\"]" : "");
    }
    for (const std::string& value : values) {
      const absl::Status applied = setting->apply(value);
      if (applied.ok()) continue;
      return WithContext(WrongValue(absl::StrCat("\"", name, "\""), value, applied),
                         Place(path, node.source()));
    }
  }
  return absl::OkStatus();
}

absl::Status SettingList::ApplyFlags(const std::vector<std::string>& args) {
  std::set<std::string> begun_lists;
  for (size_t i = 0; i < args.size(); ++i) {
    absl::string_view flag = args[i];
    if (!absl::ConsumePrefix(&flag, "--")) {
      return SettingError(absl::StrCat("unexpected argument \"", args[i], "\""),
                          "flags begin with --; see --help");
    }
    const size_t equals = flag.find('=');
    const std::string name(flag.substr(0, equals));
    const Setting* setting = Find(name);
    if (setting == nullptr && name != kConfigFlag) return UnknownName("flag", name, '-');
    std::string value;
    if (equals != absl::string_view::npos) {
      value = std::string(flag.substr(equals + 1));
    } else if (setting != nullptr && setting->shape == Shape::kSwitch) {
      value = "true";
    } else if (++i < args.size()) {
      value = args[i];
    } else {
      return SettingError(absl::StrCat("--", name, " needs a value"));
    }
    if (setting == nullptr) continue;  // --config was read before.
    if (begun_lists.insert(name).second) setting->clear();
    const absl::Status applied = setting->apply(value);
    if (!applied.ok()) return WrongValue(absl::StrCat("--", name), value, applied);
  }
  return absl::OkStatus();
}

std::string SettingList::FindFlag(const std::vector<std::string>& args, absl::string_view name) {
  const std::string flag = absl::StrCat("--", name);
  std::string value;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == flag && i + 1 < args.size()) value = args[++i];
    if (absl::StartsWith(args[i], flag + "=")) value = args[i].substr(flag.size() + 1);
  }
  return value;
}

std::string SettingList::Help() const {
  std::string help;
  for (const Setting& setting : settings_) {
    const char* placeholder = setting.shape == Shape::kSwitch ? "" : " VALUE";
    absl::StrAppendFormat(&help, "  --%-28s %s\n", setting.name + placeholder, setting.help);
  }
  absl::StrAppendFormat(&help, "  --%-28s %s\n", "config FILE", "TOML file with these settings");
  absl::StrAppendFormat(&help, "  --%-28s %s\n", "version", "print the version and exit");
  absl::StrAppendFormat(&help, "  --%-28s %s\n", "help", "print this text and exit");
  return help;
}

}  // namespace millrace
