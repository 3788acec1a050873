#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/from_binder.h"
#include "coordinator/sql/parse_tree.h"

// FromBinder::BindJoin: ON, USING and NATURAL.

namespace millrace {
namespace {

absl::StatusOr<JoinType> TypeOf(PgQuery__JoinType type) {
  switch (type) {
    case PG_QUERY__JOIN_TYPE__JOIN_INNER:
      return JoinType::kInner;
    case PG_QUERY__JOIN_TYPE__JOIN_LEFT:
      return JoinType::kLeft;
    case PG_QUERY__JOIN_TYPE__JOIN_RIGHT:
      return JoinType::kRight;
    case PG_QUERY__JOIN_TYPE__JOIN_FULL:
      return JoinType::kFull;
    default:
      return InternalError("unknown type of join");
  }
}

// Names of the columns that are found without a qualifier, in order.
std::vector<std::string> VisibleNames(const Scope& scope) {
  std::vector<std::string> names;
  for (const ScopeItem& item : scope.items()) {
    if (!item.columns_visible) continue;
    for (const ScopeColumn& column : item.columns) names.push_back(column.name);
  }
  return names;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The names that both sides have, in the left one's order.
std::vector<std::string> CommonNames(const Scope& left, const Scope& right) {
  const std::vector<std::string> right_names = VisibleNames(right);
  std::vector<std::string> common;
  for (const std::string& name : VisibleNames(left)) {
    if (Contains(right_names, name) && !Contains(common, name)) common.push_back(name);
  }
  return common;
}

// Joins the scopes' columns by name. `left` and `right` are scopes of the joined row.
class UsingJoin {
 public:
  UsingJoin(JoinType type, const Scope& left, const Scope& right, int32_t position)
      : type_(type), left_(left), right_(right), position_(position) {}

  absl::Status Add(const std::string& name);

  std::vector<ExprPtr>& conditions() { return conditions_; }
  const std::vector<ScopeColumn>& merged() const { return merged_; }
  // The merged columns, then the others of the left and of the right side.
  ScopeItem Columns() const;

 private:
  absl::StatusOr<ExprPtr> Side(const Scope& scope, const std::string& name,
                               absl::string_view side) const;
  absl::StatusOr<ExprPtr> Merge(const ExprPtr& left, const ExprPtr& right) const;

  const JoinType type_;
  const Scope& left_;
  const Scope& right_;
  const int32_t position_;
  std::vector<ExprPtr> conditions_;
  std::vector<ScopeColumn> merged_;
};

absl::StatusOr<ExprPtr> UsingJoin::Side(const Scope& scope, const std::string& name,
                                        absl::string_view side) const {
  absl::StatusOr<ExprPtr> found = scope.Find(name, position_);
  if (!found.ok()) {
    return WithPosition(MakeError(SqlState::kAmbiguousColumn,
                                  absl::StrCat("common column name \"", name,
                                               "\" appears more than once in ", side, " table")),
                        position_);
  }
  if (*found != nullptr) return found;
  return WithPosition(
      MakeError(SqlState::kUndefinedColumn,
                absl::StrCat("column \"", name, "\" specified in USING clause does not exist in ",
                             side, " table")),
      position_);
}

absl::StatusOr<ExprPtr> UsingJoin::Merge(const ExprPtr& left, const ExprPtr& right) const {
  MR_ASSIGN_OR_RETURN(const SqlType type, CommonType({left, right}, "JOIN/USING", position_));
  MR_ASSIGN_OR_RETURN(ExprPtr from_left, BuildCast(left, type, CastContext::kImplicit, position_));
  MR_ASSIGN_OR_RETURN(ExprPtr from_right,
                      BuildCast(right, type, CastContext::kImplicit, position_));
  if (type_ == JoinType::kRight) return from_right;
  if (type_ == JoinType::kFull) {
    return BuildFunctionCall("coalesce", {std::move(from_left), std::move(from_right)}, position_);
  }
  // An inner join takes the side that needs no cast.
  const bool prefers_right = type_ == JoinType::kInner && from_left != left && from_right == right;
  return prefers_right ? from_right : from_left;
}

absl::Status UsingJoin::Add(const std::string& name) {
  for (const ScopeColumn& column : merged_) {
    if (column.name != name) continue;
    return WithPosition(MakeError(SqlState::kDuplicateColumn,
                                  absl::StrCat("column name \"", name,
                                               "\" appears more than once in USING clause")),
                        position_);
  }
  MR_ASSIGN_OR_RETURN(const ExprPtr left, Side(left_, name, "left"));
  MR_ASSIGN_OR_RETURN(const ExprPtr right, Side(right_, name, "right"));
  MR_ASSIGN_OR_RETURN(ExprPtr condition, BuildOperator("=", {left, right}, position_));
  conditions_.push_back(std::move(condition));
  MR_ASSIGN_OR_RETURN(ExprPtr merged, Merge(left, right));
  merged_.push_back({name, std::move(merged)});
  return absl::OkStatus();
}

ScopeItem UsingJoin::Columns() const {
  ScopeItem item;
  item.name_visible = false;
  item.columns = merged_;
  for (const Scope* side : {&left_, &right_}) {
    for (const ScopeItem& from : side->items()) {
      if (!from.columns_visible) continue;
      for (const ScopeColumn& column : from.columns) {
        const bool is_merged =
            std::any_of(merged_.begin(), merged_.end(),
                        [&](const ScopeColumn& merged) { return merged.name == column.name; });
        if (!is_merged) item.columns.push_back(column);
      }
    }
  }
  return item;
}

}  // namespace

absl::StatusOr<FromPlan> FromBinder::BindJoin(const PgQuery__JoinExpr& join) {
  const int32_t location = LocationOf(join.larg);
  const int32_t position = environment_.PositionOf(LocationOf(join.rarg));
  MR_ASSIGN_OR_RETURN(const JoinType type, TypeOf(join.jointype));
  MR_ASSIGN_OR_RETURN(FromPlan left, BindItem(*join.larg));
  MR_ASSIGN_OR_RETURN(FromPlan right, BindItem(*join.rarg));
  FromPlan joined;
  joined.scope = left.scope;
  const int left_width = static_cast<int>(left.plan->output.size());
  MR_RETURN_IF_ERROR(joined.scope.Append(right.scope, left_width, position));
  Scope shifted_right;
  MR_RETURN_IF_ERROR(shifted_right.Append(right.scope, left_width, position));

  std::vector<std::string> using_names = StringsOf(Nodes(join.n_using_clause, join.using_clause));
  if (join.is_natural) using_names = CommonNames(left.scope, right.scope);
  UsingJoin using_join(type, left.scope, shifted_right, position);
  for (const std::string& name : using_names) MR_RETURN_IF_ERROR(using_join.Add(name));
  ExprPtr condition = MakeConjunction(using_join.conditions());
  if (join.quals != nullptr) {
    ExpressionBinder binder(environment_, joined.scope, Clause::kJoin, nullptr);
    MR_ASSIGN_OR_RETURN(condition, binder.BindBoolean(join.quals, "argument of JOIN/ON"));
  }
  if (!using_names.empty() || join.alias != nullptr) {
    ScopeItem columns = using_join.Columns();
    for (ScopeItem& item : joined.scope.items()) item.columns_visible = false;
    joined.scope.items().insert(joined.scope.items().begin(), std::move(columns));
  }
  if (join.join_using_alias != nullptr) {
    ScopeItem item;
    item.name = join.join_using_alias->aliasname;
    item.columns = using_join.merged();
    item.columns_visible = false;
    joined.scope.Add(std::move(item));
  }
  joined.plan = NewJoin(type, std::move(left.plan), std::move(right.plan), std::move(condition));
  MR_RETURN_IF_ERROR(CountOperator(environment_.session, joined.plan->output.size(), position));
  if (join.alias == nullptr) return joined;
  // The alias hides the names of both sides.
  for (size_t i = 1; i < joined.scope.items().size(); ++i) {
    joined.scope.items()[i].name_visible = false;
  }
  return ApplyAlias(std::move(joined), join.alias, location);
}

}  // namespace millrace
