#include "coordinator/service/step_counters.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "coordinator/planner/describe_node.h"
#include "coordinator/scheduler/placement.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

bool IsSink(const v1::PlanNode& node) { return node.has_view_sink() || node.has_file_sink(); }

// The fragments of a step, and all that feed them: steps of one job share what they have in common.
std::set<uint32_t> FragmentsBehind(const v1::PhysicalPlan& plan, uint32_t step) {
  std::set<uint32_t> behind;
  size_t before = 0;
  do {
    before = behind.size();
    for (const v1::Fragment& fragment : plan.fragments()) {
      bool needed = fragment.step() == step;
      for (const v1::Output& output : fragment.outputs()) {
        const bool leaves = output.distribution() == v1::DISTRIBUTION_RESULT;
        needed = needed || (!leaves && behind.contains(output.consumer_fragment()));
      }
      if (needed) behind.insert(fragment.id());
    }
  } while (behind.size() > before);
  return behind;
}

// What is of interest of a step's part of a plan.
struct StepNodes {
  std::set<uint32_t> fragments;
  std::set<uint32_t> scan_nodes;
  std::set<uint32_t> scan_ids;
  std::set<uint32_t> sink_nodes;
};

StepNodes NodesOf(const v1::PhysicalPlan& plan, const std::set<uint32_t>& fragments) {
  StepNodes nodes;
  nodes.fragments = fragments;
  for (const v1::Fragment& fragment : plan.fragments()) {
    if (!fragments.contains(fragment.id())) continue;
    ForEachNode(fragment.root(), [&nodes](const v1::PlanNode& node) {
      if (node.has_scan()) {
        nodes.scan_nodes.insert(node.id());
        nodes.scan_ids.insert(node.scan().scan_id());
      }
      if (IsSink(node)) nodes.sink_nodes.insert(node.id());
    });
  }
  return nodes;
}

std::set<uint32_t> AllFragments(const v1::PhysicalPlan& plan) {
  std::set<uint32_t> fragments;
  for (const v1::Fragment& fragment : plan.fragments()) fragments.insert(fragment.id());
  return fragments;
}

void AddWorkers(const AttemptTasks& attempt, v1::StepStatus* step) {
  std::set<uint32_t> workers;
  for (const v1::TaskProgress& task : attempt.tasks) {
    if (task.step() == step->index()) workers.insert(task.worker_id());
  }
  step->mutable_worker_ids()->Assign(workers.begin(), workers.end());
}

// Rows that views hold, or that file sinks have been given.
uint64_t StoredRows(const AttemptTasks& attempt, const StepNodes& nodes) {
  std::set<uint32_t> views;
  for (const v1::Fragment& fragment : attempt.plan->fragments()) {
    ForEachNode(fragment.root(), [&views](const v1::PlanNode& node) {
      if (node.has_view_sink()) views.insert(node.id());
    });
  }
  uint64_t rows = 0;
  for (const v1::TaskProgress& task : attempt.tasks) {
    for (const v1::OperatorProgress& progress : task.operators()) {
      if (!nodes.sink_nodes.contains(progress.node_id())) continue;
      rows += views.contains(progress.node_id()) ? progress.state_rows() : progress.rows_in();
    }
  }
  return rows;
}

// Rows a second that the fragments' scans read.
double ScanRate(const AttemptTasks& attempt, const std::set<uint32_t>& fragments) {
  double rate = 0;
  for (const auto& [task, rows_per_second] : attempt.scan_rates) {
    if (fragments.contains(task.fragment)) rate += rows_per_second;
  }
  return rate;
}

// The least watermark of the step's last tasks; none as long as one of them has none.
void AddWatermark(const AttemptTasks& attempt, v1::StepStatus* step) {
  std::set<uint32_t> last;
  for (const v1::Fragment& fragment : attempt.plan->fragments()) {
    if (fragment.step() == step->index() && fragment.outputs().empty()) last.insert(fragment.id());
  }
  int64_t least = INT64_MAX;
  bool all_have_one = true;
  for (const v1::TaskProgress& task : attempt.tasks) {
    if (!last.contains(task.fragment())) continue;
    all_have_one = all_have_one && task.has_watermark();
    least = std::min(least, task.watermark_micros());
  }
  if (last.empty() || !all_have_one || attempt.tasks.empty()) return;
  step->set_has_watermark(true);
  step->set_watermark_micros(least);
}

}  // namespace

void NameTasks(AttemptTasks* attempt, const uint32_t* only_step) {
  std::map<uint32_t, std::string> names;
  std::map<uint32_t, uint32_t> step_of_fragment;
  for (const v1::Fragment& fragment : attempt->plan->fragments()) {
    step_of_fragment[fragment.id()] = only_step != nullptr ? *only_step : fragment.step();
    ForEachNode(fragment.root(),
                [&names](const v1::PlanNode& node) { names[node.id()] = NodeName(node); });
  }
  for (v1::TaskProgress& task : attempt->tasks) {
    task.set_step(step_of_fragment[task.fragment()]);
    for (v1::OperatorProgress& progress : *task.mutable_operators()) {
      progress.set_name(names[progress.node_id()]);
    }
  }
}

void CountBoundedStep(const AttemptTasks& attempt, v1::StepStatus* step) {
  const StepNodes nodes = NodesOf(*attempt.plan, AllFragments(*attempt.plan));
  AddWorkers(attempt, step);
  uint64_t rows_in = 0;
  uint64_t bad_rows = 0;
  for (const v1::TaskProgress& task : attempt.tasks) {
    bad_rows += task.bad_rows();
    for (const v1::OperatorProgress& progress : task.operators()) {
      if (nodes.scan_nodes.contains(progress.node_id())) rows_in += progress.rows_in();
    }
  }
  step->set_rows_in(rows_in);
  step->set_rows_in_per_second(ScanRate(attempt, nodes.fragments));
  step->set_bad_rows(bad_rows);
}

void CountStreamStep(const StreamView& stream, const AttemptTasks& attempt, v1::StepStatus* step) {
  const StepNodes nodes = NodesOf(*attempt.plan, FragmentsBehind(*attempt.plan, step->index()));
  const StepNodes own = [&] {
    std::set<uint32_t> fragments;
    for (const v1::Fragment& fragment : attempt.plan->fragments()) {
      if (fragment.step() == step->index()) fragments.insert(fragment.id());
    }
    return NodesOf(*attempt.plan, fragments);
  }();
  AddWorkers(attempt, step);
  AddWatermark(attempt, step);
  step->set_rows_in_per_second(ScanRate(attempt, nodes.fragments));
  step->set_rows(StoredRows(attempt, own));
  uint64_t touched = 0;
  for (const v1::TaskProgress& task : attempt.tasks) {
    if (task.step() == step->index()) touched += task.epoch_rows_touched();
  }
  step->set_epoch_rows_touched(touched);
  if (stream.published.empty()) return;
  const PublishedEpoch& newest = stream.published.back();
  step->set_epoch(newest.epoch);
  uint64_t rows_in = 0;
  uint64_t late_rows = 0;
  uint64_t bad_rows = 0;
  for (const auto& [key, position] : newest.positions) {
    if (!nodes.scan_ids.contains(key.first)) continue;
    rows_in += position.rows();
    late_rows += position.late_rows();
    bad_rows += position.bad_rows();
  }
  step->set_rows_in(rows_in);
  step->set_late_rows(late_rows);
  step->set_bad_rows(bad_rows);
}

}  // namespace millrace
