#include "common/file_format/column_guess.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "common/types/text_parse.h"

namespace millrace {
namespace {

constexpr size_t kDateLength = 10;

// "2024-02-29", and only that: PostgreSQL's other forms are too easily something else.
bool HasDateForm(absl::string_view text) {
  if (text.size() < kDateLength || text[4] != '-' || text[7] != '-') return false;
  for (const size_t i : {0, 1, 2, 3, 5, 6, 8, 9}) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  int32_t unused = 0;
  return ParseDate(text.substr(0, kDateLength), &unused);
}

// "…T12:34", "… 12:34:56.789"; what may follow as a zone is left in *rest.
bool HasTimeForm(absl::string_view text, absl::string_view* rest) {
  if (text.size() < kDateLength + 6) return false;
  if (text[kDateLength] != 'T' && text[kDateLength] != ' ') return false;
  const absl::string_view time = text.substr(kDateLength + 1);
  const size_t end = time.find_first_not_of("0123456789:.");
  *rest = end == absl::string_view::npos ? "" : time.substr(end);
  return absl::ascii_isdigit(static_cast<unsigned char>(time[0])) && time[2] == ':';
}

}  // namespace

unsigned ColumnGuess::CandidatesOf(absl::string_view text) {
  int64_t integer = 0;
  double number = 0;
  if (absl::EqualsIgnoreCase(text, "true") || absl::EqualsIgnoreCase(text, "false")) {
    return kBoolean;
  }
  if (ParseInt64(text, &integer)) return kInteger | kFloat;
  if (ParseFloat64(text, &number)) return kFloat;
  if (!HasDateForm(text)) return 0;
  if (text.size() == kDateLength) return kDate | kTimestamp | kTimestampTz;
  absl::string_view zone;
  int64_t micros = 0;
  if (!HasTimeForm(text, &zone) || !ParseTimestampTz(text, 0, &micros)) return 0;
  return zone.empty() ? kTimestamp : kTimestampTz;
}

void ColumnGuess::Add(absl::string_view text) {
  has_values_ = true;
  if (candidates_ != 0) candidates_ &= CandidatesOf(text);
}

SqlType ColumnGuess::Result() const {
  if (has_values_) {
    if ((candidates_ & kBoolean) != 0) return SqlType::Of(TypeId::kBoolean);
    if ((candidates_ & kInteger) != 0) return SqlType::Of(TypeId::kInt64);
    if ((candidates_ & kFloat) != 0) return SqlType::Of(TypeId::kFloat64);
    if ((candidates_ & kDate) != 0) return SqlType::Of(TypeId::kDate);
    if ((candidates_ & kTimestamp) != 0) return SqlType::Of(TypeId::kTimestamp);
    if ((candidates_ & kTimestampTz) != 0) return SqlType::Of(TypeId::kTimestampTz);
  }
  return SqlType::Of(TypeId::kText);
}

}  // namespace millrace
