#include "common/expr/program.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status.h"
#include "common/expr/cast_kernels.h"
#include "common/expr/function_catalog.h"
#include "common/expr/in_list.h"
#include "common/types/decimal.h"
#include "common/types/value_array.h"

namespace millrace {
namespace {

constexpr int kMaxDigits = 38;
constexpr int kCostlyCost = 16;

// Decimal digits that every value of a type fits into when its scale is `scale`.
int DigitsOfType(const SqlType& type) {
  if (type.is_numeric() && type.precision > 0) return type.precision;
  switch (type.id) {
    case TypeId::kInt16:
      return 5;
    case TypeId::kInt32:
      return 10;
    case TypeId::kInt64:
      return 19;
    default:
      return kMaxDigits;
  }
}

int DigitsOfLiteral(const Value& value) {
  const auto* unscaled = std::get_if<__int128>(&value.value);
  if (unscaled == nullptr) return DigitsOfType(value.type);
  const __int128 magnitude = *unscaled < 0 ? -*unscaled : *unscaled;
  int digits = 0;
  while (digits < kMaxDigits && magnitude >= PowerOfTen(digits)) ++digits;
  return digits;
}

size_t HashOfLiteral(const Value& value) {
  struct Hash {
    size_t operator()(std::monostate) const { return 0; }
    size_t operator()(bool is_true) const { return absl::HashOf(is_true); }
    size_t operator()(int64_t number) const { return absl::HashOf(number); }
    size_t operator()(double number) const { return absl::HashOf(number); }
    size_t operator()(__int128 unscaled) const {
      return absl::HashOf(static_cast<uint64_t>(unscaled), static_cast<uint64_t>(unscaled >> 64));
    }
    size_t operator()(const std::string& text) const { return absl::HashOf(text); }
    size_t operator()(const IntervalParts& parts) const {
      return absl::HashOf(parts.months, parts.days, parts.micros);
    }
  };
  return std::visit(Hash(), value.value);
}

class Compiler {
 public:
  explicit Compiler(const Schema& input) : input_(input) {}

  absl::StatusOr<int> Compile(const ExprPtr& expr) {
    const auto& alike = seen_[HashOf(*expr)];
    for (const auto& [seen, node] : alike) {
      if (SameExpr(*seen, *expr)) {
        // A column or constant costs nothing to look up again.
        program_.nodes[node].is_shared = true;
        return node;
      }
    }
    MR_ASSIGN_OR_RETURN(ProgramNode node, MakeNode(*expr));
    if (node.kind == NodeKind::kKernel && IsAlias(*expr)) return node.args[0];
    Summarise(*expr, &node);
    const auto index = static_cast<int>(program_.nodes.size());
    program_.nodes.push_back(std::move(node));
    seen_[HashOf(*expr)].emplace_back(expr, index);
    return index;
  }

  Program Finish() && { return std::move(program_); }
  void AddOutput(int node) { program_.outputs.push_back(node); }

 private:
  // Equal for the same expressions. Each node is hashed once: a list may have 100,000 items.
  size_t HashOf(const Expr& expr) {
    const auto known = hashes_.find(&expr);
    if (known != hashes_.end()) return known->second;
    size_t hash = absl::HashOf(expr.kind, expr.type.id, expr.function, expr.args.size());
    if (expr.kind == ExprKind::kColumn) hash = absl::HashOf(hash, expr.column_index);
    if (expr.kind == ExprKind::kLiteral) hash = absl::HashOf(hash, HashOfLiteral(expr.literal));
    for (const ExprPtr& arg : expr.args) hash = absl::HashOf(hash, HashOf(*arg));
    hashes_[&expr] = hash;
    return hash;
  }

