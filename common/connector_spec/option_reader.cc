#include "common/connector_spec/option_reader.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/nearest_name.h"
#include "common/base/secret_names.h"
#include "common/base/status.h"
#include "common/base/units.h"

namespace millrace {

OptionReader::OptionReader(absl::string_view what, const OptionMap& options)
    : what_(what), options_(options) {}

const std::string* OptionReader::Find(const std::string& name) {
  known_.insert(name);
  const auto found = options_.find(name);
  return found == options_.end() ? nullptr : &found->second;
}

void OptionReader::Fail(absl::Status status) { first_error_.Update(std::move(status)); }

void OptionReader::FailMissing(absl::string_view name, absl::string_view hint) {
  if (first_error_.ok()) missing_ = std::string(name);
  Fail(MakeError(SqlState::kInvalidParameterValue,
                 absl::StrCat("connector \"", what_, "\" needs the option \"", name, "\""), hint));
}

void OptionReader::FailValue(const std::string& name, absl::string_view expected) {
  const absl::string_view value = IsSecretName(name) ? kSecretMask : options_.at(name);
  Fail(MakeError(SqlState::kInvalidParameterValue,
                 absl::StrCat("invalid value for option \"", name, "\": \"", value, "\""),
                 absl::StrCat("expected ", expected)));
}

std::string OptionReader::Text(const std::string& name, absl::string_view otherwise) {
  const std::string* value = Find(name);
  return value == nullptr ? std::string(otherwise) : *value;
}

bool OptionReader::Bool(const std::string& name, bool otherwise) {
  const std::string* value = Find(name);
  if (value == nullptr) return otherwise;
  const std::string word = absl::AsciiStrToLower(*value);
  // COPY … (HEADER) without a value means true.
  if (word.empty() || word == "true" || word == "on" || word == "yes" || word == "1") return true;
  if (word == "false" || word == "off" || word == "no" || word == "0") return false;
  FailValue(name, "true or false");
  return otherwise;
}

uint64_t OptionReader::Count(const std::string& name, uint64_t otherwise) {
  const std::string* value = Find(name);
  if (value == nullptr) return otherwise;
  uint64_t count = 0;
  if (absl::SimpleAtoi(absl::StrReplaceAll(*value, {{"_", ""}}), &count)) return count;
  FailValue(name, "a number without sign and fraction");
  return otherwise;
}

double OptionReader::Number(const std::string& name, double otherwise) {
  const std::string* value = Find(name);
  if (value == nullptr) return otherwise;
  double number = 0;
  // The comparisons are false for NaN.
  if (absl::SimpleAtod(*value, &number) && number >= 0 && number <= 1e15) return number;
  FailValue(name, "a number that is not negative");
  return otherwise;
}

int64_t OptionReader::DurationMicros(const std::string& name, int64_t otherwise) {
  const std::string* value = Find(name);
  if (value == nullptr) return otherwise;
  const absl::StatusOr<int64_t> micros = ParseDurationMicros(*value);
  if (micros.ok()) return *micros;
  FailValue(name, "a duration, for example '30 s'");
  return otherwise;
}

uint64_t OptionReader::Bytes(const std::string& name, uint64_t otherwise) {
  const std::string* value = Find(name);
  if (value == nullptr) return otherwise;
  const absl::StatusOr<uint64_t> bytes = ParseByteSize(*value);
  if (bytes.ok()) return *bytes;
  FailValue(name, "a size, for example '32 MiB'");
  return otherwise;
}

char OptionReader::Character(const std::string& name, char otherwise) {
  const std::string* value = Find(name);
  if (value == nullptr) return otherwise;
  if (*value == "\\t" || absl::EqualsIgnoreCase(*value, "tab")) return '\t';
  if (value->size() == 1 && static_cast<unsigned char>((*value)[0]) < 0x80 && (*value)[0] != 0) {
    return (*value)[0];
  }
  FailValue(name, "one ASCII character");
  return otherwise;
}

int OptionReader::Choice(const std::string& name, const std::vector<std::string>& words,
                         int otherwise) {
  const std::string* value = Find(name);
  if (value == nullptr) return otherwise;
  for (size_t i = 0; i < words.size(); ++i) {
    if (absl::EqualsIgnoreCase(*value, words[i])) return static_cast<int>(i);
  }
  FailValue(name, absl::StrCat("one of '", absl::StrJoin(words, "', '"), "'"));
  return otherwise;
}

std::vector<std::string> OptionReader::List(const std::string& name) {
  const std::string* value = Find(name);
  if (value == nullptr) return {};
  std::vector<std::string> elements;
  for (absl::string_view element : absl::StrSplit(*value, ',')) {
    elements.emplace_back(absl::StripAsciiWhitespace(element));
  }
  return elements;
}

void OptionReader::Unsupported(const std::string& name) {
  if (Find(name) == nullptr) return;
  Fail(NotSupported(absl::StrCat("option \"", name, "\" of connector \"", what_, "\"")));
}

absl::Status OptionReader::Finish() {
  for (const auto& [name, value] : options_) {
    if (known_.contains(name)) continue;
    absl::Status unknown =
        MakeError(SqlState::kInvalidParameterValue,
                  absl::StrCat("unknown option \"", name, "\" of connector \"", what_, "\""),
                  NearestNameHint(name, {known_.begin(), known_.end()}));
    if (!missing_.empty() && !NearestName(name, {missing_}).empty()) return unknown;
    Fail(std::move(unknown));
  }
  return first_error_;
}

}  // namespace millrace
