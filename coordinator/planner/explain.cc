#include "coordinator/planner/explain.h"

#include <map>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "coordinator/planner/describe_node.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

constexpr int kIndent = 2;

// Counters of one operator over all its tasks, and the rows of each task, by its index.
struct Totals {
  uint64_t rows_in = 0;
  uint64_t rows_out = 0;
  uint64_t busy_micros = 0;
  uint64_t rows_touched = 0;
  std::map<uint32_t, std::string> rows_by_task;
};
using TotalsByNode = std::map<uint32_t, Totals>;

TotalsByNode AddUp(absl::Span<const v1::TaskProgress> tasks) {
  TotalsByNode totals;
  for (const v1::TaskProgress& task : tasks) {
    for (const v1::OperatorProgress& progress : task.operators()) {
      Totals& sum = totals[progress.node_id()];
      sum.rows_in += progress.rows_in();
      sum.rows_out += progress.rows_out();
      sum.busy_micros += progress.busy_micros();
      sum.rows_touched += progress.rows_touched();
      sum.rows_by_task[task.task_index()] =
          absl::StrCat(progress.rows_in(), "/", progress.rows_out());
    }
  }
  return totals;
}

std::string Milliseconds(uint64_t micros) { return absl::StrFormat("%.1f ms", micros / 1e3); }

std::string Plural(uint64_t count, const std::string& noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

void AppendNode(const v1::PlanNode& node, const TotalsByNode& totals, int depth,
                std::string* text) {
  absl::StrAppend(text, std::string(depth * kIndent, ' '), NodeName(node));
  const std::vector<std::string> details = NodeDetails(node);
  if (!details.empty()) absl::StrAppend(text, " [", absl::StrJoin(details, "; "), "]");
  if (node.estimated_rows() > 0) absl::StrAppend(text, " ~", node.estimated_rows(), " rows");
  if (node.changing()) absl::StrAppend(text, " changing");
  const auto found = totals.find(node.id());
  if (found != totals.end()) {
    const Totals& sum = found->second;
    absl::StrAppend(text, " (in ", sum.rows_in, ", out ", sum.rows_out, ", ",
                    Milliseconds(sum.busy_micros));
    if (sum.rows_touched > 0) absl::StrAppend(text, ", touched ", sum.rows_touched);
    absl::StrAppend(text, "; by task in/out ",
                    absl::StrJoin(sum.rows_by_task, ", ",
                                  [](std::string* out, const auto& task) { *out += task.second; }),
                    ")");
  }
  absl::StrAppend(text, "\n");
  for (const v1::PlanNode& input : node.inputs()) AppendNode(input, totals, depth + 1, text);
}

std::string OutputsText(const v1::Fragment& fragment) {
  if (fragment.outputs().empty()) return "sink";
  return absl::StrJoin(fragment.outputs(), ", ", [&](std::string* out, const v1::Output& output) {
    absl::StrAppend(out, DistributionText(output, fragment.root()));
    if (output.distribution() != v1::DISTRIBUTION_RESULT) {
      absl::StrAppend(out, " to fragment ", output.consumer_fragment());
    }
  });
}

void AppendTasks(const v1::Fragment& fragment, absl::Span<const v1::TaskProgress> tasks,
                 std::string* text) {
  for (const v1::TaskProgress& task : tasks) {
    if (task.fragment() != fragment.id()) continue;
    absl::StrAppend(text, "  task ", task.task_index(), " on worker ", task.worker_id(), ": in ",
                    task.rows_in(), ", out ", task.rows_out(), ", busy ",
                    Milliseconds(task.busy_micros()), "\n");
  }
}

std::string SideText(uint64_t rows, uint64_t local_bytes, uint64_t remote_bytes) {
  return absl::StrCat(Plural(rows, "row"), ", ", local_bytes, " bytes local, ", remote_bytes,
                      " bytes remote");
}

// What each worker has sent to an exchange and received from it, over all its tasks.
void AppendExchange(const v1::Output& output, absl::Span<const v1::TaskProgress> tasks,
                    std::string* text) {
  std::map<uint32_t, v1::ExchangeProgress> by_worker;
  for (const v1::TaskProgress& task : tasks) {
    for (const v1::ExchangeProgress& exchange : task.exchanges()) {
      if (exchange.exchange_id() != output.exchange_id()) continue;
      v1::ExchangeProgress& sum = by_worker[task.worker_id()];
      sum.set_rows_out(sum.rows_out() + exchange.rows_out());
      sum.set_local_bytes_out(sum.local_bytes_out() + exchange.local_bytes_out());
      sum.set_remote_bytes_out(sum.remote_bytes_out() + exchange.remote_bytes_out());
      sum.set_rows_in(sum.rows_in() + exchange.rows_in());
      sum.set_local_bytes_in(sum.local_bytes_in() + exchange.local_bytes_in());
      sum.set_remote_bytes_in(sum.remote_bytes_in() + exchange.remote_bytes_in());
      sum.set_busy_micros(sum.busy_micros() + exchange.busy_micros());
    }
  }
  for (const auto& [worker, sum] : by_worker) {
    absl::StrAppend(
        text, "  exchange to fragment ", output.consumer_fragment(), ", worker ", worker, ": sent ",
        SideText(sum.rows_out(), sum.local_bytes_out(), sum.remote_bytes_out()), "; received ",
        SideText(sum.rows_in(), sum.local_bytes_in(), sum.remote_bytes_in()), "; ",
        Milliseconds(sum.busy_micros()), "\n");
  }
}

}  // namespace

