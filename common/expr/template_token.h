#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace millrace {

// A piece of a to_char template: a pattern such as YYYY, or text that stands for itself.
struct TemplateToken {
  // Empty for literal text.
  absl::string_view pattern;
  std::string text;
  // FM in front: no padding. For dates it counts for one pattern only, and switches back at the
  // next FM.
  bool fill_mode = false;
  // TH or th behind.
  bool ordinal = false;
  bool ordinal_lower = false;
};

// Splits a template at the longest of `patterns` (sorted by length, longest first) that fits. Text
// in double quotes is literal, \ takes the next character literally inside and outside of them.
std::vector<TemplateToken> SplitTemplate(absl::string_view text,
                                         absl::Span<const absl::string_view> patterns);

}  // namespace millrace
