#include "common/expr/number_template.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status.h"

namespace millrace {
namespace {

using absl::string_view;

constexpr string_view kNumberPatterns[] = {"EEEE", "eeee", "MI", "mi", "PL", "pl", "SG", "sg", "PR",
                                           "pr",   "RN",   "rn", "9",  "0",  ".",  ",",  "D",  "d",
                                           "G",    "g",    "S",  "s",  "V",  "v",  "L",  "l"};

absl::Status Conflict(string_view message) { return MakeError(SqlState::kSyntaxError, message); }

bool IsDigitPattern(string_view pattern) { return pattern == "9" || pattern == "0"; }
bool IsPoint(string_view upper) { return upper == "." || upper == "D"; }

const char* OrdinalSuffix(string_view digits) {
  const bool teen = digits.size() >= 2 && digits[digits.size() - 2] == '1';
  if (digits.empty() || teen) return "th";
  switch (digits.back()) {
    case '1':
      return "st";
    case '2':
      return "nd";
    case '3':
      return "rd";
    default:
      return "th";
  }
}

}  // namespace

absl::Status NumberTemplate::CountSign(string_view pattern) {
  const bool any = s_mode_ != SignMode::kNone || has_minus_ || has_plus_ || bracket_;
  if (pattern == "S") {
    if (any) return Conflict("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together");
    s_mode_ = has_point_ ? SignMode::kAfter : SignMode::kBefore;
    pre_of_s_ = pre_;
  } else if (pattern == "PR") {
    if (any) return Conflict("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together");
    bracket_ = true;
  } else {
    if (s_mode_ != SignMode::kNone) {
      return Conflict(absl::StrCat("cannot use \"S\" and \"", pattern, "\" together"));
    }
    has_minus_ |= pattern != "PL";
    has_plus_ |= pattern != "MI";
  }
  return absl::OkStatus();
}

absl::Status NumberTemplate::Count(const TemplateToken& token) {
  const std::string pattern = absl::AsciiStrToUpper(token.pattern);
  if (scientific_) return Conflict("\"EEEE\" must be the last pattern used");
  if (IsDigitPattern(pattern)) {
    if (bracket_) return Conflict(absl::StrCat("\"", pattern, "\" must be ahead of \"PR\""));
    if (pattern == "9" && shift_ >= 0) {
      ++shift_;
      return absl::OkStatus();
    }
    if (pattern == "0" && zero_start_ == 0 && !has_point_) zero_start_ = pre_ + 1;
    ++(has_point_ ? post_ : pre_);
    if (pattern == "0") zero_end_ = pre_ + post_;
  } else if (IsPoint(pattern)) {
    if (has_point_) return Conflict("multiple decimal points");
    if (shift_ >= 0) return Conflict("cannot use \"V\" and decimal point together");
    has_point_ = true;
  } else if (pattern == "V") {
    if (has_point_) return Conflict("cannot use \"V\" and decimal point together");
    shift_ = 0;
  } else if (pattern == "RN") {
    roman_ = true;
    roman_lower_ = token.pattern == "rn";
  } else if (pattern == "EEEE") {
    scientific_ = true;
  } else if (pattern != "," && pattern != "G" && pattern != "L") {
    return CountSign(pattern);
  }
  return absl::OkStatus();
}

absl::StatusOr<NumberTemplate> NumberTemplate::Create(string_view text) {
  NumberTemplate result;
  result.tokens_ = SplitTemplate(text, kNumberPatterns);
  // −1 while there has been no V: then a 9 counts for the shift.
  result.shift_ = -1;
  for (const TemplateToken& token : result.tokens_) {
    // FM holds for the whole of a number.
    result.fill_mode_ |= token.fill_mode;
    if (!token.pattern.empty()) MR_RETURN_IF_ERROR(result.Count(token));
  }
  result.shift_ = std::max(result.shift_, 0);
  return result;
}

// Writes one number; the state that PostgreSQL's NUM_processor keeps while it walks over the
// template.
class NumberFormatter {
 public:
  NumberFormatter(const NumberTemplate& form, string_view digits, bool negative, std::string* out)
      : form_(form), negative_(negative), out_(*out) {
    const size_t point = std::min(digits.find('.'), digits.size());
    const auto num_whole = static_cast<int32_t>(point);
    const int32_t pre = form_.pre_ + form_.shift_;
    number_ = std::string(digits);
    if (num_whole > pre) {
      // Too large for the template.
      number_ = std::string(static_cast<size_t>(pre), '#');
      number_.push_back('.');
      number_.append(static_cast<size_t>(form_.post_), '#');
    }
    num_blanks_ = std::max(pre - num_whole, 0);
    PrepareSign();
    PrepareEnd();
  }

