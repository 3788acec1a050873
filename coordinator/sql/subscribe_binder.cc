#include <set>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/statement_binder.h"
#include "millrace/v1/catalog.pb.h"

// StatementBinder::BindSubscribe.

namespace millrace {
namespace {

absl::Status WrongValue(const SubscribeOption& option, absl::string_view expected) {
  return MakeError(
      SqlState::kInvalidParameterValue,
      absl::StrCat("invalid value for option \"", option.key, "\": \"", option.value, "\""),
      absl::StrCat("expected ", expected));
}

absl::Status ReadSwitch(const SubscribeOption& option, bool* value) {
  if (absl::SimpleAtob(option.value, value)) return absl::OkStatus();
  return WrongValue(option, "true or false");
}

absl::Status ReadEpochs(const SubscribeOption& option, SubscribeEpochs* epochs) {
  const std::string value = absl::AsciiStrToLower(option.value);
  if (value != "durable" && value != "published") {
    return WrongValue(option, "'durable' or 'published'");
  }
  *epochs = value == "durable" ? SubscribeEpochs::kDurable : SubscribeEpochs::kPublished;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BoundSubscribe> StatementBinder::BindSubscribe(const PgQuery__SelectStmt& table) {
  BoundSubscribe bound;
  MR_ASSIGN_OR_RETURN(bound.view, OneName(table, "SUBSCRIBE"));
  if (bound.view->kind() != v1::OBJECT_KIND_MATERIALIZED_VIEW) {
    return WithPosition(
        MakeError(SqlState::kWrongObjectType,
                  absl::StrCat("\"", bound.view->name(), "\" is not a materialized view")),
        PositionOf(table.from_clause[0]->range_var->location));
  }
  std::set<std::string> keys;
  for (const SubscribeOption& option : statement_.prepass().subscribe_options) {
    if (!keys.insert(option.key).second) {
      return WithPosition(
          MakeError(SqlState::kSyntaxError,
                    absl::StrCat("option \"", option.key, "\" specified more than once")),
          PositionOf(option.key_begin));
    }
    absl::Status read;
    if (option.key == "snapshot") {
      read = ReadSwitch(option, &bound.snapshot);
    } else if (option.key == "progress") {
      read = ReadSwitch(option, &bound.progress);
    } else if (option.key == "epochs") {
      read = ReadEpochs(option, &bound.epochs);
    } else {
      return WithPosition(MakeError(SqlState::kInvalidParameterValue,
                                    absl::StrCat("SUBSCRIBE has no option \"", option.key, "\""),
                                    "There are epochs, snapshot and progress."),
                          PositionOf(option.key_begin));
    }
    if (!read.ok()) return WithPosition(read, PositionOf(option.value_begin));
  }
  return bound;
}

}  // namespace millrace
