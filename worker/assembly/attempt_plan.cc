#include "worker/assembly/attempt_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

// What all channels into one task may hold together, and the bounds of a single one's share: a
// batch must fit in.
constexpr int64_t kTaskWindowBytes = int64_t{16} << 20;
constexpr int64_t kWindowBytesMin = int64_t{512} << 10;
constexpr int64_t kWindowBytesMax = int64_t{2} << 20;

}  // namespace

absl::StatusOr<AttemptPlan> AttemptPlan::Create(const v1::DeployAttempt& deploy,
                                                uint32_t own_worker) {
  AttemptPlan plan;
  plan.deploy_ = &deploy;
  plan.own_worker_ = own_worker;
  MR_RETURN_IF_ERROR(plan.IndexTasks());
  MR_RETURN_IF_ERROR(plan.IndexExchanges());
  return plan;
}

absl::Status AttemptPlan::IndexTasks() {
  const auto& fragments = deploy_->plan().fragments();
  tasks_.resize(static_cast<size_t>(fragments.size()));
  exchanges_.resize(tasks_.size());
  for (int i = 0; i < fragments.size(); ++i) {
    if (fragments[i].id() != static_cast<uint32_t>(i) || fragments[i].parallelism() == 0) {
      return InternalError(absl::StrCat("fragment ", i, " of the plan is not well formed"));
    }
    tasks_[static_cast<size_t>(i)].resize(fragments[i].parallelism());
  }
  for (const v1::TaskPlacement& task : deploy_->placements()) {
    if (task.fragment() >= tasks_.size() || task.task_index() >= tasks_[task.fragment()].size()) {
      return InternalError("a task was placed that is not in the plan");
    }
    tasks_[task.fragment()][task.task_index()] = &task;
    if (task.worker_id() == own_worker_) own_tasks_.push_back(&task);
  }
  for (const auto& tasks : tasks_) {
    if (std::find(tasks.begin(), tasks.end(), nullptr) != tasks.end()) {
      return InternalError("a task of the plan was not placed");
    }
  }
  return absl::OkStatus();
}

absl::Status AttemptPlan::IndexExchanges() {
  for (const v1::Fragment& fragment : deploy_->plan().fragments()) {
    CollectExchanges(fragment.root(), fragment.id());
    for (const v1::Output& output : fragment.outputs()) {
      if (output.distribution() == v1::DISTRIBUTION_RESULT) continue;
      if (output.consumer_fragment() >= tasks_.size()) {
        return InternalError("an output leads to a fragment that is not in the plan");
      }
      producers_[output.exchange_id()] = {fragment.id(), &output};
    }
  }
  for (size_t consumer = 0; consumer < exchanges_.size(); ++consumer) {
    for (const v1::PlanNode* node : exchanges_[consumer]) {
      const auto it = producers_.find(node->exchange().exchange_id());
      if (it == producers_.end() || it->second.second->consumer_fragment() != consumer) {
        return InternalError(absl::StrCat("exchange ", node->exchange().exchange_id(),
                                          " of the plan has no producer"));
      }
    }
  }
  return absl::OkStatus();
}

void AttemptPlan::CollectExchanges(const v1::PlanNode& node, uint32_t fragment) {
  if (node.has_exchange()) exchanges_[fragment].push_back(&node);
  for (const v1::PlanNode& input : node.inputs()) CollectExchanges(input, fragment);
}

bool AttemptPlan::streaming() const { return deploy_->plan().streaming(); }

const v1::Fragment& AttemptPlan::fragment(uint32_t id) const {
  return deploy_->plan().fragments(static_cast<int>(id));
}

std::vector<uint32_t> AttemptPlan::producer_tasks(uint32_t exchange_id,
                                                  uint32_t consumer_task) const {
  const auto& [producer, output] = producers_.at(exchange_id);
  if (output->distribution() == v1::DISTRIBUTION_FORWARD) return {consumer_task};
  if (output->distribution() == v1::DISTRIBUTION_SINGLE && consumer_task != 0) return {};
  std::vector<uint32_t> tasks(tasks_[producer].size());
  for (uint32_t i = 0; i < tasks.size(); ++i) tasks[i] = i;
  return tasks;
}

int64_t AttemptPlan::WindowBytes(uint32_t exchange_id) const {
  const auto num_producers = static_cast<int64_t>(tasks_[producer_fragment(exchange_id)].size());
  return std::clamp(kTaskWindowBytes / num_producers, kWindowBytesMin, kWindowBytesMax);
}

std::string AttemptPlan::WorkerAddress(uint32_t worker) const {
  const auto it = deploy_->worker_addresses().find(worker);
  return it == deploy_->worker_addresses().end() ? std::string() : it->second;
}

int64_t AttemptPlan::InitialWatermark(const v1::TaskPlacement& task) const {
  if (deploy_->restore_epoch() == 0) return Watermark::kMinWatermark;
  const v1::CheckpointManifest& restored = deploy_->restore_manifest();
  // The least of the fragment's tasks holds for each of them, also if they are others than before.
  int64_t least = Watermark::kMaxWatermark;
  int64_t num_told = 0;
  for (const v1::TaskWatermark& watermark : restored.watermarks()) {
    if (watermark.fragment() != task.fragment()) continue;
    least = std::min(least, watermark.watermark_micros());
    ++num_told;
  }
  // A task that had none yet tells none, and holds back all.
  const auto num_tasks = std::count_if(
      restored.placements().begin(), restored.placements().end(),
      [&](const v1::TaskPlacement& placed) { return placed.fragment() == task.fragment(); });
  const bool known = least != Watermark::kMaxWatermark && num_told >= num_tasks;
  return known ? least : Watermark::kMinWatermark;
}

}  // namespace millrace
