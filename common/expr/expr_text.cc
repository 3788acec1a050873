#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/expr/expr.h"
#include "common/expr/operator_names.h"
#include "common/types/text_format.h"

namespace millrace {
namespace {

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "''"}}), "'");
}

std::string LiteralToString(const Value& value) {
  const std::string text = ValueText(value);
  if (value.is_null()) return text;
  switch (value.type.id) {
    case TypeId::kBoolean:
      return text == "t" ? "true" : "false";
    case TypeId::kInt16:
    case TypeId::kInt32:
    case TypeId::kInt64:
    case TypeId::kNumeric:
      return text;
    case TypeId::kText:
    case TypeId::kVarchar:
    case TypeId::kChar:
    case TypeId::kUnknown:
      return Quoted(text);
    default:
      return absl::StrCat(ShortTypeName(value.type.id), " ", Quoted(text));
  }
}

class ExprPrinter {
 public:
  explicit ExprPrinter(const Schema& input) : input_(input) {}

  std::string Print(const Expr& expr) const {
    switch (expr.kind) {
      case ExprKind::kColumn:
        return ColumnName(expr.column_index);
      case ExprKind::kLiteral:
        return LiteralToString(expr.literal);
      case ExprKind::kCall:
        return PrintCall(expr);
      case ExprKind::kCast:
        return absl::StrCat(PrintOperand(*expr.args[0]), "::", TypeName(expr.type));
      case ExprKind::kCase:
        return PrintCase(expr);
    }
    return "";
  }

 private:
  std::string ColumnName(int index) const {
    if (index < 0 || static_cast<size_t>(index) >= input_.size()) return absl::StrCat("#", index);
    return input_[index].name;
  }

  // In parentheses if it is an operator or anything else that could be read wrongly.
  std::string PrintOperand(const Expr& expr) const {
    const bool simple = expr.kind == ExprKind::kColumn || expr.kind == ExprKind::kCast ||
                        (expr.kind == ExprKind::kLiteral && !IsNegative(expr.literal)) ||
                        (expr.kind == ExprKind::kCall && !IsOperator(expr.function));
    return simple ? Print(expr) : absl::StrCat("(", Print(expr), ")");
  }

  static bool IsNegative(const Value& value) {
    return value.type.is_number() && absl::StartsWith(ValueText(value), "-");
  }

  static bool IsOperator(absl::string_view function) {
    const absl::string_view name = function.substr(0, function.find('('));
    if (FindSymbol(name, 1) != nullptr || FindSymbol(name, 2) != nullptr) return true;
    return name == "and" || name == "or" || name == "not" || name == "in" ||
           absl::StartsWith(name, "is_");
  }

  static const OperatorName* FindSymbol(absl::string_view name, size_t num_args) {
    for (const OperatorName& entry : kOperatorNames) {
      if (name == entry.function && entry.unary == (num_args == 1)) return &entry;
    }
    return nullptr;
  }

  std::vector<std::string> PrintOperands(const Expr& expr) const {
    std::vector<std::string> texts;
    for (const ExprPtr& arg : expr.args) texts.push_back(PrintOperand(*arg));
    return texts;
  }

  std::string PrintCall(const Expr& expr) const {
    const absl::string_view function = expr.function;
    const absl::string_view name = function.substr(0, function.find('('));
    if (name == "and") return absl::StrJoin(PrintOperands(expr), " AND ");
    if (name == "or") return absl::StrJoin(PrintOperands(expr), " OR ");
    if (name == "not") return absl::StrCat("NOT ", PrintOperand(*expr.args[0]));
    if (name == "in") {
      std::vector<std::string> texts = PrintOperands(expr);
      const std::string needle = texts[0];
      texts.erase(texts.begin());
      return absl::StrCat(needle, " IN (", absl::StrJoin(texts, ", "), ")");
    }
    if (name == "is_distinct" || name == "is_not_distinct") {
      return absl::StrCat(PrintOperand(*expr.args[0]),
                          name == "is_distinct" ? " IS DISTINCT FROM " : " IS NOT DISTINCT FROM ",
                          PrintOperand(*expr.args[1]));
    }
    if (absl::StartsWith(name, "is_")) return PrintIsTest(name, *expr.args[0]);
    if (const OperatorName* entry = FindSymbol(name, expr.args.size())) {
      if (entry->unary) return absl::StrCat(entry->symbol, PrintOperand(*expr.args[0]));
      return absl::StrCat(PrintOperand(*expr.args[0]), " ", entry->symbol, " ",
                          PrintOperand(*expr.args[1]));
    }
    std::vector<std::string> texts;
    for (const ExprPtr& arg : expr.args) texts.push_back(Print(*arg));
    return absl::StrCat(name, "(", absl::StrJoin(texts, ", "), ")");
  }

  std::string PrintIsTest(absl::string_view name, const Expr& arg) const {
    const std::string test = absl::StrReplaceAll(name.substr(3), {{"_", " "}});
    return absl::StrCat(PrintOperand(arg), " IS ", absl::AsciiStrToUpper(test));
  }

  std::string PrintCase(const Expr& expr) const {
    std::string text = "CASE";
    for (size_t i = 0; i + 1 < expr.args.size(); i += 2) {
      absl::StrAppend(&text, " WHEN ", Print(*expr.args[i]), " THEN ", Print(*expr.args[i + 1]));
    }
    absl::StrAppend(&text, " ELSE ", Print(*expr.args.back()), " END");
    return text;
  }

  const Schema& input_;
};

}  // namespace

std::string ExprToString(const Expr& expr, const Schema& input) {
  return ExprPrinter(input).Print(expr);
}

}  // namespace millrace
