#pragma once

#include "absl/strings/string_view.h"

namespace millrace {

// Words of other SQL dialects. PostgreSQL's grammar does not know them and would take them for
// aliases, so that the statement meant something else than what was written; without quotes they
// cannot be aliases here.
struct ForeignWord {
  const char* word;
  // What is missing, and what to write instead.
  const char* feature;
  const char* hint;
};

inline constexpr ForeignWord kForeignWords[] = {
    {"asof", "ASOF JOIN", "Join on the time, and keep the newest row with row_number()."},
    {"anti", "ANTI JOIN", "Write NOT EXISTS or NOT IN."},
    {"semi", "SEMI JOIN", "Write EXISTS or IN."},
    {"qualify", "QUALIFY", "Filter on the window function in a query around this one."},
    {"emit", "this form of EMIT", "EMIT ON WINDOW CLOSE stands at the end of the statement."},
    {"of", "this form of AS OF", "For an older epoch write AS OF EPOCH and a number."},
};

// Null for any other word.
inline const ForeignWord* FindForeignWord(absl::string_view word) {
  for (const ForeignWord& known : kForeignWords) {
    if (word == known.word) return &known;
  }
  return nullptr;
}

}  // namespace millrace
