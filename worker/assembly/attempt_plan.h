#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/operators/operator.h"

namespace millrace {

namespace v1 {
class DeployAttempt;
class Fragment;
class Output;
class PlanNode;
class TaskPlacement;
}  // namespace v1

// A deployment with the look-ups that assembling its tasks needs. Borrows the message.
class AttemptPlan {
 public:
  // XX000 if the plan does not fit together: a fragment without all of its tasks, an exchange
  // without a producer.
  static absl::StatusOr<AttemptPlan> Create(const v1::DeployAttempt& deploy, uint32_t own_worker);

  const v1::DeployAttempt& deploy() const { return *deploy_; }
  uint32_t own_worker() const { return own_worker_; }
  bool streaming() const;
  const v1::Fragment& fragment(uint32_t id) const;
  // The tasks of a fragment; [i] is task i.
  const std::vector<const v1::TaskPlacement*>& tasks(uint32_t fragment) const {
    return tasks_[fragment];
  }
  // The tasks that this worker runs.
  const std::vector<const v1::TaskPlacement*>& own_tasks() const { return own_tasks_; }

  // The output that feeds an exchange.
  const v1::Output& producer_output(uint32_t exchange_id) const {
    return *producers_.at(exchange_id).second;
  }
  uint32_t producer_fragment(uint32_t exchange_id) const {
    return producers_.at(exchange_id).first;
  }
  // The producer tasks whose rows reach a consumer task.
  std::vector<uint32_t> producer_tasks(uint32_t exchange_id, uint32_t consumer_task) const;
  // The ExchangeNodes of a fragment.
  const std::vector<const v1::PlanNode*>& exchanges(uint32_t fragment) const {
    return exchanges_[fragment];
  }
  // Bytes that may be in flight on one channel of an exchange.
  int64_t WindowBytes(uint32_t exchange_id) const;
  // The address of a worker's data service; empty if it is not known.
  std::string WorkerAddress(uint32_t worker) const;
  // Where the watermark of a task stood at the checkpoint that the attempt is restored from.
  int64_t InitialWatermark(const v1::TaskPlacement& task) const;

 private:
  AttemptPlan() = default;
  absl::Status IndexTasks();
  absl::Status IndexExchanges();
  void CollectExchanges(const v1::PlanNode& node, uint32_t fragment);

  const v1::DeployAttempt* deploy_ = nullptr;
  uint32_t own_worker_ = 0;
  std::vector<std::vector<const v1::TaskPlacement*>> tasks_;
  std::vector<const v1::TaskPlacement*> own_tasks_;
  std::vector<std::vector<const v1::PlanNode*>> exchanges_;
  // By exchange id.
  std::map<uint32_t, std::pair<uint32_t, const v1::Output*>> producers_;
};

}  // namespace millrace
