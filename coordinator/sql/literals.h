#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"
#include "coordinator/sql/query_environment.h"

struct PgQuery__AConst;
struct PgQuery__TypeName;
struct PgQuery__Node;

namespace millrace {

// 1, 1.5, 'text' (of type unknown), true, NULL. Integers take the smallest of integer, bigint and
// numeric that holds them.
absl::StatusOr<ExprPtr> BindLiteral(const PgQuery__AConst& literal, int32_t position);

// A type as written. 42704 for one that nobody knows, 0A000 for PostgreSQL's that are missing here.
absl::StatusOr<SqlType> BindTypeName(const PgQuery__TypeName& name,
                                     const QueryEnvironment& environment);

// INTERVAL '1' DAY, INTERVAL '1:30' HOUR TO MINUTE: a literal of an interval type with fields. Null
// if `name` is not such a type or `value` no text literal.
absl::StatusOr<ExprPtr> BindIntervalWithFields(const PgQuery__TypeName& name,
                                               const PgQuery__Node& value, int32_t position);

// The value of an expression without columns; now() is the statement's time.
absl::StatusOr<Value> ConstantValue(const Expr& expr, const QueryEnvironment& environment);

// The text of a constant in an option list or SET: 'x', 5, -1.5, word, true. Null (absent) for
// anything else.
std::optional<std::string> OptionText(const PgQuery__Node& value);

}  // namespace millrace
