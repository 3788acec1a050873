#include "coordinator/planner/rules/cardinality.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "coordinator/planner/rules/expr_traits.h"
#include "coordinator/planner/rules/logical_build.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// Shares of rows that conditions of a kind let through when nothing is known of the data.
constexpr double kEqualShare = 0.05;
constexpr double kRangeShare = 0.3;
constexpr double kPatternShare = 0.1;
constexpr double kNullShare = 0.05;
constexpr double kUnknownShare = 0.3;
// Groups for each row where the keys' values are not known.
constexpr double kGroupShare = 0.1;

std::optional<uint64_t> OwnRows(const v1::CatalogObject& object) {
  if (object.kind() == v1::OBJECT_KIND_TABLE) {
    uint64_t rows = 0;
    for (const auto& segment : object.table_version().segments()) rows += segment.rows();
    return rows;
  }
  for (const char* option : {"rows", "events"}) {
    const auto found = object.options().find(option);
    uint64_t rows = 0;
    if (found != object.options().end() && absl::SimpleAtoi(found->second, &rows)) return rows;
  }
  return std::nullopt;
}

// The single column of an expression that is a column, perhaps cast; −1 for others.
int PlainColumn(const Expr& expr) {
  if (expr.kind == ExprKind::kColumn) return expr.column_index;
  return expr.kind == ExprKind::kCast ? PlainColumn(*expr.args[0]) : -1;
}

double EqualShare(const Expr& a, const Expr& b, const Estimate& input) {
  double share = kEqualShare;
  for (const Expr* side : {&a, &b}) {
    const int column = PlainColumn(*side);
    if (column < 0 || !input.columns[column].exact) continue;
    share = 1 / std::max(1.0, input.columns[column].distinct);
  }
  return share;
}

}  // namespace

CardinalityEstimator::CardinalityEstimator(StatisticsSource statistics)
    : statistics_(std::move(statistics)) {}

Estimate CardinalityEstimator::EstimateOf(const LogicalNode& node) const {
  Estimate estimate;
  switch (node.kind) {
    case LogicalKind::kScan:
      return EstimateScan(As<LogicalScan>(node));
    case LogicalKind::kValues:
      estimate.rows = static_cast<double>(As<LogicalValues>(node).rows.size());
      estimate.columns.assign(node.output.size(), {estimate.rows, estimate.rows, false});
      return estimate;
    case LogicalKind::kFilter:
      estimate = EstimateOf(*node.inputs[0]);
      estimate.rows *= Selectivity(*As<LogicalFilter>(node).predicate, estimate);
      return estimate;
    case LogicalKind::kProject:
      return EstimateProject(As<LogicalProject>(node));
    case LogicalKind::kAggregate:
      return EstimateAggregate(As<LogicalAggregate>(node));
    case LogicalKind::kJoin: {
      const auto& join = As<LogicalJoin>(node);
      std::vector<ExprPtr> conjuncts;
      if (join.condition != nullptr) conjuncts = SplitConjunction(join.condition);
      return EstimateJoin(join.type, EstimateOf(*node.inputs[0]), EstimateOf(*node.inputs[1]),
                          conjuncts);
    }
    case LogicalKind::kLimit:
      estimate = EstimateOf(*node.inputs[0]);
      if (const auto& limit = As<LogicalLimit>(node).limit; limit.has_value()) {
        estimate.known |= static_cast<double>(*limit) <= estimate.rows;
        estimate.rows = std::min(estimate.rows, static_cast<double>(*limit));
      }
      return estimate;
    case LogicalKind::kUnionAll:
      estimate = EstimateOf(*node.inputs[0]);
      for (size_t i = 1; i < node.inputs.size(); ++i) {
        const Estimate more = EstimateOf(*node.inputs[i]);
        estimate.rows += more.rows;
        estimate.known &= more.known;
      }
      return estimate;
    case LogicalKind::kWindowTvf: {
      const auto& tvf = As<LogicalWindowTvf>(node);
      estimate = EstimateOf(*node.inputs[0]);
      if (tvf.window != WindowKind::kTumble && tvf.slide_micros > 0) {
        estimate.rows *= static_cast<double>(tvf.size_micros) / tvf.slide_micros;
      }
      break;
    }
    case LogicalKind::kOver:
    case LogicalKind::kSort:
      estimate = EstimateOf(*node.inputs[0]);
      break;
  }
  estimate.columns.resize(node.output.size(), {estimate.rows, estimate.rows, false});
  return estimate;
}

Estimate CardinalityEstimator::EstimateScan(const LogicalScan& scan) const {
  TableStatistics statistics;
  if (statistics_) statistics = statistics_(*scan.object);
  if (!statistics.rows.has_value()) statistics.rows = OwnRows(*scan.object);
  Estimate estimate;
  estimate.known = statistics.rows.has_value();
  estimate.rows = estimate.known ? static_cast<double>(*statistics.rows) : kUnknownRows;
  for (int column : scan.columns) {
    ColumnEstimate known{estimate.rows, estimate.rows, false};
    const auto found = statistics.distinct_max.find(column);
    if (found != statistics.distinct_max.end()) {
      known.distinct = std::min(estimate.rows, static_cast<double>(found->second));
      known.exact = true;
    }
    estimate.columns.push_back(known);
  }
  if (scan.filter != nullptr) estimate.rows *= Selectivity(*scan.filter, estimate);
  return estimate;
}

