#include "coordinator/service/late_rows_view.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "coordinator/logical_plan/bound_statement.h"
#include "coordinator/service/stream_group.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

// Marks the view, and names the definition.
constexpr char kLateRowsOfOption[] = "late_rows_of";

}  // namespace

std::optional<std::string> LateInto(const v1::CatalogObject& definition) {
  const auto option = definition.options().find("late_into");
  if (option == definition.options().end()) return std::nullopt;
  return option->second;
}

CatalogObjectPtr LateRowsView(const v1::CatalogObject& definition, const CatalogSnapshot& catalog) {
  const std::optional<std::string> name = LateInto(definition);
  if (!name.has_value()) return nullptr;
  CatalogObjectPtr view = catalog.Find(*name);
  if (view == nullptr) return nullptr;
  const auto option = view->options().find(kLateRowsOfOption);
  const bool belongs = option != view->options().end() && option->second == definition.name();
  return belongs ? view : nullptr;
}

absl::Status CheckLateInto(const v1::CatalogObject& definition) {
  const std::optional<std::string> name = LateInto(definition);
  if (!name.has_value()) return absl::OkStatus();
  if (!definition.has_watermark()) {
    return MakeError(SqlState::kInvalidParameterValue,
                     "option \"late_into\" needs a definition with a watermark",
                     "add WATERMARK FOR column AS column - INTERVAL '5 seconds' to the columns");
  }
  if (name->empty() || name->find_first_of(".\"") != std::string::npos) {
    return MakeError(
        SqlState::kInvalidParameterValue,
        absl::StrCat("option \"late_into\" needs the name of a new relation, not '", *name, "'"));
  }
  return absl::OkStatus();
}

absl::Status CreateLateRowsView(const CatalogObjectPtr& definition, ClusterParts& parts,
                                StatementContext& context, const StatementMoment& moment,
                                const std::function<std::vector<MetadataWrite>()>& also) {
  auto late = std::make_shared<v1::CatalogObject>(*definition);
  late->mutable_watermark()->set_late_rows_only(true);
  auto scan = std::make_shared<LogicalScan>();
  for (int i = 0; i < late->columns_size(); ++i) {
    scan->columns.push_back(i);
    scan->output.push_back(FromProto(late->columns(i)));
  }
  scan->object = std::move(late);
  BoundCreateView view;
  view.name = *LateInto(*definition);
  view.materialized = true;
  view.plan = std::move(scan);
  view.query = absl::StrCat("the late rows of ", definition->name());
  view.options[kLateRowsOfOption] = definition->name();
  view.depends_on = {definition->id()};
  StreamGroup group(parts, context, *definition);
  MR_RETURN_IF_ERROR(
      group.AddView(view, {view.query, context.step, moment, context.sink}).status());
  return group.Start(moment, also);
}

}  // namespace millrace
