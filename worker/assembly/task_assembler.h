#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/clock.h"
#include "common/expr/evaluator.h"
#include "common/net/address_policy.h"
#include "worker/assembly/attempt_plan.h"
#include "worker/exchange/channel_address.h"
#include "worker/runtime/chain.h"
#include "worker/runtime/scan_mailbox.h"

namespace millrace {

class ActorPool;
class ChannelRegistry;
class FileSystem;
class InputChannel;
class JobStateStore;
class MemoryBudget;
class OutputChannel;
class PeerPool;
class ResultQueue;
class Task;
class TaskListener;
class Timers;
class ViewStore;

// What the tasks of all attempts share on a worker. Everything outlives the tasks.
struct WorkerParts {
  ActorPool& pool;
  Timers& timers;
  const Clock& clock;
  ChannelRegistry& channels;
  PeerPool& peers;
  FileSystem& file_system;
  ViewStore& views;
  // Where connectors may connect to.
  AddressPolicy addresses = {};
  // Of all queries that end and of all views, together; null: no limit.
  MemoryBudget* query_memory = nullptr;
};

// What the tasks of one attempt share.
struct AttemptParts {
  TaskListener& listener;
  SplitRequester& requester;
  MemoryBudget& memory;
  // Null unless streaming.
  JobStateStore* state;
};

// A task that is ready to run, and the ends by which it is reached.
struct AssembledTask {
  std::shared_ptr<Task> task;
  // By scan id.
  std::map<uint32_t, std::shared_ptr<ScanMailbox>> scans;
  // Of all its sources, those without splits too: where barriers go in.
  std::vector<std::shared_ptr<ScanMailbox>> sources;
  // Set if its rows are the result.
  std::shared_ptr<ResultQueue> result;
};

// Turns a worker's part of a plan into tasks: makes the channels that end here and registers them,
// then a chain for each task. This is the only place that knows all operators and connectors.
class TaskAssembler {
 public:
  // All references outlive the assembler; those in the parts outlive the tasks.
  TaskAssembler(const AttemptPlan& plan, const WorkerParts& worker, const AttemptParts& attempt);
  ~TaskAssembler();

  // The tasks of this worker, in the order of the placements. After an error some channels may be
  // registered.
  absl::StatusOr<std::vector<AssembledTask>> Assemble();

 private:
  struct Build;

  void MakeInputChannels();
  absl::StatusOr<AssembledTask> AssembleTask(const v1::TaskPlacement& placement);
  // Adds the node with everything below it. It is then the last of the chain's inputs or operators;
  // it leads to the outputs until its parent claims it.
  absl::Status AddNode(const v1::PlanNode& node, Build& build);
  absl::Status AddScan(const v1::PlanNode& node, Build& build);
  // The scan of a stored table in a streaming job.
  absl::Status AddLogScan(const v1::PlanNode& node, Build& build);
  absl::Status AddValues(const v1::PlanNode& node, Build& build);
  absl::Status AddExchange(const v1::PlanNode& node, Build& build);
  absl::Status AddOutputs(Build& build);
  absl::StatusOr<std::vector<std::shared_ptr<OutputChannel>>> MakeOutputChannels(
      const v1::Output& output, const v1::TaskPlacement& producer,
      const std::shared_ptr<Task>& task);
  absl::StatusOr<std::shared_ptr<OutputChannel>> MakeOutputChannel(
      const ChannelAddress& address, const v1::TaskPlacement& consumer);
  ChannelAddress AddressOf(uint32_t exchange, uint32_t producer, uint32_t consumer) const;

  const AttemptPlan& plan_;
  const WorkerParts worker_;
  const AttemptParts attempt_;
  const EvalContext eval_;
  std::map<ChannelAddress, std::shared_ptr<InputChannel>> inputs_;
};

}  // namespace millrace
