#include "coordinator/planner/shared_subplans.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/group_top_n.h"
#include "coordinator/planner/rules/logical_build.h"
#include "coordinator/planner/rules/projection_merging.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/expr.pb.h"
#include "millrace/v1/types.pb.h"

namespace millrace {
namespace {

// Texts that are equal exactly if two parts of a plan compute the same. Every piece has a length in
// front of it, so that no two lists of pieces look alike.
std::string Piece(const std::string& text) { return absl::StrCat(text.size(), ":", text); }

ExprPtr WithoutPositions(const ExprPtr& expr) {
  auto copy = std::make_shared<Expr>(*expr);
  copy->position = 0;
  for (ExprPtr& arg : copy->args) arg = WithoutPositions(arg);
  return copy;
}

std::string ExprKey(const ExprPtr& expr) {
  if (expr == nullptr) return "-";
  v1::Expr proto;
  ToProto(*WithoutPositions(expr), &proto);
  return Piece(proto.SerializeAsString());
}

std::string TypesKey(const Schema& schema) {
  std::string key;
  for (const Field& field : schema) {
    v1::Field proto;
    ToProto(Field{"", field.type}, &proto);
    absl::StrAppend(&key, Piece(proto.SerializeAsString()));
  }
  return Piece(key);
}

std::string NumbersKey(const std::vector<int>& numbers) {
  return Piece(absl::StrJoin(numbers, ","));
}

std::string CallKey(const AggregateCall& call) {
  v1::AggregateCall proto;
  ToProto(call, &proto);
  return Piece(proto.SerializeAsString());
}

std::string SortKeyText(const SortKey& key) {
  return absl::StrCat(ExprKey(key.expr), key.descending ? "d" : "a", key.nulls_first ? "f" : "l");
}

std::string ValueKey(const Value& value) { return ExprKey(MakeLiteral(value)); }

// The same outside data, read in the same way. A file that a query names by its path is in no
// catalog, so its whole definition tells.
std::string ObjectKey(const LogicalScan& scan) {
  const v1::CatalogObject& object = *scan.object;
  // Late rows and the others are read by scans of their own.
  std::string key = absl::StrCat(object.id(), "@", scan.as_of_epoch.value_or(0), ";",
                                 Piece(object.watermark().SerializeAsString()));
  if (object.id() != 0) return key;
  const std::map<std::string, std::string> options(object.options().begin(),
                                                   object.options().end());
  absl::StrAppend(&key, Piece(object.connector()), Piece(object.name()));
  for (const auto& [name, value] : options) absl::StrAppend(&key, Piece(name), Piece(value));
  for (const v1::Field& column : object.columns()) {
    absl::StrAppend(&key, Piece(column.SerializeAsString()));
  }
  return key;
}

// --- scans -------------------------------------------------------------------------------------

// Conditions of a scan, over the columns of the object.
std::vector<ExprPtr> ObjectConjuncts(const LogicalScan& scan) {
  std::vector<ExprPtr> conjuncts = SplitConjunction(scan.filter);
  for (ExprPtr& conjunct : conjuncts) conjunct = RemapColumns(conjunct, scan.columns);
  return conjuncts;
}

bool Contains(const std::vector<ExprPtr>& exprs, const Expr& expr) {
  return std::any_of(exprs.begin(), exprs.end(),
                     [&](const ExprPtr& other) { return SameExpr(*other, expr); });
}

bool SameExprs(const std::vector<ExprPtr>& a, const std::vector<ExprPtr>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const ExprPtr& x, const ExprPtr& y) { return SameExpr(*x, *y); });
}

// Another condition of the same scan may keep rows away for which it would fail.
bool MayNeedGuard(const ExprPtr& expr) { return FailureOf(*expr) == Failure::kData; }

// What all scans of one object need together.
struct ScanUnion {
  std::set<int> columns;
  // Over the object's columns.
  std::vector<ExprPtr> common;
  int num_scans = 0;

  void Add(const LogicalScan& scan) {
    columns.insert(scan.columns.begin(), scan.columns.end());
    const std::vector<ExprPtr> conjuncts = ObjectConjuncts(scan);
    if (num_scans++ == 0) {
      common = conjuncts;
    } else if (!SameExprs(common, conjuncts)) {
      std::erase_if(common, [&](const ExprPtr& expr) { return !Contains(conjuncts, *expr); });
      std::erase_if(common, MayNeedGuard);
    }
    std::erase_if(common, [](const ExprPtr& expr) { return IsVolatile(*expr); });
  }
};

using ScanUnions = std::map<std::string, ScanUnion>;

void CollectScans(const LogicalNode& node, ScanUnions* unions) {
  if (node.kind == LogicalKind::kScan) {
    const auto& scan = As<LogicalScan>(node);
    (*unions)[ObjectKey(scan)].Add(scan);
  }
  for (const LogicalPtr& input : node.inputs) CollectScans(*input, unions);
}

