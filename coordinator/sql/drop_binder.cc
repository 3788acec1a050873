#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status.h"
#include "coordinator/sql/parse_tree.h"
#include "coordinator/sql/statement_binder.h"
#include "millrace/v1/catalog.pb.h"

// StatementBinder::BindDrop.

namespace millrace {
namespace {

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
    // Where the name stands is looked for in the tokens, so only when it is needed.
    const auto position = [&] { return PositionOfName(parts.back()); };
    if (bound.name_position == 0) bound.name_position = position();
    const CatalogObjectPtr object = session_.catalog.Find(name);
    if (object == nullptr && !bound.if_exists) {
      const std::string nearest = session_.catalog.NearestName(name);
      return WithPosition(
          MakeError(SqlState::kUndefinedTable,
                    absl::StrCat(words.noun, " \"", name, "\" does not exist"),
                    nearest.empty() ? "" : absl::StrCat("Perhaps you meant \"", nearest, "\".")),
          position());
    }
    if (object != nullptr && object->connector() == kSystemConnector) {
      return WithPosition(MakeError(SqlState::kInsufficientPrivilege,
                                    absl::StrCat("cannot drop system view \"", name, "\"")),
                          position());
    }
    if (object != nullptr && !MayDrop(bound.object_class, ClassOf(*object))) {
      return WithPosition(MakeError(SqlState::kWrongObjectType,
                                    absl::StrCat("\"", name, "\" is not a ", words.noun),
                                    absl::StrCat("Use ", WordsOf(ClassOf(*object)).statement, ".")),
                          position());
    }
    bound.names.push_back(name);
  }
  return bound;
}

}  // namespace millrace
