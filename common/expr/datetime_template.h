#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/expr/template_token.h"
#include "common/types/value.h"

namespace millrace {

// A template of to_char, to_timestamp and to_date: YYYY, MM, DD, HH24, MI, SS, MS, US, Mon, Day,
// TZH and so on, with the modifiers FM and TH, and literal text. Names are English.
class DatetimeTemplate {
 public:
  explicit DatetimeTemplate(absl::string_view text);

  // `local_micros`: the time as it is shown. A zone makes TZ, TZH, TZM and OF meaningful.
  void FormatTimestamp(int64_t local_micros, int32_t zone_offset_seconds, bool has_zone,
                       std::string* out) const;
  // 0A000 for patterns that name a calendar date.
  absl::Status FormatInterval(const IntervalParts& interval, std::string* out) const;

  // Reads a text that has this form: UTC microseconds, where a text without a zone is local at
  // `zone_offset_seconds`. 22007 if the text does not fit, 22008 if a value is out of range.
  absl::StatusOr<int64_t> Parse(absl::string_view text, int32_t zone_offset_seconds) const;

 private:
  std::vector<TemplateToken> tokens_;
};

}  // namespace millrace
