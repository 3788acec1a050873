#pragma once

#include "absl/strings/string_view.h"

namespace millrace {

struct OperatorName {
  const char* symbol;
  const char* function;
  bool unary;
};

// What SQL writes as an operator, and the function that does it.
inline constexpr OperatorName kOperatorNames[] = {
    {"+", "add", false},          {"-", "sub", false},         {"*", "mul", false},
    {"/", "div_op", false},       {"%", "mod", false},         {"^", "power", false},
    {"=", "eq", false},           {"<>", "ne", false},         {"!=", "ne", false},
    {"<", "lt", false},           {"<=", "le", false},         {">", "gt", false},
    {">=", "ge", false},          {"||", "concat_op", false},  {"~~", "like", false},
    {"!~~", "not_like", false},   {"~~*", "ilike", false},     {"!~~*", "not_ilike", false},
    {"~", "regex", false},        {"!~", "not_regex", false},  {"~*", "iregex", false},
    {"!~*", "not_iregex", false}, {"&", "bitand", false},      {"|", "bitor", false},
    {"#", "bitxor", false},       {"<<", "shift_left", false}, {">>", "shift_right", false},
    {"+", "plus", true},          {"-", "neg", true},          {"@", "abs", true},
    {"~", "bitnot", true},        {"|/", "sqrt", true},        {"||/", "cbrt", true},
    {"^@", "starts_with", false},
};

}  // namespace millrace
