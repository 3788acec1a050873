#include "coordinator/sql/scope.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/nearest_name.h"
#include "common/base/status.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

ExprPtr Shift(const ExprPtr& expr, int offset) {
  if (offset == 0) return expr;
  int largest = -1;
  ForEachColumn(*expr, [&](int column) { largest = std::max(largest, column); });
  std::vector<int> mapping;
  for (int i = 0; i <= largest; ++i) mapping.push_back(i + offset);
  return RemapColumns(expr, mapping);
}

absl::Status Ambiguous(absl::string_view name, int32_t position) {
  return WithPosition(MakeError(SqlState::kAmbiguousColumn,
                                absl::StrCat("column reference \"", name, "\" is ambiguous")),
                      position);
}

}  // namespace

ExprPtr AtPosition(const ExprPtr& expr, int32_t position) {
  auto copy = std::make_shared<Expr>(*expr);
  copy->position = position;
  return copy;
}

absl::Status Scope::Append(const Scope& right, int offset, int32_t position) {
  for (const ScopeItem& item : right.items_) {
    if (item.name_visible && !item.name.empty() && FindItem(item.name) != nullptr) {
      return WithPosition(
          MakeError(SqlState::kDuplicateAlias,
                    absl::StrCat("table name \"", item.name, "\" specified more than once")),
          position);
    }
  }
  for (ScopeItem item : right.items_) {
    for (ScopeColumn& column : item.columns) column.expr = Shift(column.expr, offset);
    items_.push_back(std::move(item));
  }
  return absl::OkStatus();
}

absl::StatusOr<ExprPtr> Scope::Find(absl::string_view name, int32_t position) const {
  ExprPtr found;
  for (const ScopeItem& item : items_) {
    if (!item.columns_visible) continue;
    for (const ScopeColumn& column : item.columns) {
      if (column.name != name) continue;
      if (found != nullptr) return Ambiguous(name, position);
      found = AtPosition(column.expr, position);
    }
  }
  return found;
}

absl::StatusOr<ExprPtr> Scope::Find(absl::string_view qualifier, absl::string_view name,
                                    int32_t position) const {
  const ScopeItem* item = FindItem(qualifier);
  ExprPtr found;
  if (item == nullptr) return found;
  for (const ScopeColumn& column : item->columns) {
    if (column.name != name) continue;
    if (found != nullptr) return Ambiguous(name, position);
    found = AtPosition(column.expr, position);
  }
  return found;
}

const ScopeItem* Scope::FindItem(absl::string_view qualifier) const {
  for (const ScopeItem& item : items_) {
    if (item.name_visible && item.name == qualifier) return &item;
  }
  return nullptr;
}

absl::Status Scope::UndefinedColumn(absl::string_view qualifier, absl::string_view name,
                                    int32_t position) const {
  std::vector<std::string> candidates;
  std::vector<std::string> titles;
  for (const ScopeItem& item : items_) {
    if (!item.name_visible && !item.columns_visible) continue;
    if (!qualifier.empty() && item.name != qualifier) continue;
    for (const ScopeColumn& column : item.columns) {
      candidates.push_back(column.name);
      titles.push_back(item.name.empty() ? column.name : absl::StrCat(item.name, ".", column.name));
    }
  }
  // In names of one or two letters everything is near.
  constexpr size_t kMinLetters = 3;
  const std::string nearest = name.size() < kMinLetters ? "" : NearestName(name, candidates);
  std::string hint;
  for (size_t i = 0; i < candidates.size() && hint.empty() && !nearest.empty(); ++i) {
    if (candidates[i] != nearest) continue;
    hint = absl::StrCat("Perhaps you meant to reference the column \"", titles[i], "\".");
  }
  const std::string column =
      qualifier.empty() ? absl::StrCat("\"", name, "\"") : absl::StrCat(qualifier, ".", name);
  return WithPosition(MakeError(SqlState::kUndefinedColumn,
                                absl::StrCat("column ", column, " does not exist"), hint),
                      position);
}

absl::Status Scope::UndefinedQualifier(absl::string_view qualifier, int32_t position) const {
  std::vector<std::string> names;
  for (const ScopeItem& item : items_) {
    if (item.name_visible && !item.name.empty()) names.push_back(item.name);
    if (item.name == qualifier ||
        (item.table != nullptr && item.name_visible && item.table->name() == qualifier)) {
      const std::string hint =
          item.name == qualifier
              ? absl::StrCat("There is an entry for table \"", qualifier,
                             "\", but it cannot be referenced from this part of the query.")
              : absl::StrCat("Perhaps you meant to reference the table alias \"", item.name, "\".");
      return WithPosition(
          MakeError(
              SqlState::kUndefinedTable,
              absl::StrCat("invalid reference to FROM-clause entry for table \"", qualifier, "\""),
              hint),
          position);
    }
  }
  const std::string nearest = NearestName(qualifier, names);
  const std::string hint =
      nearest.empty() ? ""
                      : absl::StrCat("Perhaps you meant to reference the table \"", nearest, "\".");
  return WithPosition(
      MakeError(SqlState::kUndefinedTable,
                absl::StrCat("missing FROM-clause entry for table \"", qualifier, "\""), hint),
      position);
}

std::string Scope::ColumnTitle(int index) const {
  for (const ScopeItem& item : items_) {
    if (!item.name_visible) continue;
    for (const ScopeColumn& column : item.columns) {
      const bool same =
          column.expr->kind == ExprKind::kColumn && column.expr->column_index == index;
      if (!same) continue;
      return item.name.empty() ? column.name : absl::StrCat(item.name, ".", column.name);
    }
  }
  for (const ScopeItem& item : items_) {
    for (const ScopeColumn& column : item.columns) {
      if (column.expr->kind == ExprKind::kColumn && column.expr->column_index == index) {
        return column.name;
      }
    }
  }
  return absl::StrCat("column ", index + 1);
}

}  // namespace millrace
