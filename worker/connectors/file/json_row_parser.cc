#include "worker/connectors/file/json_row_parser.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

namespace ondemand = simdjson::ondemand;

absl::string_view View(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

const char* SkipDigits(const char* p, const char* end) {
  while (p < end && absl::ascii_isdigit(static_cast<unsigned char>(*p))) ++p;
  return p;
}

// RFC 8259, section 6.
bool IsJsonNumber(absl::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  if (p < end && *p == '-') ++p;
  const char* const whole = p;
  p = SkipDigits(p, end);
  if (p == whole || (*whole == '0' && p - whole > 1)) return false;
  if (p < end && *p == '.') {
    const char* const fraction = ++p;
    p = SkipDigits(p, end);
    if (p == fraction) return false;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    ++p;
    if (p < end && (*p == '+' || *p == '-')) ++p;
    const char* const exponent = p;
    p = SkipDigits(p, end);
    if (p == exponent) return false;
  }
  return p == end;
}

simdjson::error_code ReadValue(ondemand::value value, JsonValue* out) {
  ondemand::json_type type;
  if (auto error = value.type().get(type)) return error;
  std::string_view text;
  switch (type) {
    case ondemand::json_type::string: {
      if (auto error = value.get_string().get(text)) return error;
      *out = {JsonValue::Kind::kString, View(text)};
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::object: {
      ondemand::object object;
      if (auto error = value.get_object().get(object)) return error;
      if (auto error = object.raw_json().get(text)) return error;
      *out = {JsonValue::Kind::kNested, View(text)};
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::array: {
      ondemand::array array;
      if (auto error = value.get_array().get(array)) return error;
      if (auto error = array.raw_json().get(text)) return error;
      *out = {JsonValue::Kind::kNested, View(text)};
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::number: {
      // The token as written: a double would lose digits of long numbers.
      text = value.raw_json_token();
      const absl::string_view number = absl::StripTrailingAsciiWhitespace(View(text));
      *out = {JsonValue::Kind::kScalar, number};
      return IsJsonNumber(number) ? simdjson::SUCCESS : simdjson::NUMBER_ERROR;
    }
    case ondemand::json_type::boolean: {
      bool truth = false;
      if (auto error = value.get_bool().get(truth)) return error;
      *out = {JsonValue::Kind::kScalar, truth ? "true" : "false"};
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::null: {
      bool is_null = false;
      *out = JsonValue();
      if (auto error = value.is_null().get(is_null)) return error;
      return is_null ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
    }
  }
  return simdjson::TAPE_ERROR;
}

}  // namespace

JsonRowParser::JsonRowParser(const std::vector<std::string>& keys) : values_(keys.size()) {
  for (size_t i = 0; i < keys.size(); ++i) places_.emplace(keys[i], static_cast<int>(i));
}

int JsonRowParser::PlaceOf(absl::string_view key, size_t position) {
  if (position < row_before_.size() && row_before_[position].first == key) {
    return row_before_[position].second;
  }
  const auto found = places_.find(key);
  const int place = found == places_.end() ? kNotWanted : found->second;
  if (position >= row_before_.size()) row_before_.resize(position + 1);
  row_before_[position] = {std::string(key), place};
  return place;
}

simdjson::error_code JsonRowParser::ParseFields(ondemand::document& document) {
  ondemand::object object;
  if (auto error = document.get_object().get(object)) return error;
  size_t position = 0;
  for (auto element : object) {
    ondemand::field field;
    if (auto error = std::move(element).get(field)) return error;
    std::string_view key;
    if (auto error = field.unescaped_key().get(key)) return error;
    const int place = PlaceOf(View(key), position++);
    JsonValue unwanted;
    JsonValue* out = place == kNotWanted ? &unwanted : &values_[static_cast<size_t>(place)];
    if (auto error = ReadValue(field.value(), out)) return error;
  }
  // There is a location as long as something follows.
  const char* location = nullptr;
  const bool at_end = document.current_location().get(location) != simdjson::SUCCESS;
  return at_end ? simdjson::SUCCESS : simdjson::TRAILING_CONTENT;
}

absl::Status JsonRowParser::Parse(absl::string_view line) {
  for (JsonValue& value : values_) value = JsonValue();
  ondemand::document document;
  simdjson::error_code error =
      parser_.iterate(line.data(), line.size(), line.size() + simdjson::SIMDJSON_PADDING)
          .get(document);
  if (error == simdjson::SUCCESS) error = ParseFields(document);
  if (error == simdjson::SUCCESS) return absl::OkStatus();
  if (error == simdjson::INCORRECT_TYPE) {
    return MakeError(SqlState::kInvalidTextRepresentation, "the line is not a JSON object",
                     "format 'json' is one JSON object a line");
  }
  if (error == simdjson::UTF8_ERROR) {
    return MakeError(SqlState::kCharacterNotInRepertoire,
                     "invalid byte sequence for encoding \"UTF8\"");
  }
  return MakeError(
      SqlState::kInvalidTextRepresentation,
      absl::StrCat("invalid input syntax for type json: ", simdjson::error_message(error)),
      "format 'json' is one JSON object a line");
}

}  // namespace millrace
