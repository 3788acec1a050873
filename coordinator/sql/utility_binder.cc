#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/from_binder.h"
#include "coordinator/sql/literals.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/settings.h"
#include "coordinator/sql/statement_binder.h"
#include "millrace/v1/catalog.pb.h"

// The members of StatementBinder for DROP, SHOW, DESCRIBE, SET and CALL.

namespace millrace {
namespace {

constexpr int64_t kMicrosPerDay = int64_t{24} * 3600 * 1'000'000;
// How long CALL millrace.wait_for waits if it is not told.
constexpr int64_t kDefaultWaitMicros = int64_t{60} * 1'000'000;

// What a DROP names, in messages.
struct ClassWords {
  ObjectClass object_class;
  const char* noun;
  // What the statement for it is called.
  const char* statement;
};
constexpr ClassWords kClasses[] = {
    {ObjectClass::kTable, "table", "DROP TABLE"},
    {ObjectClass::kView, "view", "DROP VIEW"},
    {ObjectClass::kMaterializedView, "materialized view", "DROP MATERIALIZED VIEW"},
    {ObjectClass::kSource, "source", "DROP SOURCE"},
};

const ClassWords& WordsOf(ObjectClass object_class) {
  for (const ClassWords& words : kClasses) {
    if (words.object_class == object_class) return words;
  }
  return kClasses[0];
}

ObjectClass ClassOf(const v1::CatalogObject& object) {
  switch (object.kind()) {
    case v1::OBJECT_KIND_VIEW:
      return ObjectClass::kView;
    case v1::OBJECT_KIND_MATERIALIZED_VIEW:
      return ObjectClass::kMaterializedView;
    case v1::OBJECT_KIND_SOURCE:
      return ObjectClass::kSource;
    default:
      return ObjectClass::kTable;
  }
}

// A definition of outside data is made by CREATE TABLE or CREATE SOURCE, and dropped by either.
bool MayDrop(ObjectClass statement, ObjectClass object) {
  return statement == object ||
         (statement == ObjectClass::kTable && object == ObjectClass::kSource);
}

}  // namespace

absl::StatusOr<BoundDrop> StatementBinder::BindDrop(const PgQuery__DropStmt& drop) {
  BoundDrop bound;
  switch (drop.remove_type) {
    case PG_QUERY__OBJECT_TYPE__OBJECT_TABLE:
      bound.object_class = statement_.prepass().head == StatementHead::kSource
                               ? ObjectClass::kSource
                               : ObjectClass::kTable;
      break;
    case PG_QUERY__OBJECT_TYPE__OBJECT_VIEW:
      bound.object_class = ObjectClass::kView;
      break;
    case PG_QUERY__OBJECT_TYPE__OBJECT_MATVIEW:
      bound.object_class = ObjectClass::kMaterializedView;
      break;
    default: {
      const SqlToken& object = statement_.prepass().tokens[1];
      return Refuse(absl::StrCat("DROP ", absl::AsciiStrToUpper(object.text)),
                    statement_.prepass().tokens[0].begin);
    }
  }
  bound.if_exists = drop.missing_ok;
  bound.cascade = drop.behavior == PG_QUERY__DROP_BEHAVIOR__DROP_CASCADE;
  const ClassWords& words = WordsOf(bound.object_class);
  for (const ParseNode* node : Nodes(drop.n_objects, drop.objects)) {
    std::vector<std::string> parts = StringsOf(ItemsOf(node));
    if (parts.size() == 2 && parts[0] == "public") parts.erase(parts.begin());
    const std::string name = absl::StrJoin(parts, ".");
    const int32_t position = PositionOfName(parts.back());
    if (bound.name_position == 0) bound.name_position = position;
    const CatalogObjectPtr object = session_.catalog.Find(name);
    if (object == nullptr && !bound.if_exists) {
      const std::string nearest = session_.catalog.NearestName(name);
      return WithPosition(
          MakeError(SqlState::kUndefinedTable,
                    absl::StrCat(words.noun, " \"", name, "\" does not exist"),
                    nearest.empty() ? "" : absl::StrCat("Perhaps you meant \"", nearest, "\".")),
          position);
    }
    if (object != nullptr && object->connector() == kSystemConnector) {
      return WithPosition(MakeError(SqlState::kInsufficientPrivilege,
                                    absl::StrCat("cannot drop system view \"", name, "\"")),
                          position);
    }
    if (object != nullptr && !MayDrop(bound.object_class, ClassOf(*object))) {
      return WithPosition(
          MakeError(SqlState::kWrongObjectType,
                    absl::StrCat("\"", name, "\" is not a ", words.noun),
                    absl::StrCat("Use ", WordsOf(ClassOf(*object)).statement, ".")),
          position);
    }
    bound.names.push_back(name);
  }
  return bound;
}

absl::StatusOr<BoundShow> StatementBinder::BindShow(const PgQuery__VariableShowStmt& show) {
  BoundShow bound;
  bound.what = absl::AsciiStrToLower(show.name);
  for (const char* known : {"tables", "views", "sinks", "jobs", "functions", "all"}) {
    if (bound.what == known) return bound;
  }
  const absl::Status found = FindSetting(bound.what).status();
  if (!found.ok()) return WithPosition(found, PositionOfName(bound.what));
  return bound;
}

absl::StatusOr<BoundSet> StatementBinder::BindSet(const PgQuery__VariableSetStmt& set) {
  BoundSet bound;
  bound.name = absl::AsciiStrToLower(set.name);
  if (set.is_local) return Refuse("SET LOCAL", 0);
  if (set.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET_ALL) {
    bound.name = "all";
    return bound;
  }
  const bool one_variable = set.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE ||
                            set.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_SET_DEFAULT ||
                            set.kind == PG_QUERY__VARIABLE_SET_KIND__VAR_RESET;
  if (!one_variable) return Refuse("this form of SET", 0);
  const int32_t position = PositionOfName(bound.name == "timezone" ? "time" : bound.name);
  const absl::Status found = FindSetting(bound.name).status();
  if (!found.ok()) return WithPosition(found, position);
  if (set.kind != PG_QUERY__VARIABLE_SET_KIND__VAR_SET_VALUE) return bound;
  if (set.n_args != 1) {
    return WithPosition(MakeError(SqlState::kInvalidParameterValue,
                                  absl::StrCat("SET ", bound.name, " takes only one argument")),
                        position);
  }
  const std::optional<std::string> value = OptionText(*set.args[0]);
  if (!value.has_value()) return Refuse("this value in SET", LocationOf(set.args[0]));
  absl::StatusOr<std::string> normalized = NormalizeSetting(bound.name, *value);
  if (!normalized.ok()) {
    return WithPosition(normalized.status(), PositionOf(LocationOf(set.args[0])));
  }
  bound.value = *std::move(normalized);
  return bound;
}

absl::StatusOr<BoundDescribe> StatementBinder::BindDescribe(const PgQuery__SelectStmt& table) {
  const bool one_name = table.n_from_clause == 1 && table.n_sort_clause == 0 &&
                        table.limit_count == nullptr && table.limit_offset == nullptr &&
                        table.op == PG_QUERY__SET_OPERATION__SETOP_NONE &&
                        table.n_locking_clause == 0 &&
                        IsNode(table.from_clause[0], PG_QUERY__NODE__NODE_RANGE_VAR) &&
                        table.from_clause[0]->range_var->alias == nullptr;
  if (!one_name) {
    return WithPosition(MakeError(SqlState::kSyntaxError, "DESCRIBE takes one name"),
                        PositionOf(statement_.prepass().tokens[0].begin));
  }
  BoundDescribe bound;
  MR_ASSIGN_OR_RETURN(bound.object,
                      FromBinder(environment_).FindObject(*table.from_clause[0]->range_var));
  return bound;
}

namespace {

// CALL millrace.wait_for(view, mode [, value [, timeout]]).
class WaitForBinder {
 public:
  WaitForBinder(const QueryEnvironment& environment, const PgQuery__FuncCall& call)
      : environment_(environment), call_(call), position_(environment.PositionOf(call.location)) {}