  absl::StatusOr<ProgramNode> MakeNode(const Expr& expr) {
    ProgramNode node;
    node.type = expr.type;
    node.position = expr.position;
    for (const ExprPtr& arg : expr.args) {
      MR_ASSIGN_OR_RETURN(const int index, Compile(arg));
      node.args.push_back(index);
    }
    switch (expr.kind) {
      case ExprKind::kColumn:
        MR_RETURN_IF_ERROR(FillColumn(expr, &node));
        break;
      case ExprKind::kLiteral:
        MR_RETURN_IF_ERROR(FillConstant(expr, &node));
        break;
      case ExprKind::kCast:
        MR_RETURN_IF_ERROR(FillCast(expr, &node));
        break;
      case ExprKind::kCase:
        node.kind = NodeKind::kCase;
        if (node.args.size() % 2 == 0) return InternalError("CASE without ELSE");
        break;
      case ExprKind::kCall:
        MR_RETURN_IF_ERROR(FillCall(expr, &node));
        break;
    }
    return node;
  }

  absl::Status FillColumn(const Expr& expr, ProgramNode* node) {
    const bool known =
        expr.column_index >= 0 && static_cast<size_t>(expr.column_index) < input_.size();
    if (!known) {
      return InternalError(
          absl::StrCat("expression refers to column ", expr.column_index, " of ", input_.size()));
    }
    node->kind = NodeKind::kColumn;
    node->column = expr.column_index;
    return absl::OkStatus();
  }

  absl::Status FillConstant(const Expr& expr, ProgramNode* node) {
    node->kind = NodeKind::kConstant;
    MR_ASSIGN_OR_RETURN(node->constant.array, ArrayOfValue(expr.literal, 1));
    node->constant.is_constant = true;
    node->constant.type = expr.type;
    return absl::OkStatus();
  }

  absl::Status FillCast(const Expr& expr, ProgramNode* node) {
    node->kind = NodeKind::kKernel;
    const SqlType& from = expr.args[0]->type;
    node->kernel = FindCastKernel(from, expr.type);
    if (node->kernel == nullptr) {
      return MakeError(SqlState::kCannotCoerce, absl::StrCat("cannot cast type ", TypeName(from),
                                                             " to ", TypeName(expr.type)));
    }
    node->traits = IsFallibleCast(from, expr.type) ? kFallible : kNoTraits;
    if (from.is_string() != expr.type.is_string()) node->traits |= kCostly;
    return absl::OkStatus();
  }

  absl::Status FillCall(const Expr& expr, ProgramNode* node) {
    const std::string& name = expr.function;
    node->function = name;
    if (name == "and" || name == "or") {
      node->kind = name == "and" ? NodeKind::kAnd : NodeKind::kOr;
    } else if (name == "not") {
      node->kind = NodeKind::kNot;
    } else if (name == "is_distinct" || name == "is_not_distinct") {
      node->kind = NodeKind::kDistinct;
      return FillComparison("ne", expr.args[0]->type, node);
    } else if (absl::StartsWith(name, "is_") && !absl::StrContains(name, '(')) {
      node->kind = NodeKind::kIsTest;
    } else if (name == "coalesce") {
      node->kind = NodeKind::kCoalesce;
    } else if (name == "nullif") {
      node->kind = NodeKind::kNullIf;
    } else if (name == "greatest" || name == "least") {
      node->kind = NodeKind::kExtremum;
      return FillComparison(name == "greatest" ? "gt" : "lt", expr.type, node);
    } else if (name == "in") {
      node->kind = NodeKind::kKernel;
      node->kernel = InList;
      node->traits = kTakesNulls;
    } else {
      return FillFunction(expr, node);
    }
    return node->args.empty() ? InternalError(absl::StrCat(name, " without arguments"))
                              : absl::OkStatus();
  }

  absl::Status FillFunction(const Expr& expr, ProgramNode* node) {
    const FunctionEntry* entry = FindImplementation(expr.function);
    if (entry == nullptr || entry->kernel == nullptr) {
      return MakeError(SqlState::kUndefinedFunction,
                       absl::StrCat("function ", expr.function, " is not known to this version"));
    }
    const bool count_fits = entry->is_variadic() ? node->args.size() >= entry->args.size()
                                                 : node->args.size() == entry->args.size();
    if (!count_fits) return InternalError(absl::StrCat("wrong arguments of ", expr.function));
    node->kind = NodeKind::kKernel;
    node->kernel = entry->kernel;
    node->traits = entry->traits;
    return absl::OkStatus();
  }

