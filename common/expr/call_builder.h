#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"
#include "common/expr/function_catalog.h"

// Shared by the sources of function_registry.h.

namespace millrace {

// A call of `function` without any checks.
ExprPtr MakeCall(std::string function, std::vector<ExprPtr> args, SqlType type, int32_t position);

// An argument of type `id`, with the modifiers that lose nothing: the scale of a number, the digits
// of a literal. Adds no cast where the types look alike in memory (varchar for text, numeric(12,2)
// for numeric).
absl::StatusOr<ExprPtr> Coerce(ExprPtr arg, TypeId id, int32_t position);

// The modifiers that `type`'s values need as a `target`: numeric keeps the scale, integers need
// none.
SqlType NaturalType(const SqlType& type, TypeId target);

// A call of the catalog's entry with the arguments coerced.
absl::StatusOr<ExprPtr> CallEntry(const FunctionEntry& entry, std::vector<ExprPtr> args,
                                  int32_t position);

std::vector<TypeId> TypeIdsOf(absl::Span<const ExprPtr> args);

// `arg` as a boolean; 42804 with the construct's name ("AND", "CASE/WHEN") otherwise.
absl::StatusOr<ExprPtr> CoerceToBoolean(ExprPtr arg, absl::string_view what, int32_t position);

// Casts all to their common type.
absl::StatusOr<std::vector<ExprPtr>> CastToCommonType(std::vector<ExprPtr> exprs,
                                                      absl::string_view what, int32_t position);

}  // namespace millrace
