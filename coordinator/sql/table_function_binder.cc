#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_registry.h"
#include "common/types/calendar.h"
#include "coordinator/logical_plan/new_node.h"
#include "coordinator/sql/expression_binder.h"
#include "coordinator/sql/from_binder.h"
#include "coordinator/sql/literals.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/series_binder.h"

// FromBinder::BindFunction: tumble, hop, cumulate and generate_series in FROM.

namespace millrace {
namespace {

// Rows that one row may become.
constexpr int64_t kMaxWindowsPerRow = 10'000;

// What a window function takes: its parameters behind the table and the time column.
struct FunctionForm {
  const char* name;
  WindowKind kind;
  std::vector<std::string> parameters;
  size_t num_required;
};

const std::vector<FunctionForm>& Forms() {
  static const auto* const kForms = new std::vector<FunctionForm>{
      {"tumble", WindowKind::kTumble, {"size", "offset"}, 1},
      {"hop", WindowKind::kHop, {"slide", "size", "offset"}, 2},
      {"cumulate", WindowKind::kCumulate, {"step", "size", "offset"}, 2},
  };
  return *kForms;
}

// The arguments by parameter: "data", "timecol" and those of the form.
using ArgumentMap = std::map<std::string, const ParseNode*>;

class WindowFunctionBinder {
 public:
  WindowFunctionBinder(const QueryEnvironment& environment, const PgQuery__FuncCall& call,
                       const FunctionForm& form)
      : environment_(environment),
        call_(call),
        form_(form),
        position_(environment.PositionOf(call.location)) {}

  absl::Status ReadArguments();
  const ParseNode& input() const { return *arguments_.at("data"); }
  // Over the rows of `input`.
  absl::StatusOr<LogicalPtr> Bind(const FromPlan& input);

 private:
  absl::StatusOr<int> TimeColumn(const FromPlan& input);
  // The length in microseconds; absent if the parameter is left out.
  absl::StatusOr<std::optional<int64_t>> Length(const std::string& parameter);
  absl::Status CheckLengths(const WindowSpec& spec) const;
  absl::Status Wrong(absl::string_view message, int32_t position) const {
    return WithPosition(MakeError(SqlState::kInvalidParameterValue, message), position);
  }
  absl::Status WrongArguments() const;