  static absl::Status FillComparison(const char* name, const SqlType& type, ProgramNode* node) {
    const bool plain_text = type.id == TypeId::kVarchar;
    const auto short_name = ShortTypeName(plain_text ? TypeId::kText : type.id);
    const FunctionEntry* entry =
        FindImplementation(absl::StrCat(name, "(", short_name, ",", short_name, ")"));
    if (entry == nullptr) return NotSupported(absl::StrCat("comparing ", TypeName(type)));
    node->kernel = entry->kernel;
    return absl::OkStatus();
  }

  // A cast that changes nothing in memory, so that its input can stand for it.
  static bool IsAlias(const Expr& expr) {
    if (expr.kind != ExprKind::kCast) return false;
    const SqlType& from = expr.args[0]->type;
    const bool from_text = from.id == TypeId::kText || from.id == TypeId::kVarchar;
    const bool to_text = expr.type.id == TypeId::kText || expr.type.id == TypeId::kVarchar;
    return from_text && to_text && expr.type.precision == 0;
  }

  void Summarise(const Expr& expr, ProgramNode* node) {
    node->fallible = (node->traits & kFallible) != 0;
    node->cost = node->kind == NodeKind::kColumn || node->kind == NodeKind::kConstant ? 0
                 : (node->traits & kCostly) != 0                                      ? kCostlyCost
                                                                                      : 1;
    node->is_constant = node->kind != NodeKind::kColumn && (node->traits & kVolatile) == 0;
    for (int arg : node->args) {
      const ProgramNode& child = program_.nodes[arg];
      node->fallible |= child.fallible;
      node->cost += child.cost;
      node->is_constant &= child.is_constant;
    }
    node->max_digits = DigitsOf(expr, *node);
    node->constant.max_digits = node->max_digits;
  }

  int DigitsOf(const Expr& expr, const ProgramNode& node) const {
    if (!expr.type.is_numeric()) return kMaxDigits;
    const auto digits = [&](size_t i) { return program_.nodes[node.args[i]].max_digits; };
    const auto at_scale = [&](size_t i) {
      return digits(i) + std::max(0, expr.type.scale - expr.args[i]->type.scale);
    };
    int result = kMaxDigits;
    if (expr.kind == ExprKind::kLiteral) {
      result = DigitsOfLiteral(expr.literal);
    } else if (expr.kind == ExprKind::kCast) {
      const SqlType& from = expr.args[0]->type;
      const int own = from.is_numeric() ? at_scale(0) + 1 : DigitsOfType(from) + expr.type.scale;
      result = std::min(own, DigitsOfType(expr.type));
      if (from.is_numeric() && from.scale == expr.type.scale) result = std::min(result, digits(0));
    } else if (absl::StartsWith(expr.function, "add(") || absl::StartsWith(expr.function, "sub(")) {
      result = std::max(at_scale(0), at_scale(1)) + 1;
    } else if (absl::StartsWith(expr.function, "mul(")) {
      result = digits(0) + digits(1);
    } else if (expr.kind == ExprKind::kCase) {
      result = program_.nodes[node.args.back()].max_digits;
      for (size_t i = 1; i < node.args.size(); i += 2) result = std::max(result, digits(i));
    } else if (expr.kind == ExprKind::kColumn) {
      result = DigitsOfType(expr.type);
    }
    return std::min(result, kMaxDigits);
  }

  const Schema& input_;
  Program program_;
  // By hash.
  absl::flat_hash_map<size_t, std::vector<std::pair<ExprPtr, int>>> seen_;
  absl::flat_hash_map<const Expr*, size_t> hashes_;
};

}  // namespace

absl::StatusOr<Program> CompileProgram(const std::vector<ExprPtr>& exprs, const Schema& input) {
  Compiler compiler(input);
  for (const ExprPtr& expr : exprs) {
    MR_CHECK(expr != nullptr);
    MR_ASSIGN_OR_RETURN(const int node, compiler.Compile(expr));
    compiler.AddOutput(node);
  }
  return std::move(compiler).Finish();
}

}  // namespace millrace
