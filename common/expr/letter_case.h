#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

// Upper and lower case of Unicode characters, one character for one (no "ß" to "SS"), as PostgreSQL
// does.

namespace millrace {

uint32_t ToUpperChar(uint32_t code_point);
uint32_t ToLowerChar(uint32_t code_point);
bool IsAlphanumeric(uint32_t code_point);

// Append the text in the other case.
void AppendUpper(absl::string_view text, std::string* out);
void AppendLower(absl::string_view text, std::string* out);
// The first letter of each word in upper case, the others in lower; words are letters and digits.
void AppendInitcap(absl::string_view text, std::string* out);

}  // namespace millrace
