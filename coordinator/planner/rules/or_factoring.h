#pragma once

#include <optional>

#include "common/expr/expr.h"

namespace millrace {

// (a AND b) OR (a AND c) becomes a AND (b OR c), also below ANDs; so that an equality that every
// branch has can become a join key. Leaves volatile expressions alone.
ExprPtr FactorOr(const ExprPtr& predicate);

// A weaker condition over columns in [begin, end) that follows from `predicate`: for an OR each of
// whose branches has conjuncts over these columns only, the OR of those. Nothing if there is none,
// or if it could fail.
std::optional<ExprPtr> ImpliedByOr(const ExprPtr& predicate, int begin, int end);

}  // namespace millrace
