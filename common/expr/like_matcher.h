#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace millrace {

// A LIKE pattern, taken apart once. % stands for any text, _ for one character, \ takes the next
// character literally.
class LikeMatcher {
 public:
  // A pattern that ends in a lone escape character matches nothing.
  static LikeMatcher Create(absl::string_view pattern);

  bool Matches(absl::string_view text) const;

 private:
  // What stands between two %: bytes to be found, with single characters skipped in between.
  struct Segment {
    // Literal runs; before each of them, except the first, `gaps` characters are skipped, and the
    // last gap ends it.
    std::vector<std::string> runs;
    std::vector<int32_t> gaps;
    int64_t num_chars = 0;

    bool is_plain() const { return runs.size() == 1; }
    // Bytes that the segment covers at the start of `text`, or npos.
    size_t MatchAt(absl::string_view text) const;
    // Removes everything through the first place where the segment matches; false if there is none.
    bool FindAndRemove(absl::string_view* text) const;
  };

  bool MatchesEnd(absl::string_view text) const;

  std::vector<Segment> segments_;
  bool never_ = false;
};

}  // namespace millrace