  const QueryEnvironment& environment_;
  const PgQuery__FuncCall& call_;
  const FunctionForm& form_;
  const int32_t position_;
  ArgumentMap arguments_;
};

absl::Status WindowFunctionBinder::WrongArguments() const {
  std::string usage = absl::StrCat(form_.name, "(table, time column");
  for (size_t i = 0; i < form_.parameters.size(); ++i) {
    absl::StrAppend(&usage, i < form_.num_required ? ", " : " [, ", form_.parameters[i],
                    i < form_.num_required ? "" : "]");
  }
  return WithPosition(
      MakeError(SqlState::kUndefinedFunction, absl::StrCat("wrong arguments for ", form_.name),
                absl::StrCat("Write ", usage, ").")),
      position_);
}

absl::Status WindowFunctionBinder::ReadArguments() {
  std::vector<std::string> names = {"data", "timecol"};
  names.insert(names.end(), form_.parameters.begin(), form_.parameters.end());
  const ParseNodes args = Nodes(call_.n_args, call_.args);
  for (size_t i = 0; i < args.size(); ++i) {
    const bool named = IsNode(args[i], PG_QUERY__NODE__NODE_NAMED_ARG_EXPR);
    if (!named && i >= names.size()) return WrongArguments();
    const std::string name =
        named ? absl::AsciiStrToLower(args[i]->named_arg_expr->name) : names[i];
    const bool known = std::find(names.begin(), names.end(), name) != names.end();
    if (!known || arguments_.contains(name)) return WrongArguments();
    arguments_[name] = named ? args[i]->named_arg_expr->arg : args[i];
  }
  for (size_t i = 0; i < 2 + form_.num_required; ++i) {
    if (!arguments_.contains(names[i])) return WrongArguments();
  }
  return absl::OkStatus();
}

absl::StatusOr<int> WindowFunctionBinder::TimeColumn(const FromPlan& input) {
  const ParseNode& arg = *arguments_.at("timecol");
  const int32_t position = environment_.PositionOf(LocationOf(&arg));
  ExprPtr column;
  if (IsNode(&arg, PG_QUERY__NODE__NODE_A_CONST) &&
      arg.a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL) {
    // The name as a text, as some dialects have it.
    MR_ASSIGN_OR_RETURN(column, input.scope.Find(arg.a_const->sval->sval, position));
    if (column == nullptr) {
      return input.scope.UndefinedColumn("", arg.a_const->sval->sval, position);
    }
  } else {
    ExpressionBinder binder(environment_, input.scope, Clause::kFromFunction, nullptr);
    MR_ASSIGN_OR_RETURN(column, binder.Bind(&arg));
  }
  if (column->kind != ExprKind::kColumn) {
    return Wrong(absl::StrCat("the second argument of ", form_.name, " must be a column"),
                 position);
  }
  if (!column->type.is_timestamp()) {
    return WithPosition(
        MakeError(SqlState::kDatatypeMismatch,
                  absl::StrCat("the time column of ", form_.name, " must be a timestamp, not ",
                               TypeName(column->type))),
        position);
  }
  return column->column_index;
}

absl::StatusOr<std::optional<int64_t>> WindowFunctionBinder::Length(const std::string& parameter) {
  const auto it = arguments_.find(parameter);
  if (it == arguments_.end()) return std::optional<int64_t>();
  const int32_t position = environment_.PositionOf(LocationOf(it->second));
  const Scope no_columns;
  ExpressionBinder binder(environment_, no_columns, Clause::kFromFunction, nullptr);
  MR_ASSIGN_OR_RETURN(ExprPtr expr, binder.Bind(it->second));
  MR_ASSIGN_OR_RETURN(expr, BuildCast(std::move(expr), SqlType::Of(TypeId::kInterval),
                                      CastContext::kImplicit, position));
  MR_ASSIGN_OR_RETURN(const Value value, ConstantValue(*expr, environment_));
  if (value.is_null()) {
    return Wrong(absl::StrCat("the ", parameter, " of ", form_.name, " is NULL"), position);
  }
  const IntervalParts& parts = std::get<IntervalParts>(value.value);
  if (parts.months != 0) {
    return Wrong(absl::StrCat("the ", parameter, " of ", form_.name,
                              " has months, which have no fixed length"),
                 position);
  }
  int64_t micros = 0;
  if (__builtin_mul_overflow(int64_t{parts.days}, kMicrosPerDay, &micros) ||
      __builtin_add_overflow(micros, parts.micros, &micros)) {
    return Wrong(absl::StrCat("the ", parameter, " of ", form_.name, " is too long"), position);
  }
  if (micros <= 0 && parameter != "offset") {
    return Wrong(absl::StrCat("the ", parameter, " of ", form_.name, " must be positive"),
                 position);
  }
  return std::optional<int64_t>(micros);
}

absl::Status WindowFunctionBinder::CheckLengths(const WindowSpec& spec) const {
  if (spec.slide_micros == 0) return absl::OkStatus();
  if (spec.kind == WindowKind::kCumulate && spec.size_micros % spec.slide_micros != 0) {
    return Wrong("the size of cumulate must be a multiple of its step", position_);
  }
  if (spec.size_micros / spec.slide_micros > kMaxWindowsPerRow) {
    return WithPosition(MakeError(SqlState::kProgramLimitExceeded,
                                  absl::StrCat("each row would fall into more than ",
                                               kMaxWindowsPerRow, " windows")),
                        position_);
  }
  return absl::OkStatus();
}

absl::StatusOr<LogicalPtr> WindowFunctionBinder::Bind(const FromPlan& input) {
  WindowSpec spec;
  spec.kind = form_.kind;
  MR_ASSIGN_OR_RETURN(spec.time_column, TimeColumn(input));
  for (const std::string& parameter : form_.parameters) {
    MR_ASSIGN_OR_RETURN(const std::optional<int64_t> micros, Length(parameter));
    if (!micros.has_value()) continue;
    if (parameter == "size") {
      spec.size_micros = *micros;
    } else if (parameter == "offset") {
      spec.offset_micros = *micros;
    } else {
      spec.slide_micros = *micros;
    }
  }
  MR_RETURN_IF_ERROR(CheckLengths(spec));
  return NewWindowTvf(input.plan, spec);
}

}  // namespace

// A table, view or WITH query by name, a query between parentheses, or the path of a file.
absl::StatusOr<FromPlan> FromBinder::BindFunctionInput(const PgQuery__Node& arg) {
  const int32_t location = LocationOf(&arg);
  const int32_t position = environment_.PositionOf(location);
  const auto not_a_table = [&] {
    return WithPosition(MakeError(SqlState::kWrongObjectType,
                                  "the first argument must be a table, a view or a query"),
                        position);
  };
  if (IsNode(&arg, PG_QUERY__NODE__NODE_SUB_LINK)) {
    if (arg.sub_link->sub_link_type != PG_QUERY__SUB_LINK_TYPE__EXPR_SUBLINK) return not_a_table();
    return BindSubquery(*arg.sub_link->subselect);
  }
  if (IsNode(&arg, PG_QUERY__NODE__NODE_A_CONST)) {
    const PgQuery__AConst& constant = *arg.a_const;
    if (constant.val_case != PG_QUERY__A__CONST__VAL_SVAL) return not_a_table();
    return BindFile(constant.sval->sval, position);
  }
  if (!IsNode(&arg, PG_QUERY__NODE__NODE_COLUMN_REF)) return not_a_table();
  std::vector<std::string> names =
      StringsOf(Nodes(arg.column_ref->n_fields, arg.column_ref->fields));
  if (names.size() > 2 || names.back().empty()) return not_a_table();
  PgQuery__RangeVar name;
  pg_query__range_var__init(&name);
  name.location = location;
  name.relname = names.back().data();
  if (names.size() == 2) name.schemaname = names[0].data();
  return BindRelation(name);
}

absl::StatusOr<FromPlan> FromBinder::BindFunction(const PgQuery__RangeFunction& function) {
  const ParseNodes functions = Nodes(function.n_functions, function.functions);
  const ParseNodes parts = functions.empty() ? ParseNodes() : ItemsOf(functions[0]);
  const int32_t location = parts.empty() ? -1 : LocationOf(parts[0]);
  const int32_t position = environment_.PositionOf(location);
  const bool plain = functions.size() == 1 && !parts.empty() && !function.ordinality &&
                     !function.is_rowsfrom && function.n_coldeflist == 0 && !function.lateral &&
                     IsNode(parts[0], PG_QUERY__NODE__NODE_FUNC_CALL);
  if (!plain) return WithPosition(NotSupported("this form of a function in FROM"), position);
  const PgQuery__FuncCall& call = *parts[0]->func_call;
  const std::string name(LastName(Nodes(call.n_funcname, call.funcname)));
  if (name == "generate_series") {
    FromPlan from;
    MR_ASSIGN_OR_RETURN(from.plan, BindSeries(call, environment_));
    from.scope = ScopeOf(*from.plan, name);
    // An alias for the table is one for its only column, too.
    const bool renames = function.alias != nullptr && function.alias->n_colnames == 0;
    if (renames) from.scope.items()[0].columns[0].name = function.alias->aliasname;
    return ApplyAlias(std::move(from), function.alias, location);
  }
  const FunctionForm* form = nullptr;
  for (const FunctionForm& known : Forms()) {
    if (name == known.name) form = &known;
  }
  if (form == nullptr) {
    return WithPosition(WithHint(NotSupported(absl::StrCat("function ", name, " in FROM")),
                                 "FROM takes tumble, hop, cumulate and generate_series."),
                        position);
  }
  WindowFunctionBinder binder(environment_, call, *form);
  MR_RETURN_IF_ERROR(binder.ReadArguments());
  MR_ASSIGN_OR_RETURN(FromPlan input, BindFunctionInput(binder.input()));
  FromPlan from;
  MR_ASSIGN_OR_RETURN(from.plan, binder.Bind(input));
  const std::string input_name = input.scope.items()[0].name;
  from.scope = ScopeOf(*from.plan, input_name.empty() ? name : input_name);
  return ApplyAlias(std::move(from), function.alias, location);
}

}  // namespace millrace
