#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/expr/expr.h"
#include "coordinator/catalog/catalog_snapshot.h"

namespace millrace {

// A column that a name can mean; `expr` is over the row of the whole FROM clause. Mostly a plain
// column; the merged column of FULL JOIN … USING is a COALESCE.
struct ScopeColumn {
  std::string name;
  ExprPtr expr;
};

// One entry of FROM: a table, a subquery, or what a join makes of its two sides.
struct ScopeItem {
  // Alias, or the table's name; empty for a join without an alias.
  std::string name;
  std::vector<ScopeColumn> columns;
  // It can be named before a dot.
  bool name_visible = true;
  // Its columns are found without a qualifier, and by "*".
  bool columns_visible = true;
  // The table behind it, for grouping by its primary key; null for anything else.
  CatalogObjectPtr table;
};

// The names that an expression can use.
class Scope {
 public:
  const std::vector<ScopeItem>& items() const { return items_; }
  std::vector<ScopeItem>& items() { return items_; }

  void Add(ScopeItem item) { items_.push_back(std::move(item)); }
  // Appends the items of `right`, whose columns begin at `offset` of the joined row. 42712 for a
  // name that is on both sides.
  absl::Status Append(const Scope& right, int offset, int32_t position);

  // The column that `name` means; null if there is none. 42702 if there are several.
  absl::StatusOr<ExprPtr> Find(absl::string_view name, int32_t position) const;
  // The same with a qualifier: null if there is no such item or it has no such column.
  absl::StatusOr<ExprPtr> Find(absl::string_view qualifier, absl::string_view name,
                               int32_t position) const;
  // The item that a qualifier means; null if there is none.
  const ScopeItem* FindItem(absl::string_view qualifier) const;

  // 42703 for a column that nothing has, with the nearest name as hint; `qualifier` may be empty.
  absl::Status UndefinedColumn(absl::string_view qualifier, absl::string_view name,
                               int32_t position) const;
  // 42P01 for a qualifier that nothing has.
  absl::Status UndefinedQualifier(absl::string_view qualifier, int32_t position) const;

  // "t.x" or "x": how messages name column `index` of the row.
  std::string ColumnTitle(int index) const;

 private:
  std::vector<ScopeItem> items_;
};

// The column with its position set to where it is used.
ExprPtr AtPosition(const ExprPtr& expr, int32_t position);

}  // namespace millrace
