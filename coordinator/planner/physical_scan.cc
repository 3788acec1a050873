#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/planner/physical_builder.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// Tells the split enumerator which cut of a view to read.
constexpr char kAsOfEpochOption[] = "as_of_epoch";

std::string ScanConnector(const v1::CatalogObject& object) {
  if (object.kind() == v1::OBJECT_KIND_TABLE) return "table";
  if (object.kind() == v1::OBJECT_KIND_MATERIALIZED_VIEW) return "view";
  return object.connector();
}

// The columns of `key` (positions in the object) among the scan's output; nothing if one is not
// read.
template <typename Positions>
std::optional<std::vector<int>> KeyOfScan(const Positions& key, const std::vector<int>& columns) {
  std::vector<int> positions;
  for (const auto column : key) {
    const auto found = std::find(columns.begin(), columns.end(), static_cast<int>(column));
    if (found == columns.end()) return std::nullopt;
    positions.push_back(static_cast<int>(found - columns.begin()));
  }
  if (positions.empty()) return std::nullopt;
  return positions;
}

}  // namespace

absl::StatusOr<Relation> PhysicalBuilder::BuildScan(const LogicalScan& scan) {
  const v1::CatalogObject& object = *scan.object;
  Relation relation;
  relation.schema = scan.output;
  relation.parallelism = options_.parallelism;
  relation.node = fragments_->NewNode({});
  v1::ScanNode* op = relation.node->mutable_scan();
  op->set_scan_id(fragments_->NextScanId());
  op->set_connector(ScanConnector(object));
  *op->mutable_options() = object.options();
  if (scan.as_of_epoch.has_value()) {
    (*op->mutable_options())[kAsOfEpochOption] = absl::StrCat(*scan.as_of_epoch);
  }
  *op->mutable_columns() = object.columns();
  for (int column : scan.columns) op->add_projection(column);
  if (scan.filter != nullptr) ToProto(*scan.filter, op->mutable_filter());
  op->set_table_name(object.name());
  op->set_object_id(object.id());

  const bool view = object.kind() == v1::OBJECT_KIND_MATERIALIZED_VIEW;
  if (!options_.streaming) return relation;
  relation.changing = view && !object.append_only();
  relation.key = view ? KeyOfScan(object.view_key(), scan.columns)
                      : KeyOfScan(object.primary_key(), scan.columns);
  const auto rate = object.options().find("rows_per_second");
  double rows_per_second = 0;
  if (rate != object.options().end() && absl::SimpleAtod(rate->second, &rows_per_second)) {
    op->set_rows_per_second(rows_per_second);
  }
  if (!object.has_watermark()) return relation;
  has_watermark_ = true;
  *op->mutable_watermark() = object.watermark();
  for (size_t i = 0; i < scan.columns.size(); ++i) {
    if (static_cast<uint32_t>(scan.columns[i]) != object.watermark().time_column()) continue;
    relation.times.emplace(static_cast<int>(i), TimeColumn{});
  }
  return relation;
}

absl::StatusOr<Relation> PhysicalBuilder::BuildValues(const LogicalValues& values) {
  Relation relation;
  relation.schema = values.output;
  relation.node = fragments_->NewNode({});
  v1::ValuesNode* op = relation.node->mutable_values();
  for (const auto& row : values.rows) {
    v1::ValuesRow* out = op->add_rows();
    for (const ExprPtr& expr : row) ToProto(*expr, out->add_columns());
  }
  return relation;
}

}  // namespace millrace
