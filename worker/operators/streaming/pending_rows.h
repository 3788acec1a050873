#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "common/types/batch.h"
#include "worker/kernels/row_codec.h"
#include "worker/state/task_state_store.h"

namespace millrace {

// Rows that wait until the watermark passes their time. Batches stay as they came, with their rows
// in order of time beside them; taking rows costs by the rows that are taken and the batches they
// lie in, not by those that go on waiting.
//
// In the store: number of the row → row. Only rows that wait over a checkpoint are written.
class PendingRows {
 public:
  // `shard_columns`: by whose hash the rows are spread over tasks; none = all in shard 0.
  PendingRows(std::vector<SqlType> types, int time_column, std::vector<int> shard_columns);

  void Add(Batch batch);
  // Hands out the rows whose time lies before `micros`; all of them if that is the last watermark.
  absl::Status TakeBefore(int64_t micros, absl::FunctionRef<absl::Status(const Batch&)> take);

  int64_t num_rows() const { return num_rows_; }
  int64_t bytes() const { return bytes_; }

  // What changed since the last call. Keys begin with `prefix`.
  absl::Status AppendEntries(char prefix, uint32_t num_shards, StateEntries* entries);
  // Rows from the store; keys without the prefix. May be called more than once, before anything
  // else.
  absl::Status Restore(const StateEntries& stored);

 private:
  struct Chunk {
    Batch batch;
    // Rows by time, those without a time last; those before `next` are gone.
    std::vector<int32_t> order;
    size_t next = 0;
    // Numbers of the rows: first_number + row, unless they are listed.
    uint64_t first_number = 0;
    std::vector<uint64_t> numbers;
    // The rows that were left at the last checkpoint are in the store.
    bool stored = false;
    int64_t bytes = 0;

    uint64_t Number(int32_t row) const {
      return numbers.empty() ? first_number + static_cast<uint64_t>(row) : numbers[row];
    }
    size_t num_left() const { return order.size() - next; }
  };
  struct Head {
    int64_t micros;
    std::unique_ptr<Chunk> chunk;
  };

  static bool Later(const Head& a, const Head& b) { return a.micros > b.micros; }

  std::unique_ptr<Chunk> MakeChunk(Batch batch);
  void Push(std::unique_ptr<Chunk> chunk);
  absl::Status TakeFrom(Chunk& chunk, size_t end,
                        absl::FunctionRef<absl::Status(const Batch&)> take);
  // Lets go of the rows that were taken, once they are most of the chunk.
  absl::Status Shrink(Chunk& chunk);
  std::vector<uint32_t> ShardsOf(const Batch& rows, uint32_t num_shards);

  const int time_column_;
  const std::vector<int> shard_columns_;
  const std::vector<int> all_columns_;
  const RowCodec codec_;
  // A heap, earliest row first.
  std::vector<Head> heap_;
  uint64_t next_number_ = 0;
  int64_t num_rows_ = 0;
  int64_t bytes_ = 0;
  // Rows that were taken and are in the store: the columns that make their shard, and their
  // numbers.
  std::vector<Batch> removed_keys_;
  std::vector<uint64_t> removed_numbers_;
};

}  // namespace millrace
