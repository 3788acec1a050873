#pragma once

#include <re2/re2.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace millrace {

// Options of the regexp functions, from their flags argument.
struct RegexFlags {
  bool ignore_case = false;
  bool global = false;
  bool literal = false;
  // ^ and $ match at line ends, and . does not match a newline.
  bool lines = false;
};
// 22023 for a letter that is no option, 0A000 for an option that is missing here.
absl::StatusOr<RegexFlags> ParseRegexFlags(absl::string_view flags);

// PostgreSQL's "advanced regular expression" as an RE2: linear in the text for every pattern. Back
// references and look-around are refused with 0A000, because RE2 has none. The longest match
// counts, unless the pattern has non-greedy quantifiers.
absl::StatusOr<std::unique_ptr<re2::RE2>> CompileRegex(absl::string_view pattern,
                                                       const RegexFlags& flags);

// SIMILAR TO: the pattern as an anchored regular expression. `escape` is one character, or empty
// for none.
absl::StatusOr<std::string> SimilarToRegex(absl::string_view pattern, absl::string_view escape);

}  // namespace millrace
