#include "coordinator/sql/parser.h"

#include "common/base/status.h"
#include "common/types/utf8.h"
#include "coordinator/sql/parsed_statement.h"
#include "coordinator/sql/sql_token.h"
#include "coordinator/sql/statement_limits.h"
#include "coordinator/sql/text_positions.h"

namespace millrace {
namespace {

// Scripts may be longer than statements.
constexpr size_t kMaxScriptBytes = size_t{64} << 20;

absl::Status CheckScript(absl::string_view script) {
  if (script.size() > kMaxScriptBytes) {
    return MakeError(SqlState::kProgramLimitExceeded, "the script is longer than 64 MiB");
  }
  if (IsValidText(script)) return absl::OkStatus();
  return CheckStatementText(script.substr(0, kMaxStatementBytes)).ok()
             ? MakeError(SqlState::kCharacterNotInRepertoire, "the script is not valid UTF-8")
             : CheckStatementText(script.substr(0, kMaxStatementBytes));
}

}  // namespace

absl::StatusOr<std::vector<StatementText>> SplitStatements(absl::string_view script) {
  MR_RETURN_IF_ERROR(CheckScript(script));
  MR_ASSIGN_OR_RETURN(const std::vector<SqlToken> tokens, ScanTokens(script));
  const TextPositions positions(script);
  std::vector<StatementText> statements;
  StatementText current;
  bool open = false;
  for (const SqlToken& token : tokens) {
    if (token.IsSymbol(";")) {
      if (open) statements.push_back(current);
      open = false;
      continue;
    }
    if (!open) current = StatementText{token.begin, token.end, positions.CharAt(token.begin)};
    open = true;
    current.end_byte = token.end;
  }
  if (open) statements.push_back(current);
  return statements;
}

absl::Status CheckSyntax(absl::string_view script) {
  MR_ASSIGN_OR_RETURN(const std::vector<StatementText> statements, SplitStatements(script));
  for (const StatementText& statement : statements) {
    const absl::string_view text =
        script.substr(static_cast<size_t>(statement.begin_byte),
                      static_cast<size_t>(statement.end_byte - statement.begin_byte));
    MR_RETURN_IF_ERROR(InScript(ParsedStatement::Parse(text).status(), statement));
  }
  return absl::OkStatus();
}

absl::Status InScript(const absl::Status& error, const StatementText& statement) {
  if (error.ok()) return error;
  ErrorDetail detail = GetErrorDetail(error);
  if (detail.position == 0) return error;
  detail.position += statement.begin_char - 1;
  return MakeError(detail, error.message());
}

}  // namespace millrace