  void Write() {
    for (const TemplateToken& token : form_.tokens_) {
      if (token.pattern.empty()) {
        out_.append(token.text);
      } else {
        WritePattern(token);
      }
    }
  }

 private:
  bool has_zero() const { return form_.zero_start_ != 0; }
  // Zero-based, as columns are counted.
  int32_t zero_start() const { return form_.zero_start_ - 1; }
  bool has_relevant() const { return last_relevant_ != std::string::npos; }
  bool ends_at_point() const { return has_relevant() && number_[last_relevant_] == '.'; }

  void PrepareSign() {
    sign_mode_ = form_.s_mode_;
    if (form_.has_minus_ || form_.has_plus_) {
      sign_written_ = form_.has_minus_;
      return;
    }
    brackets_ = form_.bracket_ && (negative_ || !form_.fill_mode_);
    sign_written_ = !negative_ && form_.fill_mode_ && sign_mode_ == NumberTemplate::SignMode::kNone;
    if (sign_mode_ == NumberTemplate::SignMode::kBefore && form_.pre_ == form_.pre_of_s_) {
      sign_mode_ = NumberTemplate::SignMode::kAfter;
    }
  }

  void PrepareEnd() {
    num_columns_ = form_.post_ + form_.pre_ + form_.shift_ - 1;
    if (form_.fill_mode_ && form_.has_point_) {
      last_relevant_ = number_.find('.');
      for (size_t i = last_relevant_; has_relevant() && i < number_.size(); ++i) {
        if (number_[i] != '0') last_relevant_ = i;
      }
      if (has_relevant() && form_.zero_end_ > num_blanks_) {
        // The sum of a blank's and a digit's places counts the point as well.
        const size_t last_zero =
            std::min(number_.size() - 1, static_cast<size_t>(form_.zero_end_ - num_blanks_));
        last_relevant_ = std::max(last_relevant_, last_zero);
      }
    }
    if (!sign_written_ && num_blanks_ == 0) ++num_columns_;
  }

  // 0.1 in 9.9 is " .1": the zero before the point is not shown.
  bool IsSkippedZero() const {
    return !has_zero() && at_ == 0 && number_[0] == '0' && form_.post_ != 0;
  }

  void WriteSign() {
    const bool reached = column_ >= num_blanks_ || (has_zero() && zero_start() == column_);
    if (sign_written_ || !reached || (IsSkippedZero() && !ends_at_point())) return;
    if (sign_mode_ != NumberTemplate::SignMode::kNone) {
      if (sign_mode_ == NumberTemplate::SignMode::kBefore) {
        out_.push_back(negative_ ? '-' : '+');
        sign_written_ = true;
      }
      return;
    }
    if (brackets_) {
      out_.push_back(negative_ ? '<' : ' ');
    } else if (negative_) {
      out_.push_back('-');
    } else if (!form_.fill_mode_) {
      out_.push_back(' ');
    }
    sign_written_ = true;
  }

  void WriteFromNumber(bool is_zero_pattern) {
    if (at_ < number_.size() && number_[at_] == '.') {
      if (!ends_at_point() || form_.fill_mode_) out_.push_back('.');
    } else if (has_relevant() && at_ > last_relevant_ && !is_zero_pattern) {
      // A zero behind the last digit that counts.
    } else if (IsSkippedZero()) {
      if (!form_.fill_mode_) {
        out_.push_back(' ');
      } else if (ends_at_point()) {
        out_.push_back('0');
      }
    } else if (at_ < number_.size()) {
      out_.push_back(number_[at_]);
      in_number_ = true;
    }
    if (at_ < number_.size()) ++at_;
  }

  void WriteDigit(bool is_zero_pattern) {
    in_number_ = false;
    WriteSign();
    if (column_ < num_blanks_ && (!has_zero() || zero_start() > column_)) {
      if (!form_.fill_mode_) out_.push_back(' ');
    } else if (column_ < num_blanks_) {
      out_.push_back('0');
      in_number_ = true;
    } else {
      WriteFromNumber(is_zero_pattern);
    }
    int32_t end = num_columns_ + (num_blanks_ != 0 ? 1 : 0) + (form_.has_point_ ? 1 : 0);
    if (has_relevant() && last_relevant_ == at_) end = column_;
    if (column_ + 1 == end) WriteSignBehind();
    ++column_;
  }

