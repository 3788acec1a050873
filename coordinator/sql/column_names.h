#pragma once

#include <string>

struct PgQuery__Node;

namespace millrace {

// The name that PostgreSQL gives a column of a SELECT list without AS: that of the column, function
// or type, "case", or "?column?".
std::string DefaultColumnName(const PgQuery__Node& expr);

}  // namespace millrace
