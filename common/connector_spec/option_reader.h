#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/connector_spec/connector_options.h"

namespace millrace {

// Takes options out of a map one by one, with their types, and then names what is left over. The
// first error is kept: read all options, then ask Finish().
class OptionReader {
 public:
  // `what` stands in messages: "file". `options` must outlive the reader.
  OptionReader(absl::string_view what, const OptionMap& options);

  // Values of an option, or `otherwise` if it is absent or wrong (22023, kept for Finish).
  std::string Text(const std::string& name, absl::string_view otherwise);
  bool Bool(const std::string& name, bool otherwise);
  uint64_t Count(const std::string& name, uint64_t otherwise);
  double Number(const std::string& name, double otherwise);
  int64_t DurationMicros(const std::string& name, int64_t otherwise);
  uint64_t Bytes(const std::string& name, uint64_t otherwise);
  // One character; "\t" and "tab" mean the tabulator.
  char Character(const std::string& name, char otherwise);
  // Index in `words` of the value (upper and lower case are equal).
  int Choice(const std::string& name, const std::vector<std::string>& words, int otherwise);
  // Elements between commas, spaces around them removed; empty if absent.
  std::vector<std::string> List(const std::string& name);

  bool Has(const std::string& name) const { return options_.contains(name); }
  // A name of the language that this version cannot serve: 0A000 if it is there.
  void Unsupported(const std::string& name);
  // A name that is accepted elsewhere and says nothing here.
  void Ignore(const std::string& name) { known_.insert(name); }
  // Keeps an error that the caller has found, if it is the first.
  void Fail(absl::Status status);
  // The same for an option that must be there and is not: 22023.
  void FailMissing(absl::string_view name, absl::string_view hint = "");

  // The first error, or 22023 for an option that nobody asked for, naming the nearest. If what is
  // missing seems to be there under a wrong name, that is the error.
  absl::Status Finish();

 private:
  // Marks `name` as known; null if it is not in the map.
  const std::string* Find(const std::string& name);
  void FailValue(const std::string& name, absl::string_view expected);

  const std::string what_;
  const OptionMap& options_;
  std::set<std::string> known_;
  absl::Status first_error_;
  // What `first_error_` says is missing; empty if it says something else.
  std::string missing_;
};

}  // namespace millrace
