#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/expr/template_token.h"

namespace millrace {

// A template of to_char and to_number for numbers: 9 0 . , D G S MI PL SG PR V TH FM EEEE RN L and
// literal text. Follows PostgreSQL's formatting.c, including its corner cases.
class NumberTemplate {
 public:
  // 42601 for combinations that make no sense.
  static absl::StatusOr<NumberTemplate> Create(absl::string_view text);

  // Digits behind the point, and places by which V shifts the number to the left first.
  int32_t post_digits() const { return post_; }
  int32_t shift() const { return shift_; }
  bool is_roman() const { return roman_; }
  bool is_scientific() const { return scientific_; }

  // Appends a number that is already rounded: its digits as text, "12.50", without a sign.
  void Format(absl::string_view digits, bool negative, std::string* out) const;
  // Roman numerals: 1 to 3999, others as ###.
  void FormatRoman(int64_t value, std::string* out) const;
  // "1.23e+04".
  void FormatScientific(double value, std::string* out) const;
  // Finds the number in a text that has this form; false if there is no digit. *number is fit for
  // ParseNumeric.
  bool Parse(absl::string_view text, std::string* number) const;

 private:
  friend class NumberFormatter;

  enum class SignMode : uint8_t { kNone, kBefore, kAfter };

  absl::Status Count(const TemplateToken& token);
  absl::Status CountSign(absl::string_view pattern);

  std::vector<TemplateToken> tokens_;
  int32_t pre_ = 0;
  int32_t post_ = 0;
  int32_t shift_ = 0;
  // Place of the first 0 before the point, from 1, and of the last; 0 = none.
  int32_t zero_start_ = 0;
  int32_t zero_end_ = 0;
  // S: where it stands, and how many digits precede it.
  SignMode s_mode_ = SignMode::kNone;
  int32_t pre_of_s_ = 0;
  bool has_point_ = false;
  bool has_minus_ = false;
  bool has_plus_ = false;
  bool bracket_ = false;
  bool fill_mode_ = false;
  bool roman_ = false;
  bool roman_lower_ = false;
  bool scientific_ = false;
};

}  // namespace millrace
