#include "worker/assembly/task_assembler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/expr.h"
#include "millrace/v1/control.pb.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/split.pb.h"
#include "worker/assembly/operator_factory.h"
#include "worker/assembly/operator_source.h"
#include "worker/connectors/factory/connector_factory.h"
#include "worker/connectors/view/view_changes_source.h"
#include "worker/connectors/view/view_source.h"
#include "worker/exchange/channel_registry.h"
#include "worker/exchange/exchange_input.h"
#include "worker/exchange/exchange_output.h"
#include "worker/exchange/merge_input.h"
#include "worker/exchange/output_channel.h"
#include "worker/exchange/peer_pool.h"
#include "worker/exchange/peer_stream.h"
#include "worker/operators/plan_fields.h"
#include "worker/operators/values_operator.h"
#include "worker/runtime/log_scan_input.h"
#include "worker/runtime/result_queue.h"
#include "worker/runtime/scan_input.h"
#include "worker/runtime/task.h"
#include "worker/state/job_state_store.h"

namespace millrace {
namespace {

// Encoded rows of a root task that wait for the client.
constexpr int64_t kResultQueueBytes = int64_t{4} << 20;

int64_t NumberSetting(const v1::DeployAttempt& deploy, const char* name) {
  int64_t number = 0;
  const auto it = deploy.settings().find(name);
  if (it != deploy.settings().end() && !absl::SimpleAtoi(it->second, &number)) return 0;
  return number;
}

EvalContext EvalContextOf(const v1::DeployAttempt& deploy) {
  EvalContext context;
  context.statement_time_micros = NumberSetting(deploy, "statement_time_micros");
  context.zone_offset_seconds = static_cast<int32_t>(NumberSetting(deploy, "zone_offset_seconds"));
  return context;
}

FileOwner FileOwnerOf(const v1::DeployAttempt& deploy) {
  const auto cluster = deploy.settings().find("cluster");
  return {cluster == deploy.settings().end() ? std::string() : cluster->second, deploy.job_id()};
}

Schema OutputSchema(const v1::PlanNode& node) {
  Schema schema;
  for (const v1::Field& field : node.output()) schema.push_back(FromProto(field));
  return schema;
}

// Position of `column` of the definition among the columns that are read; appended if nobody reads
// it.
int ReadColumn(v1::ScanNode& scan, uint32_t column) {
  const auto& projection = scan.projection();
  const auto it = std::find(projection.begin(), projection.end(), column);
  const int position = static_cast<int>(it - projection.begin());
  if (it == projection.end()) scan.add_projection(column);
  return position;
}

SpreadMode ModeOf(v1::Distribution distribution) {
  switch (distribution) {
    case v1::DISTRIBUTION_HASH:
      return SpreadMode::kHash;
    case v1::DISTRIBUTION_BROADCAST:
      return SpreadMode::kBroadcast;
    default:
      return SpreadMode::kTurn;
  }
}

// Which consumer task gets each part of the hash: shards in streaming jobs, else one part for each
// task.
absl::StatusOr<std::vector<uint32_t>> TargetsOfParts(
    uint32_t num_shards, const std::vector<const v1::TaskPlacement*>& consumers) {
  std::vector<uint32_t> targets;
  if (num_shards == 0) {
    for (uint32_t i = 0; i < consumers.size(); ++i) targets.push_back(i);
    return targets;
  }
  constexpr uint32_t kNobody = UINT32_MAX;
  targets.assign(num_shards, kNobody);
  for (const v1::TaskPlacement* consumer : consumers) {
    const uint32_t end = consumer->first_shard() + consumer->num_shards();
    for (uint32_t s = consumer->first_shard(); s < end && s < num_shards; ++s) {
      targets[s] = consumer->task_index();
    }
  }
  if (std::find(targets.begin(), targets.end(), kNobody) != targets.end()) {
    return InternalError("a shard of the job belongs to no task");
  }
  return targets;
}

}  // namespace

// One task in the making.
struct TaskAssembler::Build {
  const v1::TaskPlacement& placement;
  std::shared_ptr<Task> task;
  OperatorContext context;
  int64_t initial_watermark_micros;
  Chain chain;
  AssembledTask assembled;
};

TaskAssembler::TaskAssembler(const AttemptPlan& plan, const WorkerParts& worker,
                             const AttemptParts& attempt)
    : plan_(plan), worker_(worker), attempt_(attempt), eval_(EvalContextOf(plan.deploy())) {}

TaskAssembler::~TaskAssembler() = default;

ChannelAddress TaskAssembler::AddressOf(uint32_t exchange, uint32_t producer,
                                        uint32_t consumer) const {
  return {plan_.deploy().job_id(), plan_.deploy().attempt(), exchange, producer, consumer};
}

absl::StatusOr<std::vector<AssembledTask>> TaskAssembler::Assemble() {
  MakeInputChannels();
  std::vector<AssembledTask> tasks;
  for (const v1::TaskPlacement* placement : plan_.own_tasks()) {
    MR_ASSIGN_OR_RETURN(AssembledTask task, AssembleTask(*placement));
    tasks.push_back(std::move(task));
  }
  return tasks;
}

void TaskAssembler::MakeInputChannels() {
  for (const v1::TaskPlacement* consumer : plan_.own_tasks()) {
    for (const v1::PlanNode* node : plan_.exchanges(consumer->fragment())) {
      const uint32_t exchange = node->exchange().exchange_id();
      const auto& producers = plan_.tasks(plan_.producer_fragment(exchange));
      for (const uint32_t p : plan_.producer_tasks(exchange, consumer->task_index())) {
        const ChannelAddress address = AddressOf(exchange, p, consumer->task_index());
        auto channel = std::make_shared<InputChannel>(address, producers[p]->worker_id(),
                                                      plan_.WindowBytes(exchange));
        inputs_[address] = channel;
        worker_.channels.Register(std::move(channel));
      }
    }
  }
}

absl::StatusOr<AssembledTask> TaskAssembler::AssembleTask(const v1::TaskPlacement& placement) {
  const v1::DeployAttempt& deploy = plan_.deploy();
  const v1::Fragment& fragment = plan_.fragment(placement.fragment());
  Build build{placement, std::make_shared<Task>(worker_.pool, worker_.clock, attempt_.listener),
              {},        plan_.InitialWatermark(placement),
              {},        {}};
  OperatorContext& context = build.context;
  context.job = JobId(deploy.job_id());
  context.attempt = AttemptId(deploy.attempt());
  context.fragment = placement.fragment();
  context.task_index = placement.task_index();
  context.parallelism = fragment.parallelism();
  context.eval = eval_;
  context.memory = &attempt_.memory;
  context.views = &worker_.views;
  context.restored_epoch = Epoch(deploy.restore_epoch());
  context.wake_in = [&timers = worker_.timers, &clock = worker_.clock,
                     task = std::weak_ptr<Wakeable>(build.task)](int64_t micros) {
    timers.WakeAt(clock.MonotonicMicros() + micros, task);
  };
  MR_RETURN_IF_ERROR(AddNode(fragment.root(), build));
  MR_RETURN_IF_ERROR(AddOutputs(build));

  Task::Options options;
  options.identity = {deploy.job_id(),        deploy.attempt(),   placement.fragment(),
                      placement.task_index(), plan_.own_worker(), plan_.streaming()};
  options.chain = std::move(build.chain);
  options.context = context;
  if (attempt_.state != nullptr) {
    options.state = attempt_.state->ForTask(placement.fragment(), placement.task_index());
  }
  build.task->Init(std::move(options));
  build.assembled.task = std::move(build.task);
  return std::move(build.assembled);
}

absl::Status TaskAssembler::AddNode(const v1::PlanNode& node, Build& build) {
  if (node.has_scan()) return AddScan(node, build);
  if (node.has_values()) return AddValues(node, build);
  if (node.has_exchange()) return AddExchange(node, build);
  if (node.inputs().empty()) return InternalError("an operator of the plan has no input");
  if (node.inputs_size() > ChainOperator::kInputsMax) {
    return InternalError("an operator of the plan has too many inputs");
  }
  // Where the inputs' targets lie; by position, because the vectors still grow.
  struct Slot {
    bool is_leaf;
    size_t index;
  };
  std::vector<Slot> slots;
  for (const v1::PlanNode& input : node.inputs()) {
    const size_t num_leaves = build.chain.inputs.size();
    MR_RETURN_IF_ERROR(AddNode(input, build));
    const bool is_leaf = input.has_scan() || input.has_values() || input.has_exchange();
    slots.push_back({is_leaf, is_leaf ? num_leaves : build.chain.operators.size() - 1});
  }
  const v1::DeployAttempt& deploy = plan_.deploy();
  const OperatorOwner owner{FileOwnerOf(deploy), deploy.attempt(), build.placement.task_index(),
                            plan_.streaming()};
  MR_ASSIGN_OR_RETURN(auto op, CreateOperator(node, owner, worker_.file_system, worker_.addresses));
  const int index = static_cast<int>(build.chain.operators.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    ChainTarget& target = slots[i].is_leaf ? build.chain.inputs[slots[i].index].target
                                           : build.chain.operators[slots[i].index].target;
    target = {index, static_cast<InputIndex>(i)};
  }
  build.chain.operators.push_back({node.id(), std::move(op), node.inputs_size(), {}});
  return absl::OkStatus();
}

absl::Status TaskAssembler::AddLogScan(const v1::PlanNode& node, Build& build) {
  LogScanOptions options;
  MR_ASSIGN_OR_RETURN(options.source,
                      CreateSource(node.scan(), worker_.file_system, worker_.addresses));
  if (node.scan().has_filter()) {
    MR_ASSIGN_OR_RETURN(ExprPtr filter, FromProto(node.scan().filter()));
    MR_ASSIGN_OR_RETURN(options.filter, Evaluator::Create({filter}, OutputSchema(node), eval_));
  }
  options.mailbox = std::make_shared<ScanMailbox>();
  options.task = build.task;
  build.assembled.scans[node.scan().scan_id()] = options.mailbox;
  build.assembled.sources.push_back(options.mailbox);
  build.chain.inputs.push_back({node.id(), std::make_unique<LogScanInput>(std::move(options)), {}});
  return absl::OkStatus();
}

absl::Status TaskAssembler::AddScan(const v1::PlanNode& node, Build& build) {
  if (plan_.streaming() && node.scan().connector() == "table") return AddLogScan(node, build);
  v1::ScanNode scan = node.scan();
  ScanOptions options;
  options.scan_id = scan.scan_id();
  options.task_index = build.placement.task_index();
  options.streaming = plan_.streaming();
  options.num_columns = node.output_size();
  if (plan_.streaming() && scan.has_watermark()) {
    options.time_column = ReadColumn(scan, scan.watermark().time_column());
    options.delay_micros = scan.watermark().delay_micros();
    options.late_rows_only = scan.watermark().late_rows_only();
  }
  if (scan.connector() == "view") {
    options.source = std::make_unique<ViewSource>(
        worker_.views, std::vector<int>(scan.projection().begin(), scan.projection().end()));
  } else if (scan.connector() == "view_changes") {
    options.source = std::make_unique<ViewChangesSource>(worker_.views);
  } else {
    MR_ASSIGN_OR_RETURN(options.source, CreateSource(scan, worker_.file_system, worker_.addresses));
  }
  if (scan.has_filter()) {
    MR_ASSIGN_OR_RETURN(ExprPtr filter, FromProto(scan.filter()));
    MR_ASSIGN_OR_RETURN(options.filter, Evaluator::Create({filter}, OutputSchema(node), eval_));
  }
  options.num_tasks = plan_.fragment(build.placement.fragment()).parallelism();
  options.rows_per_second = scan.rows_per_second();
  options.initial_watermark_micros = build.initial_watermark_micros;
  options.mailbox = std::make_shared<ScanMailbox>();
  options.requester = &attempt_.requester;
  options.waits_for_allowance = plan_.deploy().scans_wait_for_allowance();
  options.timers = &worker_.timers;
  options.clock = &worker_.clock;
  options.task = build.task;
  build.assembled.scans[scan.scan_id()] = options.mailbox;
  build.assembled.sources.push_back(options.mailbox);
  build.chain.inputs.push_back({node.id(), std::make_unique<ScanInput>(std::move(options)), {}});
  return absl::OkStatus();
}

absl::Status TaskAssembler::AddValues(const v1::PlanNode& node, Build& build) {
  MR_ASSIGN_OR_RETURN(auto op, ValuesOperator::Create(node));
  OperatorContext context = build.context;
  context.node_id = node.id();
  ScanOptions options;
  options.task_index = build.placement.task_index();
  options.streaming = plan_.streaming();
  options.num_columns = node.output_size();
  options.source = std::make_unique<OperatorSource>(std::move(op), std::move(context));
  options.mailbox = std::make_shared<ScanMailbox>();
  options.timers = &worker_.timers;
  options.clock = &worker_.clock;
  options.task = build.task;
  v1::SplitAssignment all;
  all.set_end(true);
  // A restored job has given the rows out before.
  if (plan_.deploy().restore_epoch() == 0) all.add_splits();
  options.mailbox->Assign(all);
  build.assembled.sources.push_back(options.mailbox);
  build.chain.inputs.push_back({node.id(), std::make_unique<ScanInput>(std::move(options)), {}});
  return absl::OkStatus();
}

absl::Status TaskAssembler::AddExchange(const v1::PlanNode& node, Build& build) {
  const uint32_t exchange = node.exchange().exchange_id();
  const uint32_t consumer = build.placement.task_index();
  std::vector<std::shared_ptr<InputChannel>> channels;
  for (const uint32_t producer : plan_.producer_tasks(exchange, consumer)) {
    channels.push_back(inputs_.at(AddressOf(exchange, producer, consumer)));
    channels.back()->SetConsumer(build.task);
  }
  std::unique_ptr<TaskInput> input;
  if (node.exchange().merge_keys().empty()) {
    input = std::make_unique<ExchangeInput>(std::move(channels), build.initial_watermark_micros);
  } else {
    MR_ASSIGN_OR_RETURN(const auto keys, SortKeysOf(node.exchange().merge_keys()));
    MR_ASSIGN_OR_RETURN(input,
                        MergeInput::Create(std::move(channels), OutputSchema(node), keys, eval_));
  }
  build.chain.inputs.push_back({node.id(), std::move(input), {}});
  return absl::OkStatus();
}

absl::Status TaskAssembler::AddOutputs(Build& build) {
  for (const v1::Output& output : plan_.fragment(build.placement.fragment()).outputs()) {
    if (output.distribution() == v1::DISTRIBUTION_RESULT) {
      build.assembled.result = std::make_shared<ResultQueue>(kResultQueueBytes);
      build.assembled.result->SetTask(build.task);
      build.chain.outputs.push_back(std::make_unique<ResultOutput>(build.assembled.result));
      continue;
    }
    MR_ASSIGN_OR_RETURN(auto channels, MakeOutputChannels(output, build.placement, build.task));
    const SpreadMode mode = ModeOf(output.distribution());
    std::optional<HashPartitioner> partitioner;
    if (mode == SpreadMode::kHash) {
      const auto& consumers = plan_.tasks(output.consumer_fragment());
      const uint32_t num_shards =
          plan_.streaming() ? plan_.deploy().plan().num_shards() : uint32_t{0};
      MR_ASSIGN_OR_RETURN(auto targets, TargetsOfParts(num_shards, consumers));
      partitioner.emplace(ColumnsOf(output.key_columns()), std::move(targets),
                          static_cast<uint32_t>(consumers.size()));
    }
    build.chain.outputs.push_back(
        std::make_unique<ExchangeOutput>(mode, std::move(channels), std::move(partitioner)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::shared_ptr<OutputChannel>>> TaskAssembler::MakeOutputChannels(
    const v1::Output& output, const v1::TaskPlacement& producer,
    const std::shared_ptr<Task>& task) {
  const auto& consumers = plan_.tasks(output.consumer_fragment());
  size_t first = 0;
  size_t last = consumers.size();
  if (output.distribution() == v1::DISTRIBUTION_FORWARD) {
    first = producer.task_index();
    last = first + 1;
    if (first >= consumers.size()) return InternalError("a forward exchange has unequal sides");
  } else if (output.distribution() == v1::DISTRIBUTION_SINGLE) {
    last = 1;
  }
  std::vector<std::shared_ptr<OutputChannel>> channels;
  for (size_t c = first; c < last; ++c) {
    const ChannelAddress address =
        AddressOf(output.exchange_id(), producer.task_index(), static_cast<uint32_t>(c));
    MR_ASSIGN_OR_RETURN(auto channel, MakeOutputChannel(address, *consumers[c]));
    channel->SetProducer(task);
    channels.push_back(std::move(channel));
  }
  return channels;
}

absl::StatusOr<std::shared_ptr<OutputChannel>> TaskAssembler::MakeOutputChannel(
    const ChannelAddress& address, const v1::TaskPlacement& consumer) {
  if (consumer.worker_id() == plan_.own_worker()) {
    const auto it = inputs_.find(address);
    if (it == inputs_.end()) return InternalError("an exchange has no receiving end");
    return LocalOutputChannel::Connect(it->second);
  }
  const std::string data_address = plan_.WorkerAddress(consumer.worker_id());
  if (data_address.empty()) {
    return InternalError(absl::StrCat("worker ", consumer.worker_id(), " has no address"));
  }
  return RemoteOutputChannel::Connect(
      address, plan_.WindowBytes(address.exchange),
      worker_.peers.Get(plan_.own_worker(), consumer.worker_id(), data_address));
}

}  // namespace millrace