Estimate CardinalityEstimator::EstimateProject(const LogicalProject& project) const {
  const Estimate input = EstimateOf(*project.inputs[0]);
  Estimate estimate{input.rows, input.known, {}};
  for (const ExprPtr& expr : project.exprs) {
    const int column = PlainColumn(*expr);
    estimate.columns.push_back(column >= 0 ? input.columns[column]
                                           : ColumnEstimate{input.rows, input.rows, false});
  }
  return estimate;
}

Estimate CardinalityEstimator::EstimateAggregate(const LogicalAggregate& aggregate) const {
  const Estimate input = EstimateOf(*aggregate.inputs[0]);
  Estimate estimate{1, input.known || aggregate.keys.empty(), {}};
  bool exact = true;
  for (int key : aggregate.keys) {
    estimate.rows *= std::max(1.0, input.columns[key].distinct);
    exact &= input.columns[key].exact;
    estimate.columns.push_back(input.columns[key]);
  }
  if (!aggregate.keys.empty()) {
    estimate.rows = std::min(estimate.rows, input.rows * (exact ? 1 : kGroupShare));
  }
  estimate.columns.resize(aggregate.output.size(), {estimate.rows, estimate.rows, false});
  return estimate;
}

Estimate CardinalityEstimator::EstimateJoin(JoinType type, const Estimate& left,
                                            const Estimate& right,
                                            const std::vector<ExprPtr>& conjuncts) const {
  Estimate both{left.rows * right.rows, left.known && right.known, left.columns};
  both.columns.insert(both.columns.end(), right.columns.begin(), right.columns.end());
  const int left_width = static_cast<int>(left.columns.size());
  // Values that the keys can have together; never more than the smaller of the tables they come
  // from has rows.
  double key_values = 1;
  double left_base = 0;
  double right_base = 0;
  double share = 1;
  for (const ExprPtr& conjunct : conjuncts) {
    const bool equal = IsEquality(*conjunct);
    int a = equal ? PlainColumn(*conjunct->args[0]) : -1;
    int b = equal ? PlainColumn(*conjunct->args[1]) : -1;
    if (a > b) std::swap(a, b);
    if (a < 0 || a >= left_width || b < left_width) {
      share *= Selectivity(*conjunct, both);
      continue;
    }
    key_values *= std::max(1.0, std::min(both.columns[a].distinct, both.columns[b].distinct));
    left_base = std::max(left_base, both.columns[a].base_rows);
    right_base = std::max(right_base, both.columns[b].base_rows);
  }
  if (left_base > 0) {
    share /= std::max(1.0, std::min({key_values, left_base, right_base}));
  }
  const double matches = both.rows * share;
  const double matched_left = std::min(left.rows, matches);
  switch (type) {
    case JoinType::kInner:
      both.rows = matches;
      break;
    case JoinType::kLeft:
      both.rows = std::max(matches, left.rows);
      break;
    case JoinType::kRight:
      both.rows = std::max(matches, right.rows);
      break;
    case JoinType::kFull:
      both.rows = std::max({matches, left.rows, right.rows});
      break;
    case JoinType::kSemi:
      both.rows = matched_left;
      break;
    case JoinType::kAnti:
    case JoinType::kNullAwareAnti:
      both.rows = std::max(left.rows - matched_left, left.rows * kPatternShare);
      break;
  }
  if (!OutputsBothSides(type)) both.columns = left.columns;
  return both;
}

double CardinalityEstimator::Selectivity(const Expr& predicate, const Estimate& input) const {
  if (predicate.kind != ExprKind::kCall) return IsFalseOrNullLiteral(predicate) ? 0 : kUnknownShare;
  const absl::string_view name = FunctionName(predicate);
  if (name == "and" || name == "or") {
    double pass = 1;
    for (const ExprPtr& arg : predicate.args) {
      const double share = Selectivity(*arg, input);
      pass *= name == "and" ? share : 1 - share;
    }
    return name == "and" ? pass : 1 - pass;
  }
  if (name == "not") return 1 - Selectivity(*predicate.args[0], input);
  if (name == "eq") return EqualShare(*predicate.args[0], *predicate.args[1], input);
  if (name == "ne") return 1 - EqualShare(*predicate.args[0], *predicate.args[1], input);
  if (name == "in") {
    const double equal = EqualShare(*predicate.args[0], *predicate.args[0], input);
    return std::min(1.0, equal * static_cast<double>(predicate.args.size() - 1));
  }
  if (IsComparison(predicate)) return kRangeShare;
  if (name == "like" || name == "ilike") return kPatternShare;
  if (name == "not_like" || name == "not_ilike") return 1 - kPatternShare;
  if (name == "is_null") return kNullShare;
  if (name == "is_not_null") return 1 - kNullShare;
  return kUnknownShare;
}

}  // namespace millrace