// The union's scan, with what this one alone asks for above it.
LogicalPtr ReadUnion(const LogicalScan& scan, const ScanUnion& all) {
  auto wide = std::make_shared<LogicalScan>(scan);
  wide->columns.assign(all.columns.begin(), all.columns.end());
  wide->output.clear();
  std::vector<int> position_of(static_cast<size_t>(scan.object->columns_size()), -1);
  for (size_t i = 0; i < wide->columns.size(); ++i) {
    const int column = wide->columns[i];
    position_of[static_cast<size_t>(column)] = static_cast<int>(i);
    wide->output.push_back(FromProto(scan.object->columns(column)));
  }
  std::vector<ExprPtr> common;
  for (const ExprPtr& expr : all.common) common.push_back(RemapColumns(expr, position_of));
  wide->filter = MakeConjunction(common);
  std::vector<ExprPtr> own;
  for (const ExprPtr& expr : ObjectConjuncts(scan)) {
    if (!Contains(all.common, *expr)) own.push_back(RemapColumns(expr, position_of));
  }
  if (wide->columns == scan.columns) return MakeFilter(std::move(wide), own);
  std::vector<int> columns;
  for (const int column : scan.columns) {
    columns.push_back(position_of[static_cast<size_t>(column)]);
  }
  return MakeColumnProject(MakeFilter(std::move(wide), own), columns);
}

// --- equal subtrees ------------------------------------------------------------------------------

// Makes equal nodes one.
class NodeTable {
 public:
  LogicalPtr Intern(const LogicalPtr& query, bool emit_on_window_close) {
    return RewriteBottomUp(
        query, [&](const LogicalPtr& node) { return InternNode(node, emit_on_window_close); });
  }

 private:
  struct Known {
    LogicalPtr node;
    int number = 0;
    // How often windows are given out decides what it computes.
    bool depends_on_emission = false;
  };

  LogicalPtr InternNode(const LogicalPtr& node, bool emit_on_window_close) {
    bool depends = false;
    std::string key;
    for (const LogicalPtr& input : node->inputs) {
      const Known& known = *by_node_.at(input.get());
      depends |= known.depends_on_emission;
      absl::StrAppend(&key, known.number, ";");
    }
    volatile_ = false;
    const std::string own = NodeKey(*node);
    depends |= node->kind == LogicalKind::kAggregate || node->kind == LogicalKind::kOver ||
               node->kind == LogicalKind::kJoin || node->kind == LogicalKind::kLimit ||
               node->kind == LogicalKind::kSort;
    absl::StrAppend(&key, static_cast<int>(node->kind), depends && emit_on_window_close ? "c" : "",
                    "|", own, TypesKey(node->output));
    if (volatile_) absl::StrAppend(&key, "#", by_node_.size());
    auto [it, added] = by_key_.try_emplace(key, nullptr);
    if (added) {
      it->second = std::make_unique<Known>(Known{node, static_cast<int>(by_node_.size()), depends});
    }
    by_node_[it->second->node.get()] = it->second.get();
    return it->second->node;
  }

  std::string Key(const ExprPtr& expr) {
    volatile_ |= expr != nullptr && IsVolatile(*expr);
    return ExprKey(expr);
  }

  std::string Keys(const std::vector<ExprPtr>& exprs) {
    std::string key;
    for (const ExprPtr& expr : exprs) absl::StrAppend(&key, Key(expr));
    return Piece(key);
  }

  std::string Keys(const std::vector<SortKey>& keys) {
    std::string text;
    for (const SortKey& key : keys) {
      volatile_ |= IsVolatile(*key.expr);
      absl::StrAppend(&text, SortKeyText(key));
    }
    return Piece(text);
  }

  std::string NodeKey(const LogicalNode& node);
  std::string OverKey(const LogicalOver& over);

  std::map<std::string, std::unique_ptr<Known>> by_key_;
  std::map<const LogicalNode*, const Known*> by_node_;
  // The node that is being looked at has a volatile expression.
  bool volatile_ = false;
};

std::string NodeTable::OverKey(const LogicalOver& over) {
  std::string key = NumbersKey(over.partition_keys) + Keys(over.order_keys);
  for (const OverCall& call : over.calls) {
    absl::StrAppend(&key, call.aggregate.has_value() ? CallKey(*call.aggregate) : "-",
                    Piece(call.ranking), NumbersKey(call.args), static_cast<int>(call.frame.unit),
                    static_cast<int>(call.frame.start), static_cast<int>(call.frame.end),
                    ValueKey(call.frame.start_offset), ValueKey(call.frame.end_offset));
  }
  return key;
}

