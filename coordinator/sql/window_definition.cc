#include "coordinator/sql/window_definition.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/sql/literals.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/statement_limits.h"

namespace millrace {
namespace {

// PostgreSQL's FRAMEOPTION_* bits.
enum FrameOption : int32_t {
  kNonDefault = 0x00001,
  kRange = 0x00002,
  kRows = 0x00004,
  kGroups = 0x00008,
  kStartUnboundedPreceding = 0x00020,
  kEndUnboundedPreceding = 0x00040,
  kStartUnboundedFollowing = 0x00080,
  kEndUnboundedFollowing = 0x00100,
  kStartCurrentRow = 0x00200,
  kEndCurrentRow = 0x00400,
  kStartOffsetPreceding = 0x00800,
  kEndOffsetPreceding = 0x01000,
  kStartOffsetFollowing = 0x02000,
  kEndOffsetFollowing = 0x04000,
  kExclusion = 0x08000 | 0x10000 | 0x20000,
};

absl::Status WindowingError(absl::string_view message, int32_t position) {
  return WithPosition(MakeError(SqlState::kWindowingError, message), position);
}

FrameBoundKind StartKind(int32_t options) {
  if (options & kStartUnboundedPreceding) return FrameBoundKind::kUnboundedPreceding;
  if (options & kStartOffsetPreceding) return FrameBoundKind::kPreceding;
  if (options & kStartOffsetFollowing) return FrameBoundKind::kFollowing;
  if (options & kStartUnboundedFollowing) return FrameBoundKind::kUnboundedFollowing;
  return FrameBoundKind::kCurrentRow;
}

FrameBoundKind EndKind(int32_t options) {
  if (options & kEndUnboundedFollowing) return FrameBoundKind::kUnboundedFollowing;
  if (options & kEndOffsetPreceding) return FrameBoundKind::kPreceding;
  if (options & kEndOffsetFollowing) return FrameBoundKind::kFollowing;
  if (options & kEndUnboundedPreceding) return FrameBoundKind::kUnboundedPreceding;
  return FrameBoundKind::kCurrentRow;
}

class WindowBinder {
 public:
  explicit WindowBinder(ExpressionBinder& binder)
      : binder_(binder), environment_(binder.environment()) {}

  absl::StatusOr<WindowDefinition> Bind(const PgQuery__WindowDef& definition, int depth);

 private:
  absl::StatusOr<WindowDefinition> BindBase(const PgQuery__WindowDef& definition, int depth);
  absl::Status BindFrame(const PgQuery__WindowDef& definition, WindowDefinition* window);
  // What the distance of a frame bound must be: a count, or the type that the order key is moved
  // by.
  absl::StatusOr<SqlType> OffsetType(const WindowDefinition& window, absl::string_view unit,
                                     int32_t position) const;
  absl::StatusOr<Value> BindOffset(const PgQuery__Node* node, const WindowDefinition& window,
                                   absl::string_view which);
  absl::Status CheckNotNegative(const Value& value, absl::string_view which,
                                int32_t position) const;
  const PgQuery__WindowDef* FindNamed(absl::string_view name) const;

