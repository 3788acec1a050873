#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "worker/exchange/output_channel.h"
#include "worker/exchange/partitioner.h"
#include "worker/runtime/batch_coalescer.h"
#include "worker/runtime/task_output.h"

namespace millrace {

// How the rows of an output are spread over its channels. Single and forward distributions have one
// channel, and are kTurn.
enum class SpreadMode : uint8_t {
  // Batches in turn.
  kTurn,
  // Every row to every channel.
  kBroadcast,
  // By the hash of key columns.
  kHash,
};

// The producing end of an exchange in one task: spreads rows over channels, makes batches of a good
// size for each, and holds back what a channel has no credit for. At most one batch for each
// channel waits beyond what is being built, because the task stops while full().
class ExchangeOutput final : public TaskOutput {
 public:
  // `partitioner` for kHash only; its targets are the channels.
  ExchangeOutput(SpreadMode mode, std::vector<std::shared_ptr<OutputChannel>> channels,
                 std::optional<HashPartitioner> partitioner);

  absl::Status Send(StreamMessage message) override;
  bool full() const override { return num_waiting_batches_ > 0; }
  absl::Status Pump() override;
  absl::Status FlushPartial() override;
  bool drained() const override;
  bool closed() const override;
  void Close(CloseReason reason) override;
  SentBytes sent_bytes() const override;
  std::optional<SentCounts> sent() const override;

 private:
  struct Target {
    std::shared_ptr<OutputChannel> channel;
    // Messages that have to wait for credit, or for a batch before them.
    std::deque<StreamMessage> waiting;
  };

  absl::Status SendBatch(Batch batch);
  // Gives a batch of a good size to the target of coalescer `index`.
  absl::Status Route(size_t index, Batch batch);
  absl::Status FlushAll();
  absl::Status Enqueue(Target& target, StreamMessage message);
  absl::Status PumpTarget(Target& target);

  const SpreadMode mode_;
  std::vector<Target> targets_;
  std::optional<HashPartitioner> partitioner_;
  // kHash: one for each target; else one for all.
  std::vector<BatchCoalescer> coalescers_;
  size_t next_turn_ = 0;
  size_t num_waiting_ = 0;
  size_t num_waiting_batches_ = 0;
  bool closed_ = false;
};

}  // namespace millrace
