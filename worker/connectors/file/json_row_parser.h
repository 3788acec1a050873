#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "simdjson.h"

namespace millrace {

// A value of a JSON object as text for SQL's input functions.
struct JsonValue {
  enum class Kind : uint8_t { kNull, kScalar, kString, kNested };
  Kind kind = Kind::kNull;
  // Strings without quotes and escapes; others as they stand in the row.
  absl::string_view text;
};

// Takes the values of some keys out of one-line objects.
class JsonRowParser {
 public:
  // values()[i] belongs to keys[i].
  explicit JsonRowParser(const std::vector<std::string>& keys);

  // Reads one object; 64 bytes behind `line` must be readable. 22P02 if it is none; the values are
  // then unspecified.
  absl::Status Parse(absl::string_view line);
  // Valid until the next Parse, and as long as the line.
  const std::vector<JsonValue>& values() const { return values_; }

 private:
  static constexpr int kNotWanted = -1;

  // Place of the object's `position`-th key among the wanted ones, or kNotWanted.
  int PlaceOf(absl::string_view key, size_t position);
  simdjson::error_code ParseFields(simdjson::ondemand::document& document);

  simdjson::ondemand::parser parser_;
  absl::flat_hash_map<std::string, int> places_;
  // Rows mostly have their keys in the same order: key and place of each position in the row
  // before.
  std::vector<std::pair<std::string, int>> row_before_;
  std::vector<JsonValue> values_;
};

}  // namespace millrace