  ExpressionBinder& binder_;
  const QueryEnvironment& environment_;
};

const PgQuery__WindowDef* WindowBinder::FindNamed(absl::string_view name) const {
  for (const PgQuery__WindowDef* definition : binder_.parts()->named_windows) {
    if (name == definition->name) return definition;
  }
  return nullptr;
}

// OVER (w …) and WINDOW v AS (w …) take over partition and order of w.
absl::StatusOr<WindowDefinition> WindowBinder::BindBase(const PgQuery__WindowDef& definition,
                                                        int depth) {
  const std::string name = definition.refname;
  const int32_t position = environment_.PositionOf(definition.location);
  const PgQuery__WindowDef* base = FindNamed(name);
  const bool loops = depth > static_cast<int>(binder_.parts()->named_windows.size());
  if (base == nullptr || loops) {
    return WithPosition(
        MakeError(SqlState::kUndefinedObject, absl::StrCat("window \"", name, "\" does not exist")),
        position);
  }
  MR_ASSIGN_OR_RETURN(WindowDefinition window, Bind(*base, depth + 1));
  if (definition.n_partition_clause > 0) {
    return WindowingError(
        absl::StrCat("cannot override PARTITION BY clause of window \"", name, "\""), position);
  }
  if (definition.n_order_clause > 0 && !window.order.empty()) {
    return WindowingError(absl::StrCat("cannot override ORDER BY clause of window \"", name, "\""),
                          position);
  }
  if (base->frame_options & kNonDefault) {
    return WindowingError(
        absl::StrCat("cannot copy window \"", name, "\" because it has a frame clause"), position);
  }
  return window;
}

absl::StatusOr<WindowDefinition> WindowBinder::Bind(const PgQuery__WindowDef& definition,
                                                    int depth) {
  // OVER w means the window itself, with its frame.
  const bool over_name = definition.name[0] != '\0' && depth == 0;
  if (over_name) {
    const PgQuery__WindowDef* named = FindNamed(definition.name);
    if (named == nullptr) {
      return WithPosition(
          MakeError(SqlState::kUndefinedObject,
                    absl::StrCat("window \"", definition.name, "\" does not exist")),
          environment_.PositionOf(definition.location));
    }
    return Bind(*named, 1);
  }
  const size_t num_keys = definition.n_partition_clause + definition.n_order_clause;
  MR_RETURN_IF_ERROR(WithPosition(CheckListLength(num_keys, "a window definition"),
                                  environment_.PositionOf(definition.location)));
  WindowDefinition window;
  if (definition.refname[0] != '\0') {
    MR_ASSIGN_OR_RETURN(window, BindBase(definition, depth));
  }
  for (const ParseNode* node : Nodes(definition.n_partition_clause, definition.partition_clause)) {
    MR_ASSIGN_OR_RETURN(ExprPtr key, binder_.Bind(node));
    window.partition.push_back(std::move(key));
  }
  for (const ParseNode* node : Nodes(definition.n_order_clause, definition.order_clause)) {
    MR_ASSIGN_OR_RETURN(ExprPtr expr, binder_.Bind(node->sort_by->node));
    MR_ASSIGN_OR_RETURN(SortKey key, MakeSortKey(*node->sort_by, std::move(expr), environment_));
    window.order.push_back(std::move(key));
  }
  MR_RETURN_IF_ERROR(BindFrame(definition, &window));
  return window;
}

absl::Status WindowBinder::BindFrame(const PgQuery__WindowDef& definition,
                                     WindowDefinition* window) {
  const int32_t options = definition.frame_options;
  const int32_t position = environment_.PositionOf(definition.location);
  if (options & kExclusion) return WithPosition(NotSupported("EXCLUDE in a frame"), position);
  OverFrame& frame = window->frame;
  frame.unit = (options & kRows)     ? FrameUnit::kRows
               : (options & kGroups) ? FrameUnit::kGroups
                                     : FrameUnit::kRange;
  frame.start = StartKind(options);
  frame.end = EndKind(options);
  if (frame.unit == FrameUnit::kGroups && window->order.empty()) {
    return WindowingError("GROUPS mode requires an ORDER BY clause", position);
  }
  const bool has_offset = definition.start_offset != nullptr || definition.end_offset != nullptr;
  if (frame.unit == FrameUnit::kRange && has_offset && window->order.size() != 1) {
    return WindowingError(
        "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column", position);
  }
  if (definition.start_offset != nullptr) {
    MR_ASSIGN_OR_RETURN(frame.start_offset,
                        BindOffset(definition.start_offset, *window, "starting"));
  }
  if (definition.end_offset != nullptr) {
    MR_ASSIGN_OR_RETURN(frame.end_offset, BindOffset(definition.end_offset, *window, "ending"));
  }
  return absl::OkStatus();
}

absl::StatusOr<SqlType> WindowBinder::OffsetType(const WindowDefinition& window,
                                                 absl::string_view unit, int32_t position) const {
  if (unit != "RANGE") return SqlType::Of(TypeId::kInt64);
  const SqlType key = window.order[0].expr->type;
  switch (key.id) {
    case TypeId::kInt16:
    case TypeId::kInt32:
    case TypeId::kInt64:
      return SqlType::Of(TypeId::kInt64);
    case TypeId::kFloat32:
    case TypeId::kFloat64:
      return SqlType::Of(TypeId::kFloat64);
    case TypeId::kNumeric:
      return key;
    case TypeId::kDate:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
    case TypeId::kInterval:
      return SqlType::Of(TypeId::kInterval);
    default:
      return WithPosition(
          NotSupported(absl::StrCat("RANGE with offset PRECEDING/FOLLOWING for column type ",
                                    TypeName(key))),
          position);
  }
}

absl::StatusOr<Value> WindowBinder::BindOffset(const PgQuery__Node* node,
                                               const WindowDefinition& window,
                                               absl::string_view which) {
  const char* unit = window.frame.unit == FrameUnit::kRows    ? "ROWS"
                     : window.frame.unit == FrameUnit::kRange ? "RANGE"
                                                              : "GROUPS";
  const int32_t position = environment_.PositionOf(LocationOf(node));
  ExpressionBinder constants(environment_, binder_.scope(), Clause::kFrame, nullptr);
  MR_ASSIGN_OR_RETURN(ExprPtr expr, constants.Bind(node));
  bool has_column = false;
  ForEachColumn(*expr, [&](int) { has_column = true; });
  if (has_column) {
    return WithPosition(
        MakeError(SqlState::kInvalidColumnReference,
                  absl::StrCat("argument of ", unit, " must not contain variables")),
        position);
  }
  MR_ASSIGN_OR_RETURN(const SqlType type, OffsetType(window, unit, position));
  const bool fits = expr->type.id == TypeId::kUnknown || expr->type.id == type.id ||
                    (expr->type.is_number() && type.is_number());
  if (!fits && window.frame.unit == FrameUnit::kRange) {
    return WithPosition(
        NotSupported(absl::StrCat("RANGE with offset PRECEDING/FOLLOWING for column type ",
                                  TypeName(SqlType::Of(window.order[0].expr->type.id)),
                                  " and offset type ", TypeName(SqlType::Of(expr->type.id)))),
        position);
  }
  MR_ASSIGN_OR_RETURN(expr, BuildCast(std::move(expr), type, CastContext::kImplicit, position));
  MR_ASSIGN_OR_RETURN(Value value, ConstantValue(*expr, environment_));
  if (value.is_null()) {
    return WithPosition(MakeError(SqlState::kNullValueNotAllowed,
                                  absl::StrCat("frame ", which, " offset must not be null")),
                        position);
  }
  MR_RETURN_IF_ERROR(CheckNotNegative(value, which, position));
  return value;
}

absl::Status WindowBinder::CheckNotNegative(const Value& value, absl::string_view which,
                                            int32_t position) const {
  bool negative = false;
  if (const auto* integer = std::get_if<int64_t>(&value.value)) negative = *integer < 0;
  if (const auto* real = std::get_if<double>(&value.value)) negative = !(*real >= 0);
  if (const auto* decimal = std::get_if<__int128>(&value.value)) negative = *decimal < 0;
  if (const auto* interval = std::get_if<IntervalParts>(&value.value)) {
    negative = interval->months < 0 || interval->days < 0 || interval->micros < 0;
  }
  if (!negative) return absl::OkStatus();
  return WithPosition(MakeError(SqlState::kInvalidFrameOffset,
                                absl::StrCat("frame ", which, " offset must not be negative")),
                      position);
}

}  // namespace

absl::StatusOr<SortKey> MakeSortKey(const PgQuery__SortBy& sort, ExprPtr expr,
                                    const QueryEnvironment& environment) {
  const int32_t position = environment.PositionOf(LocationOf(sort.node));
  if (sort.sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_USING) {
    return WithPosition(NotSupported("ORDER BY … USING"), position);
  }
  SortKey key;
  if (expr->type.id == TypeId::kUnknown) {
    MR_ASSIGN_OR_RETURN(expr, BuildCast(std::move(expr), SqlType::Of(TypeId::kText),
                                        CastContext::kImplicit, position));
  }
  key.expr = std::move(expr);
  key.descending = sort.sortby_dir == PG_QUERY__SORT_BY_DIR__SORTBY_DESC;
  key.nulls_first = key.descending;
  if (sort.sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_FIRST) key.nulls_first = true;
  if (sort.sortby_nulls == PG_QUERY__SORT_BY_NULLS__SORTBY_NULLS_LAST) key.nulls_first = false;
  return key;
}

absl::StatusOr<WindowDefinition> BindWindowDefinition(ExpressionBinder& binder,
                                                      const PgQuery__WindowDef& definition) {
  return WindowBinder(binder).Bind(definition, 0);
}

absl::Status CheckWindowNames(const QueryEnvironment& environment,
                              const std::vector<const PgQuery__WindowDef*>& definitions) {
  for (size_t i = 0; i < definitions.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (absl::string_view(definitions[i]->name) != definitions[j]->name) continue;
      return WindowingError(
          absl::StrCat("window \"", definitions[i]->name, "\" is already defined"),
          environment.PositionOf(definitions[i]->location));
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace
