#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace millrace {

// The candidate that a person most likely meant by `name`: smallest edit distance (letters swapped
// count once, upper and lower case are equal), the first of equals. Empty if none is near: more
// than a third of the letters differ, and more than one.
std::string NearestName(absl::string_view name, const std::vector<std::string>& candidates);

// For hints: `did you mean "path"?`, or `expected one of "a", "b"` if none is near; of more than
// forty the first ones are named, and how many more there are.
std::string NearestNameHint(absl::string_view name, const std::vector<std::string>& candidates);

}  // namespace millrace
