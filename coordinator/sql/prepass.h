#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "coordinator/sql/sql_token.h"

// PostgreSQL's grammar has no words for streams. Before it is asked, the few that we add are taken
// out of the token list and replaced by blanks or by words of the same length, so that every byte
// keeps its place and the caret of an error points into the text as the user wrote it. What a word
// meant is kept beside the text, by byte offset.

namespace millrace {

// What the first words ask for where they are not PostgreSQL's.
enum class StatementHead : uint8_t {
  kPlain,
  // DESCRIBE x; the text reads TABLE x.
  kDescribe,
  // FLUSH; the text is empty.
  kFlush,
  // CREATE | DROP SOURCE; the text says TABLE.
  kSource,
  // SUBSCRIBE TO x [WITH (…)]; the text reads TABLE x.
  kSubscribe,
};

// One option of SUBSCRIBE, as it was written; bytes of the text.
struct SubscribeOption {
  std::string key;
  std::string value;
  int32_t key_begin = 0;
  int32_t value_begin = 0;
};

// WATERMARK FOR column AS expression; bytes of the text.
struct WatermarkClause {
  std::string column;
  int32_t column_begin = 0;
  int32_t expr_begin = 0;
  int32_t expr_end = 0;
};

struct Prepass {
  // As long as the original.
  std::string text;
  std::vector<SqlToken> tokens;  // of the original text

  StatementHead head = StatementHead::kPlain;
  // EXPLAIN [ANALYZE] [(…)], cut off.
  bool explain = false;
  bool analyze = false;
  bool json = false;
  // FROM 'path': where the literal begins.
  std::map<int32_t, std::string> files;
  // AS OF EPOCH n: where the relation's name begins.
  std::map<int32_t, uint64_t> epochs;
  // Option keys that are quoted or have dots: where the key begins.
  std::map<int32_t, std::string> option_keys;
  std::optional<WatermarkClause> watermark;
  // EMIT ON WINDOW CLOSE: where it begins.
  std::optional<int32_t> emit_begin;
  std::vector<SubscribeOption> subscribe_options;
};

// Rewrites one statement. `sql` must outlive the result and have passed CheckStatementText. Errors:
// 42601, 0A000 for VERIFY, sinks and temporal joins, 42622 for names that PostgreSQL
// would cut; positions are bytes, from 1.
absl::StatusOr<Prepass> RunPrepass(absl::string_view sql, std::vector<SqlToken> tokens);

}  // namespace millrace
