#include "coordinator/job/task_rates.h"

#include "coordinator/scheduler/placement.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/status.pb.h"

namespace millrace {
namespace {

// A report that is late by more than this says that nothing is known of the time since.
constexpr int64_t kOverdueMicros = 2'500'000;

}  // namespace

TaskRates::TaskRates(const v1::PhysicalPlan& plan) {
  for (const v1::Fragment& fragment : plan.fragments()) {
    ForEachNode(fragment.root(), [this](const v1::PlanNode& node) {
      if (node.has_scan()) scan_nodes_.insert(node.id());
    });
  }
}

void TaskRates::Observe(const v1::TaskProgress& progress, int64_t now_micros) {
  const TaskKey task{progress.fragment(), progress.task_index()};
  if (progress.state() >= v1::TASK_STATE_FINISHED) {
    samples_.erase(task);
    return;
  }
  Sample sample{now_micros, progress.rows_in(), progress.rows_out(), 0};
  for (const v1::OperatorProgress& op : progress.operators()) {
    if (scan_nodes_.contains(op.node_id())) sample.rows_scanned += op.rows_in();
  }
  std::deque<Sample>& samples = samples_[task];
  if (samples.size() > 1 && now_micros - samples[samples.size() - 2].at_micros < kGapMicros) {
    samples.pop_back();
  }
  samples.push_back(sample);
  while (samples.size() > 2 && samples[1].at_micros <= now_micros - kWindowMicros) {
    samples.pop_front();
  }
}

TaskRate TaskRates::Of(const TaskKey& task, int64_t now_micros) const {
  TaskRate rate;
  const auto found = samples_.find(task);
  if (found == samples_.end() || found->second.size() < 2) return rate;
  const Sample& first = found->second.front();
  const Sample& last = found->second.back();
  if (now_micros - last.at_micros > kWindowMicros) return rate;
  const bool overdue = now_micros - last.at_micros > kOverdueMicros;
  const int64_t micros = (overdue ? now_micros : last.at_micros) - first.at_micros;
  if (micros <= 0) return rate;
  const double seconds = static_cast<double>(micros) / 1e6;
  rate.rows_in = static_cast<double>(last.rows_in - first.rows_in) / seconds;
  rate.rows_out = static_cast<double>(last.rows_out - first.rows_out) / seconds;
  rate.rows_scanned = static_cast<double>(last.rows_scanned - first.rows_scanned) / seconds;
  return rate;
}

}  // namespace millrace
