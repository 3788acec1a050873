#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/exchange/input_channel.h"
#include "worker/runtime/task_input.h"

namespace millrace {

// The receiving end of an exchange in one task: all its channels as one stream. Rows of different
// channels come in any order. A barrier is given out when every channel has reached it; until then
// those that have are not read. A channel that has ended counts as being there, with the greatest
// watermark.
class ExchangeInput final : public TaskInput {
 public:
  // The watermark is not below `initial_watermark_micros`, where it stood when the job's checkpoint
  // was taken.
  ExchangeInput(std::vector<std::shared_ptr<InputChannel>> channels,
                int64_t initial_watermark_micros);

  absl::Status Open() override { return absl::OkStatus(); }
  absl::StatusOr<std::optional<StreamMessage>> Poll() override;
  absl::string_view waiting_for() const override { return num_blocked_ > 0 ? "barrier" : "input"; }
  void Close(CloseReason reason) override;
  std::optional<ReceivedCounts> received() const override;

 private:
  struct Channel {
    std::shared_ptr<InputChannel> channel;
    int64_t watermark_micros;
    std::optional<Barrier> barrier;
    bool ended = false;
  };

  // A message that the channels' states make together.
  absl::StatusOr<std::optional<StreamMessage>> Combined();
  absl::Status Take(Channel& channel, const StreamMessage& message);

  std::vector<Channel> channels_;
  size_t next_channel_ = 0;
  size_t num_blocked_ = 0;
  size_t num_ended_ = 0;
  int64_t watermark_micros_;
  // Some channel's state changed since Combined last looked.
  bool changed_ = true;
  bool end_given_ = false;
};

}  // namespace millrace
