#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "coordinator/planner/describe_node.h"
#include "coordinator/planner/explain.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&quoted, "\\", std::string(1, c));
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppend(&quoted, absl::StrFormat("\\u%04x", static_cast<int>(c)));
    } else {
      quoted.push_back(c);
    }
  }
  quoted.push_back('"');
  return quoted;
}

// "[a,b]" from the texts that `text_of` gives for each item.
template <typename Items, typename TextOf>
std::string Array(const Items& items, const TextOf& text_of) {
  std::string text = "[";
  for (const auto& item : items) {
    absl::StrAppend(&text, text.size() > 1 ? "," : "", text_of(item));
  }
  return absl::StrCat(text, "]");
}

const char* Bool(bool value) { return value ? "true" : "false"; }

std::string NodeJson(const v1::PlanNode& node) {
  const std::string details = Array(NodeDetails(node), Quoted);
  const std::string columns =
      Array(node.output(), [](const v1::Field& field) { return Quoted(field.name()); });
  return absl::StrCat("{\"id\":", node.id(), ",\"op\":", Quoted(NodeName(node)),
                      ",\"details\":", details, ",\"columns\":", columns,
                      ",\"changing\":", Bool(node.changing()),
                      ",\"estimated_rows\":", node.estimated_rows(),
                      ",\"inputs\":", Array(node.inputs(), NodeJson), "}");
}

std::string OutputJson(const v1::Output& output, const v1::PlanNode& root) {
  std::string text = absl::StrCat("{\"exchange_id\":", output.exchange_id(),
                                  ",\"distribution\":", Quoted(DistributionText(output, root)));
  if (output.distribution() != v1::DISTRIBUTION_RESULT) {
    absl::StrAppend(&text, ",\"consumer_fragment\":", output.consumer_fragment());
  }
  return absl::StrCat(text, "}");
}

std::string OperatorJson(const v1::OperatorProgress& progress) {
  return absl::StrCat("{\"node_id\":", progress.node_id(), ",\"rows_in\":", progress.rows_in(),
                      ",\"rows_out\":", progress.rows_out(),
                      ",\"busy_micros\":", progress.busy_micros(),
                      ",\"rows_touched\":", progress.rows_touched(), "}");
}

std::string ExchangeJson(const v1::ExchangeProgress& exchange) {
  return absl::StrCat(
      "{\"exchange_id\":", exchange.exchange_id(), ",\"rows_out\":", exchange.rows_out(),
      ",\"local_bytes_out\":", exchange.local_bytes_out(),
      ",\"remote_bytes_out\":", exchange.remote_bytes_out(), ",\"rows_in\":", exchange.rows_in(),
      ",\"local_bytes_in\":", exchange.local_bytes_in(),
      ",\"remote_bytes_in\":", exchange.remote_bytes_in(),
      ",\"busy_micros\":", exchange.busy_micros(), "}");
}

std::string TaskJson(const v1::TaskProgress& task) {
  return absl::StrCat("{\"task\":", task.task_index(), ",\"worker\":", task.worker_id(),
                      ",\"rows_in\":", task.rows_in(), ",\"rows_out\":", task.rows_out(),
                      ",\"busy_micros\":", task.busy_micros(),
                      ",\"local_bytes_out\":", task.local_bytes_out(),
                      ",\"remote_bytes_out\":", task.remote_bytes_out(),
                      ",\"operators\":", Array(task.operators(), OperatorJson),
                      ",\"exchanges\":", Array(task.exchanges(), ExchangeJson), "}");
}

std::string FragmentJson(const v1::Fragment& fragment, absl::Span<const v1::TaskProgress> tasks) {
  std::string text = absl::StrCat(
      "{\"id\":", fragment.id(), ",\"parallelism\":", fragment.parallelism(),
      ",\"step\":", fragment.step(), ",\"outputs\":",
      Array(fragment.outputs(),
            [&](const v1::Output& output) { return OutputJson(output, fragment.root()); }),
      ",\"root\":", NodeJson(fragment.root()));
  if (!tasks.empty()) {
    std::string list;
    for (const v1::TaskProgress& task : tasks) {
      if (task.fragment() != fragment.id()) continue;
      absl::StrAppend(&list, list.empty() ? "" : ",", TaskJson(task));
    }
    absl::StrAppend(&text, ",\"tasks\":[", list, "]");
  }
  return absl::StrCat(text, "}");
}

}  // namespace

std::string ExplainJson(const v1::PhysicalPlan& plan, absl::Span<const v1::TaskProgress> tasks) {
  return absl::StrCat(
      "{\"streaming\":", Bool(plan.streaming()), ",\"num_shards\":", plan.num_shards(),
      ",\"fragments\":",
      Array(plan.fragments(),
            [&](const v1::Fragment& fragment) { return FragmentJson(fragment, tasks); }),
      "}");
}

}  // namespace millrace
