#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "pg_query/pg_query.pb-c.h"

// Reading of PostgreSQL's parse tree as protobuf-c gives it. Included by the .cc files of this
// folder only. Absent nodes are null, absent strings empty.

namespace millrace {

using ParseNode = PgQuery__Node;
using ParseNodes = absl::Span<ParseNode* const>;

inline ParseNodes Nodes(size_t count, ParseNode** first) { return ParseNodes(first, count); }

inline bool IsNode(const ParseNode* node, PgQuery__Node__NodeCase kind) {
  return node != nullptr && node->node_case == kind;
}

// The value of a String node; empty for any other.
inline absl::string_view StringOf(const ParseNode* node) {
  return IsNode(node, PG_QUERY__NODE__NODE_STRING) ? node->string->sval : absl::string_view();
}

// The last part of a qualified name.
inline absl::string_view LastName(ParseNodes names) {
  return names.empty() ? absl::string_view() : StringOf(names.back());
}

inline std::vector<std::string> StringsOf(ParseNodes names) {
  std::vector<std::string> strings;
  for (const ParseNode* name : names) strings.emplace_back(StringOf(name));
  return strings;
}

// The items of a List node; empty for any other.
inline ParseNodes ItemsOf(const ParseNode* node) {
  if (!IsNode(node, PG_QUERY__NODE__NODE_LIST)) return ParseNodes();
  return Nodes(node->list->n_items, node->list->items);
}

// The byte offset where an expression or an item of FROM begins, as far as its node or the leftmost
// one below it knows; −1 if none does.
int32_t LocationOf(const ParseNode* node);

}  // namespace millrace
