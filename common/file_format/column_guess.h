#pragma once

#include "absl/strings/string_view.h"
#include "common/types/sql_type.h"

namespace millrace {

// Guesses a column's type from the texts of some of its values: the narrowest of boolean, bigint,
// double precision, date, timestamp, timestamptz that all of them have, else text.
class ColumnGuess {
 public:
  // `text`: a value that is not NULL.
  void Add(absl::string_view text);
  // A value that is text whatever it looks like.
  void AddText() { candidates_ = 0, has_values_ = true; }

  // Text if no value was seen.
  SqlType Result() const;

 private:
  // Candidate types, one bit each, in the order of preference.
  enum Candidate : unsigned {
    kBoolean = 1,
    kInteger = 2,
    kFloat = 4,
    kDate = 8,
    kTimestamp = 16,
    kTimestampTz = 32,
    kAll = 63
  };
  static unsigned CandidatesOf(absl::string_view text);

  unsigned candidates_ = kAll;
  bool has_values_ = false;
};

}  // namespace millrace
