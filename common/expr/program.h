#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/expr.h"
#include "common/expr/kernel.h"

namespace millrace {

enum class NodeKind : uint8_t {
  kColumn,
  kConstant,
  kKernel,
  kAnd,
  kOr,
  kNot,
  kIsTest,
  kDistinct,
  kCoalesce,
  kNullIf,
  kExtremum,
  kCase,
};

// One operation of a program.
struct ProgramNode {
  NodeKind kind = NodeKind::kColumn;
  SqlType type;
  int32_t position = 0;
  // kColumn.
  int column = 0;
  // Operands, by node. kCase: as in Expr.
  std::vector<int> args;
  // kConstant: one row.
  Operand constant;
  // kKernel; kDistinct, kExtremum: the comparison ("ne", "lt" or "gt") that decides.
  Kernel kernel = nullptr;
  uint8_t traits = 0;
  // kIsTest: "is_null", "is_not_true", …; kDistinct: "is_distinct" or its negation.
  std::string function;

  // Of the node and all below it. May an error come out; what does a row cost, in comparisons; does
  // no column occur.
  bool fallible = false;
  int32_t cost = 0;
  bool is_constant = false;
  // For numeric: see Operand.
  int32_t max_digits = 38;
  // Used by more than one node or output: its value is kept while a batch is evaluated.
  bool is_shared = false;
};

// Expressions as a list of nodes, operands before users. Equal subexpressions are one node.
struct Program {
  std::vector<ProgramNode> nodes;
  std::vector<int> outputs;
};

// Fails if a function or cast is unknown, or a column is not in `input`.
absl::StatusOr<Program> CompileProgram(const std::vector<ExprPtr>& exprs, const Schema& input);

}  // namespace millrace