  void WriteSignBehind() {
    if (sign_written_ && brackets_) {
      out_.push_back(negative_ ? '>' : ' ');
    } else if (sign_mode_ == NumberTemplate::SignMode::kAfter) {
      out_.push_back(negative_ ? '-' : '+');
    }
  }

  void WriteSeparator(char separator) {
    if (in_number_) {
      out_.push_back(separator);
    } else if (!form_.fill_mode_) {
      out_.push_back(' ');
    }
  }

  // A mark for one sign; a blank in its place for the other.
  void WriteMark(bool applies, char mark) {
    if (applies) {
      out_.push_back(mark);
    } else if (!form_.fill_mode_) {
      out_.push_back(' ');
    }
  }

  void WritePattern(const TemplateToken& token) {
    const std::string pattern = absl::AsciiStrToUpper(token.pattern);
    if (IsDigitPattern(pattern) || IsPoint(pattern)) {
      WriteDigit(pattern == "0");
    } else if (pattern == "," || pattern == "G") {
      WriteSeparator(',');
    } else if (pattern == "MI") {
      WriteMark(negative_, '-');
    } else if (pattern == "PL") {
      WriteMark(!negative_, '+');
    } else if (pattern == "SG") {
      out_.push_back(negative_ ? '-' : '+');
    } else if (pattern == "L") {
      if (!form_.fill_mode_) out_.push_back(' ');
    }
    const bool ordinal = token.ordinal && !negative_ && !form_.has_point_ && number_[0] != '#';
    if (ordinal) {
      const std::string suffix = OrdinalSuffix(number_);
      out_.append(token.ordinal_lower ? suffix : absl::AsciiStrToUpper(suffix));
    }
  }

  const NumberTemplate& form_;
  const bool negative_;
  std::string& out_;
  std::string number_;
  NumberTemplate::SignMode sign_mode_ = NumberTemplate::SignMode::kNone;
  bool brackets_ = false;
  bool sign_written_ = false;
  // Columns left of the number's first digit.
  int32_t num_blanks_ = 0;
  int32_t num_columns_ = 0;
  int32_t column_ = 0;
  size_t at_ = 0;
  // FM: the last digit behind the point that is shown; npos without FM.
  size_t last_relevant_ = std::string::npos;
  bool in_number_ = false;
};

void NumberTemplate::Format(string_view digits, bool negative, std::string* out) const {
  NumberFormatter(*this, digits, negative, out).Write();
}

void NumberTemplate::FormatRoman(int64_t value, std::string* out) const {
  struct Numeral {
    int64_t value;
    const char* text;
  };
  constexpr Numeral kNumerals[] = {{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"},
                                   {90, "XC"},  {50, "L"},   {40, "XL"}, {10, "X"},   {9, "IX"},
                                   {5, "V"},    {4, "IV"},   {1, "I"}};
  constexpr size_t kWidth = 15;
  std::string text;
  if (value < 1 || value > 3999) {
    text = std::string(kWidth, '#');
  } else {
    for (const Numeral& numeral : kNumerals) {
      for (; value >= numeral.value; value -= numeral.value) text.append(numeral.text);
    }
  }
  if (roman_lower_) absl::AsciiStrToLower(&text);
  if (!fill_mode_ && text.size() < kWidth) out->append(kWidth - text.size(), ' ');
  out->append(text);
}

void NumberTemplate::FormatScientific(double value, std::string* out) const {
  // A blank stands where the minus of negative numbers does.
  if (!std::signbit(value)) out->push_back(' ');
  absl::StrAppendFormat(out, "%.*e", post_, value);
}

bool NumberTemplate::Parse(string_view text, std::string* number) const {
  bool negative = false;
  bool any = false;
  bool in_fraction = false;
  std::string digits;
  for (char c : text) {
    if (c >= '0' && c <= '9') {
      digits.push_back(c);
      any = true;
    } else if (c == '.' && has_point_ && !in_fraction) {
      digits.push_back('.');
      in_fraction = true;
    } else if (c == '-' || c == '<') {
      negative = true;
    } else if (c == '.' && !has_point_) {
      break;
    }
  }
  *number = absl::StrCat(negative ? "-" : "", digits);
  if (shift_ > 0) absl::StrAppend(number, "e-", shift_);
  return any;
}

}  // namespace millrace
