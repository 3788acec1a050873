#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/types/value.h"
#include "coordinator/logical_plan/logical_plan.h"

// What the binder makes of one statement; the statement executor acts on it.

namespace millrace {

struct BoundSelect {
  LogicalPtr plan;
};

// CREATE TABLE, CREATE SOURCE. With `options["connector"]`: outside data; without: a stored table.
struct BoundCreateTable {
  std::string name;
  bool if_not_exists = false;
  // Empty with has_columns = false: taken from the files.
  Schema columns;
  bool has_columns = false;
  std::vector<int> not_null_columns;
  std::vector<int> primary_key;
  // By column, of its type; stored tables only.
  std::map<int, ExprPtr> defaults;
  std::map<std::string, std::string> options;
  // WATERMARK FOR column AS column - delay.
  std::optional<std::string> watermark_column;
  int64_t watermark_delay_micros = 0;
  // Character positions of the name and of the options, for messages.
  int32_t name_position = 0;
  int32_t options_position = 0;
};

// CREATE VIEW, CREATE MATERIALIZED VIEW.
struct BoundCreateView {
  std::string name;
  bool if_not_exists = false;
  bool or_replace = false;
  bool materialized = false;
  bool emit_on_window_close = false;
  std::map<std::string, std::string> options;
  LogicalPtr plan;
  // The query's text, as written.
  std::string query;
  // Ids of the objects that the query names, itself or through views.
  std::vector<uint64_t> depends_on;
  int32_t name_position = 0;
  // EMIT ON WINDOW CLOSE, or the option that says the same; 0 if neither is there.
  int32_t emit_position = 0;
};

// CREATE TABLE name AS query.
struct BoundCreateTableAs {
  std::string name;
  bool if_not_exists = false;
  LogicalPtr plan;
  int32_t name_position = 0;
};

// INSERT INTO; `plan` yields exactly the table's columns, cast.
struct BoundInsert {
  std::shared_ptr<const v1::CatalogObject> target;
  LogicalPtr plan;
  bool emit_on_window_close = false;
  int32_t name_position = 0;
  int32_t emit_position = 0;
};

// COPY (query | table) TO 'path' (options).
struct BoundCopyTo {
  LogicalPtr plan;
  std::string path;
  std::map<std::string, std::string> options;
  int32_t path_position = 0;
};

// COPY table FROM 'path'; `plan` scans the file and casts.
struct BoundCopyFrom {
  std::shared_ptr<const v1::CatalogObject> target;
  LogicalPtr plan;
};

enum class ObjectClass : uint8_t { kTable, kView, kMaterializedView, kSource, kSink };
struct BoundDrop {
  ObjectClass object_class = ObjectClass::kTable;
  std::vector<std::string> names;
  bool if_exists = false;
  bool cascade = false;
  int32_t name_position = 0;
};

// SHOW TABLES | VIEWS | SINKS | JOBS | FUNCTIONS | ALL | <setting>. `what` is lower case.
struct BoundShow {
  std::string what;
};
struct BoundDescribe {
  std::shared_ptr<const v1::CatalogObject> object;
};
struct BoundSet {
  std::string name;
  // Absent = DEFAULT (RESET).
  std::optional<std::string> value;
};
struct BoundFlush {};
// CALL millrace.wait_for(view, mode, value, timeout).
struct BoundWaitFor {
  std::shared_ptr<const v1::CatalogObject> view;
  // "complete", "watermark", "rows".
  std::string mode;
  Value value;
  int64_t timeout_micros = 0;
};

// Which epochs a reader of a view's changes gets.
enum class SubscribeEpochs : uint8_t {
  // Those that survive the loss of all processes; nothing is ever taken back.
  kDurable,
  // Every epoch as it is published; what a recovery loses is taken back.
  kPublished,
};
// SUBSCRIBE TO view [WITH (…)].
struct BoundSubscribe {
  std::shared_ptr<const v1::CatalogObject> view;
  SubscribeEpochs epochs = SubscribeEpochs::kDurable;
  // First the rows at the epoch from which the changes go on.
  bool snapshot = false;
  // A row of weight 0 behind the changes of each epoch, also when there are none.
  bool progress = false;
};

struct BoundStatement;
struct BoundExplain {
  bool analyze = false;
  bool json = false;
  // kSelect, CTAS, INSERT, CREATE MATERIALIZED VIEW, COPY TO.
  std::shared_ptr<BoundStatement> statement;
};

struct BoundStatement {
  std::variant<BoundSelect, BoundCreateTable, BoundCreateView, BoundCreateTableAs, BoundInsert,
               BoundCopyTo, BoundCopyFrom, BoundDrop, BoundShow, BoundDescribe, BoundSet,
               BoundFlush, BoundWaitFor, BoundSubscribe, BoundExplain>
      statement;
};

}  // namespace millrace
