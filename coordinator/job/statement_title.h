#pragma once

#include <string>

namespace millrace {

// What status calls a statement: its first line, shortened, without secrets.
std::string StatementTitle(const std::string& statement);

}  // namespace millrace
