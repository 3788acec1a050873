#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace millrace {

// An error for a person, as psql prints it:
//   ERROR 42703: column "pric" does not exist
//   LINE 2: SELECT pric FROM t
//                  ^
//   HINT: did you mean "price"?
// `sql` is the text that the error's position refers to; empty = no caret. Ends with a newline.
std::string ErrorText(const absl::Status& error, absl::string_view sql);

}  // namespace millrace