// All but inputs and output types.
std::string NodeTable::NodeKey(const LogicalNode& node) {
  switch (node.kind) {
    case LogicalKind::kScan: {
      const auto& scan = As<LogicalScan>(node);
      return absl::StrCat(ObjectKey(scan), NumbersKey(scan.columns), Key(scan.filter));
    }
    case LogicalKind::kValues: {
      std::string key;
      for (const auto& row : As<LogicalValues>(node).rows) absl::StrAppend(&key, Keys(row));
      return key;
    }
    case LogicalKind::kFilter:
      return Key(As<LogicalFilter>(node).predicate);
    case LogicalKind::kProject:
      return Keys(As<LogicalProject>(node).exprs);
    case LogicalKind::kAggregate: {
      const auto& aggregate = As<LogicalAggregate>(node);
      std::string key = NumbersKey(aggregate.keys);
      for (const AggregateCall& call : aggregate.aggregates) absl::StrAppend(&key, CallKey(call));
      return key;
    }
    case LogicalKind::kJoin: {
      const auto& join = As<LogicalJoin>(node);
      return absl::StrCat(static_cast<int>(join.type), Key(join.condition));
    }
    case LogicalKind::kOver:
      return OverKey(As<LogicalOver>(node));
    case LogicalKind::kSort:
      return Keys(As<LogicalSort>(node).keys);
    case LogicalKind::kLimit: {
      const auto& limit = As<LogicalLimit>(node);
      return absl::StrCat(limit.limit.has_value() ? absl::StrCat(*limit.limit) : "all", ",",
                          limit.offset);
    }
    case LogicalKind::kUnionAll:
      return "";
    case LogicalKind::kWindowTvf: {
      const auto& tvf = As<LogicalWindowTvf>(node);
      return absl::StrCat(static_cast<int>(tvf.window), ",", tvf.time_column, ",", tvf.size_micros,
                          ",", tvf.slide_micros, ",", tvf.offset_micros);
    }
  }
  return "";
}

// --- who reads what ------------------------------------------------------------------------------

// The nodes that the physical builder builds for `node`'s inputs: it takes some pairs of nodes as
// one.
std::vector<const LogicalNode*> BuiltInputs(const LogicalNode& node) {
  const LogicalNode* top = &node;
  if (top->kind == LogicalKind::kProject && top->inputs[0]->kind == LogicalKind::kFilter &&
      MatchGroupTopN(As<LogicalFilter>(*top->inputs[0])).has_value()) {
    top = top->inputs[0].get();
  }
  if (top->kind == LogicalKind::kFilter) {
    const auto match = MatchGroupTopN(As<LogicalFilter>(*top));
    if (match.has_value()) return {match->over->inputs[0].get()};
  }
  if (top->kind == LogicalKind::kLimit && top->inputs[0]->kind == LogicalKind::kSort) {
    return {top->inputs[0]->inputs[0].get()};
  }
  std::vector<const LogicalNode*> inputs;
  for (const LogicalPtr& input : node.inputs) inputs.push_back(input.get());
  return inputs;
}

void CountReaders(const LogicalNode& node, std::map<const LogicalNode*, int>* readers) {
  if (++(*readers)[&node] > 1) return;
  for (const LogicalNode* input : BuiltInputs(node)) CountReaders(*input, readers);
}

// Worth a fragment of its own. Constants are not, and columns are picked again for nothing.
bool IsWorthSharing(const LogicalNode& node) {
  if (node.kind == LogicalKind::kValues) return false;
  if (node.kind != LogicalKind::kProject) return true;
  if (BuiltInputs(node)[0] != node.inputs[0].get()) return true;
  const auto& exprs = As<LogicalProject>(node).exprs;
  return !std::all_of(exprs.begin(), exprs.end(),
                      [](const ExprPtr& expr) { return IsTrivial(*expr); });
}

}  // namespace

SharedQueries ShareSubplans(const std::vector<SharingQuery>& queries) {
  ScanUnions unions;
  for (const SharingQuery& query : queries) CollectScans(*query.query, &unions);
  NodeTable table;
  SharedQueries result;
  for (const SharingQuery& query : queries) {
    LogicalPtr united = RewriteBottomUp(query.query, [&](const LogicalPtr& node) -> LogicalPtr {
      if (node->kind != LogicalKind::kScan) return node;
      const auto& scan = As<LogicalScan>(*node);
      const ScanUnion& all = unions.at(ObjectKey(scan));
      return all.num_scans > 1 ? ReadUnion(scan, all) : node;
    });
    result.queries.push_back(table.Intern(MergeProjections(united), query.emit_on_window_close));
  }
  std::map<const LogicalNode*, int> readers;
  for (const LogicalPtr& query : result.queries) CountReaders(*query, &readers);
  // Where columns are picked anew for each reader, each reads what lies below.
  for (const auto& [node, count] : readers) {
    if (count < 2) continue;
    const LogicalNode* read = node;
    while (read->kind == LogicalKind::kProject && !IsWorthSharing(*read)) {
      read = read->inputs[0].get();
    }
    if (IsWorthSharing(*read)) result.shared.insert(read);
  }
  return result;
}

}  // namespace millrace
