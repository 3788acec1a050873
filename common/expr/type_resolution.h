#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/expr/expr.h"
#include "common/expr/function_catalog.h"
#include "common/expr/function_registry.h"

// PostgreSQL's rules for choosing types: "Type Conversion" in its manual, chapters 10.2 to 10.5.

namespace millrace {

enum class TypeCategory : uint8_t {
  kBoolean,
  kNumeric,
  kString,
  kDatetime,
  kTimespan,
  kUserDefined,
  kUnknown,
};
TypeCategory CategoryOf(TypeId id);
// The type that PostgreSQL prefers within its category.
bool IsPreferred(TypeId id);

// Whether a value of type `from` may be cast to `to` in this context. Unknown literals go to any
// type.
bool CanCast(TypeId from, TypeId to, CastContext context);

// The one candidate that fits best, or null: then *ambiguous says whether several fit.
const FunctionEntry* SelectCandidate(absl::Span<const FunctionEntry> candidates,
                                     absl::Span<const TypeId> args, bool* ambiguous);

// The type of argument `index` of a call with `num_args` arguments, variadic ones repeated.
TypeId ParameterType(const FunctionEntry& entry, size_t index);

// "integer, text" for messages.
std::string ArgumentList(absl::Span<const ExprPtr> args);

}  // namespace millrace