namespace {

// For each fragment the steps of the script whose results need it; producers come first.
std::vector<std::set<uint32_t>> StepsServed(const v1::PhysicalPlan& plan) {
  std::vector<std::set<uint32_t>> steps(static_cast<size_t>(plan.fragments_size()));
  for (int i = plan.fragments_size() - 1; i >= 0; --i) {
    std::set<uint32_t>& served = steps[static_cast<size_t>(i)];
    for (const v1::Output& output : plan.fragments(i).outputs()) {
      if (output.distribution() == v1::DISTRIBUTION_RESULT) continue;
      const std::set<uint32_t>& further = steps[output.consumer_fragment()];
      served.insert(further.begin(), further.end());
    }
    if (served.empty()) served.insert(plan.fragments(i).step());
  }
  return steps;
}

// ", step 3" or ", shared by steps 3, 4"; nothing if the plan is that of a single step.
std::string StepsText(const std::set<uint32_t>& served, const std::set<uint32_t>& all) {
  if (all.size() < 2) return "";
  return absl::StrCat(served.size() == 1 ? ", step " : ", shared by steps ",
                      absl::StrJoin(served, ", ", [](std::string* out, uint32_t step) {
                        absl::StrAppend(out, step + 1);
                      }));
}

}  // namespace

std::string ExplainText(const v1::PhysicalPlan& plan, absl::Span<const v1::TaskProgress> tasks) {
  const TotalsByNode totals = AddUp(tasks);
  const std::vector<std::set<uint32_t>> steps = StepsServed(plan);
  std::set<uint32_t> all_steps;
  for (const v1::Fragment& fragment : plan.fragments()) all_steps.insert(fragment.step());
  std::string text;
  if (plan.streaming()) absl::StrAppend(&text, "Streaming, ", plan.num_shards(), " shards\n");
  for (int i = plan.fragments_size() - 1; i >= 0; --i) {
    const v1::Fragment& fragment = plan.fragments(i);
    absl::StrAppend(&text, "Fragment ", fragment.id(), ": ", Plural(fragment.parallelism(), "task"),
                    StepsText(steps[static_cast<size_t>(i)], all_steps), ", ",
                    OutputsText(fragment), "\n");
    AppendNode(fragment.root(), totals, 1, &text);
    AppendTasks(fragment, tasks, &text);
    for (const v1::Output& output : fragment.outputs()) {
      if (output.distribution() != v1::DISTRIBUTION_RESULT) AppendExchange(output, tasks, &text);
    }
  }
  return text;
}

std::string FragmentTitle(const v1::Fragment& fragment) {
  std::vector<std::string> names;
  for (const v1::PlanNode* node = &fragment.root();; node = &node->inputs(0)) {
    names.push_back(NodeName(*node));
    if (node->inputs().empty()) break;
  }
  return absl::StrJoin(names, " <- ");
}

}  // namespace millrace