  absl::StatusOr<BoundWaitFor> Bind();

 private:
  absl::StatusOr<Value> Argument(size_t index, const SqlType& type);
  absl::Status BindView(BoundWaitFor* wait);
  absl::Status BindTimeout(size_t index, BoundWaitFor* wait);
  absl::Status Wrong(absl::string_view message, int32_t position) const {
    return WithPosition(MakeError(SqlState::kInvalidParameterValue, message,
                                  "Write CALL millrace.wait_for('view', 'complete' | 'watermark' | "
                                  "'rows', value, timeout)."),
                        position);
  }

  const QueryEnvironment& environment_;
  const PgQuery__FuncCall& call_;
  const int32_t position_;
};

absl::StatusOr<Value> WaitForBinder::Argument(size_t index, const SqlType& type) {
  const int32_t position = environment_.PositionOf(LocationOf(call_.args[index]));
  const Scope no_columns;
  ExpressionBinder binder(environment_, no_columns, Clause::kCall, nullptr);
  MR_ASSIGN_OR_RETURN(ExprPtr expr, binder.Bind(call_.args[index]));
  MR_ASSIGN_OR_RETURN(expr, BuildCast(std::move(expr), type, CastContext::kAssignment, position));
  return EvaluateConstant(*expr);
}

absl::Status WaitForBinder::BindView(BoundWaitFor* wait) {
  const int32_t position = environment_.PositionOf(LocationOf(call_.args[0]));
  MR_ASSIGN_OR_RETURN(const Value name, Argument(0, SqlType::Of(TypeId::kText)));
  if (name.is_null()) return Wrong("the name of the view is NULL", position);
  const std::string& text = std::get<std::string>(name.value);
  wait->view = environment_.session.catalog.Find(text);
  if (wait->view == nullptr) {
    const std::string nearest = environment_.session.catalog.NearestName(text);
    return WithPosition(
        MakeError(SqlState::kUndefinedTable,
                  absl::StrCat("relation \"", text, "\" does not exist"),
                  nearest.empty() ? "" : absl::StrCat("Perhaps you meant \"", nearest, "\".")),
        position);
  }
  if (wait->view->kind() == v1::OBJECT_KIND_MATERIALIZED_VIEW) return absl::OkStatus();
  return WithPosition(MakeError(SqlState::kWrongObjectType,
                                absl::StrCat("\"", text, "\" is not a materialized view")),
                      position);
}

absl::Status WaitForBinder::BindTimeout(size_t index, BoundWaitFor* wait) {
  MR_ASSIGN_OR_RETURN(const Value timeout, Argument(index, SqlType::Of(TypeId::kInterval)));
  if (timeout.is_null()) return absl::OkStatus();
  const IntervalParts& parts = std::get<IntervalParts>(timeout.value);
  int64_t micros = 0;
  if (parts.months != 0 || __builtin_mul_overflow(int64_t{parts.days}, kMicrosPerDay, &micros) ||
      __builtin_add_overflow(micros, parts.micros, &micros) || micros < 0) {
    return Wrong("the timeout must be a positive interval without months",
                 environment_.PositionOf(LocationOf(call_.args[index])));
  }
  wait->timeout_micros = micros;
  return absl::OkStatus();
}

absl::StatusOr<BoundWaitFor> WaitForBinder::Bind() {
  constexpr size_t kMinArgs = 2;
  constexpr size_t kMaxArgs = 4;
  if (call_.n_args < kMinArgs || call_.n_args > kMaxArgs) {
    return Wrong("millrace.wait_for takes two to four arguments", position_);
  }
  BoundWaitFor wait;
  wait.timeout_micros = kDefaultWaitMicros;
  MR_RETURN_IF_ERROR(BindView(&wait));
  MR_ASSIGN_OR_RETURN(const Value mode, Argument(1, SqlType::Of(TypeId::kText)));
  wait.mode = mode.is_null() ? "" : absl::AsciiStrToLower(std::get<std::string>(mode.value));
  const int32_t mode_position = environment_.PositionOf(LocationOf(call_.args[1]));
  // 'complete' needs no value: a third argument alone is the timeout.
  const bool complete = wait.mode == "complete";
  const size_t timeout_index = complete && call_.n_args == kMaxArgs - 1 ? 2 : 3;
  if (wait.mode == "watermark") {
    wait.value = Value::Null(SqlType::Of(TypeId::kTimestamp));
  } else if (wait.mode == "rows") {
    wait.value = Value::Null(SqlType::Of(TypeId::kInt64));
  } else if (!complete) {
    return Wrong(absl::StrCat("unknown mode \"", wait.mode, "\" of millrace.wait_for"),
                 mode_position);
  }
  if (!complete) {
    if (call_.n_args == kMinArgs) {
      return Wrong(absl::StrCat("mode \"", wait.mode, "\" needs a value"), mode_position);
    }
    MR_ASSIGN_OR_RETURN(wait.value, Argument(2, SqlType(wait.value.type)));
    if (wait.value.is_null()) {
      return Wrong("the value to wait for is NULL",
                   environment_.PositionOf(LocationOf(call_.args[2])));
    }
  }
  if (timeout_index < call_.n_args) MR_RETURN_IF_ERROR(BindTimeout(timeout_index, &wait));
  return wait;
}

}  // namespace

absl::StatusOr<BoundWaitFor> StatementBinder::BindCall(const PgQuery__CallStmt& call) {
  const PgQuery__FuncCall& function = *call.funccall;
  const std::string name =
      absl::StrJoin(StringsOf(Nodes(function.n_funcname, function.funcname)), ".");
  if (name != "millrace.wait_for") {
    return WithPosition(
        MakeError(SqlState::kUndefinedFunction, absl::StrCat("procedure ", name, " does not exist"),
                  "There is millrace.wait_for(view, mode, value, timeout)."),
        PositionOf(function.location));
  }
  return WaitForBinder(environment_, function).Bind();
}

}  // namespace millrace
