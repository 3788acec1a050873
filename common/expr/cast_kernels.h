#pragma once

#include "common/expr/kernel.h"

namespace millrace {

// The kernel that casts `from` to `to`; null if there is no such cast. Takes one argument. A cast
// between types that look alike in memory, and lengths that allow everything, hand the array
// through.
Kernel FindCastKernel(const SqlType& from, const SqlType& to);
// Whether a value may fail to cast.
bool IsFallibleCast(const SqlType& from, const SqlType& to);

// The parts of the table; null if the pair is not theirs.
Kernel FindNumberCast(TypeId from, TypeId to);
Kernel FindTextCast(const SqlType& from, const SqlType& to);
Kernel FindDatetimeCast(TypeId from, TypeId to);

// INSERT into varchar(n) or char(n): unlike a cast, text that is too long is an error, unless only
// blanks are cut off. A function of its own, "assign_length", because an expression's cast has no
// context.
absl::StatusOr<std::shared_ptr<arrow::Array>> AssignLength(const KernelCall& call);

// PostgreSQL's error for a number that the target type cannot hold.
absl::Status CastOutOfRange(const SqlType& type);

}  // namespace millrace
