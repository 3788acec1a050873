#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/evaluator.h"
#include "common/types/sql_type.h"
#include "worker/exchange/input_channel.h"
#include "worker/kernels/column_store.h"
#include "worker/operators/sort_key_reader.h"
#include "worker/runtime/task_input.h"

namespace millrace {

// The receiving end of an exchange whose channels deliver rows in one order: merges them into one
// stream in that order. Rows of equal keys come by channel. Bounded input only. Must be the only
// reader of its producers' rows: a second consumer that stands still would hold up this one for
// ever.
class MergeInput final : public TaskInput {
 public:
  static absl::StatusOr<std::unique_ptr<MergeInput>> Create(
      std::vector<std::shared_ptr<InputChannel>> channels, const Schema& schema,
      const std::vector<SortKey>& keys, const EvalContext& context);

  absl::Status Open() override { return absl::OkStatus(); }
  absl::StatusOr<std::optional<StreamMessage>> Poll() override;
  absl::string_view waiting_for() const override { return "input"; }
  void Close(CloseReason reason) override;
  std::optional<ReceivedCounts> received() const override;

 private:
  struct Channel {
    std::shared_ptr<InputChannel> channel;
    // Encodes the keys of the channel's current batch, and holds them.
    std::unique_ptr<SortKeyReader> keys;
    // The current batch's rows that were not given out: [next, num_rows); row i is row first_row +
    // i of the store.
    int64_t next = 0;
    int64_t num_rows = 0;
    uint32_t first_row = 0;
    bool ended = false;

    std::string_view Key(int64_t row) const { return keys->keys().row(row); }
  };

  explicit MergeInput(std::vector<SqlType> types) : rows_(std::move(types)) {}
  // True if every channel that has not ended has a row to compare.
  absl::StatusOr<bool> FillChannels();
  // Merges until a channel has no more rows here, or the output is big enough.
  Batch Merge();
  // True if the first row of channel a comes before that of channel b.
  bool Before(size_t a, size_t b) const;
  void SiftDown(std::vector<size_t>& heap, size_t from) const;
  // Forgets rows that were given out.
  void Compact();

  std::vector<Channel> channels_;
  ColumnStore rows_;
  std::vector<uint32_t> merged_;
  bool end_given_ = false;
};

}  // namespace millrace
