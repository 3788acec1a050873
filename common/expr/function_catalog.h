#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/expr/kernel.h"
#include "common/types/sql_type.h"

// The table of all scalar functions and operators: what the binder resolves names against and what
// the evaluator finds kernels in. Built once, then constant.

namespace millrace {

// What is known of a function beside its types; values are bits.
enum FunctionTrait : uint8_t {
  kNoTraits = 0,
  // Some arguments are errors. Without it a function may be evaluated on rows that nobody asked
  // for.
  kFallible = 1,
  // Called with NULLs too. Without it a NULL argument makes a NULL result, and the kernel need not
  // look.
  kTakesNulls = 2,
  // Depends on the statement (its time or zone), not on the arguments alone.
  kStable = 4,
  // Costs far more than a comparison.
  kCostly = 8,
  // The last argument may repeat.
  kVariadic = 16,
  // Differs from batch to batch (the clock).
  kVolatile = 32,
};

// How the scale of a numeric result follows from the arguments.
enum class ScaleRule : uint8_t {
  kNone,        // not numeric
  kZero,        // a whole number
  kMax,         // the largest of the arguments'
  kSum,         // their sum: products
  kDivide,      // max(16, scales)
  kByLiteral,   // the second argument, where it is a literal; otherwise the first's scale
  kInexact,     // max(16, scale): roots, logarithms, to_number
  kByField,     // extract: what the field named by the first argument has
  kByTemplate,  // to_number: the digits behind the point of the second argument
};

struct FunctionEntry {
  // What users write; for operators the name in the table of operators (operator_names.h).
  std::string name;
  // kUnknown stands for any type.
  std::vector<TypeId> args;
  TypeId result = TypeId::kUnknown;
  Kernel kernel = nullptr;
  uint8_t traits = kNoTraits;
  ScaleRule scale_rule = ScaleRule::kNone;
  // If set, the arguments are cast to this type and the entry with these argument types does the
  // work (int2 + int8 is int8 + int8).
  TypeId promote_to = TypeId::kUnknown;
  const char* description = "";

  bool is_variadic() const { return (traits & kVariadic) != 0; }
  // "add(int4,int4)".
  std::string UniqueName() const;
};

// All entries with this name; empty if there is none. Valid for ever.
absl::Span<const FunctionEntry> FindFunctions(absl::string_view name);
// The entry of an implementation; null if unknown.
const FunctionEntry* FindImplementation(absl::string_view unique_name);
// All entries in order of name.
absl::Span<const FunctionEntry> AllFunctions();

// Whether the implementation with this unique name gives the same result for the same arguments for
// ever. False for now() and its like, and for what depends on the session's time zone.
bool IsImmutableFunction(absl::string_view unique_name);
// The same for a cast.
bool IsImmutableCast(const SqlType& from, const SqlType& to);

}  // namespace millrace
