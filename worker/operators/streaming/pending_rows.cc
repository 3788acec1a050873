#include "worker/operators/streaming/pending_rows.h"

#include <algorithm>
#include <numeric>

#include "arrow/array.h"
#include "common/base/status.h"
#include "common/expr/evaluator.h"
#include "worker/kernels/column_view.h"
#include "worker/kernels/hash.h"
#include "worker/operators/operator.h"
#include "worker/operators/plan_fields.h"
#include "worker/operators/streaming/over_slice.h"

namespace millrace {
namespace {

constexpr size_t kNumberBytes = 8;

// Big-endian, so that the store keeps rows in order of arrival.
void AppendNumber(uint64_t number, std::string* out) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(number >> shift));
}

uint64_t ReadNumber(std::string_view bytes) {
  uint64_t number = 0;
  for (const char byte : bytes) number = (number << 8) | static_cast<uint8_t>(byte);
  return number;
}

int64_t TimeOf(const ColumnView& times, int64_t row) {
  return times.IsNull(row) ? kNoTime : times.Get<int64_t>(row);
}

}  // namespace

PendingRows::PendingRows(std::vector<SqlType> types, int time_column,
                         std::vector<int> shard_columns)
    : time_column_(time_column),
      shard_columns_(std::move(shard_columns)),
      all_columns_(FirstColumns(static_cast<int>(types.size()))),
      codec_(std::move(types), CodecUse::kStorage) {}

void PendingRows::Push(std::unique_ptr<Chunk> chunk) {
  const ColumnView times(*chunk->batch.column(time_column_));
  const int64_t micros = TimeOf(times, chunk->order[chunk->next]);
  heap_.push_back(Head{micros, std::move(chunk)});
  std::push_heap(heap_.begin(), heap_.end(), Later);
}

std::unique_ptr<PendingRows::Chunk> PendingRows::MakeChunk(Batch batch) {
  const int64_t n = batch.num_rows();
  const ColumnView times(*batch.column(time_column_));
  std::vector<int64_t> micros(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) micros[i] = TimeOf(times, i);
  auto chunk = std::make_unique<Chunk>();
  chunk->order.resize(static_cast<size_t>(n));
  std::iota(chunk->order.begin(), chunk->order.end(), 0);
  if (!std::is_sorted(micros.begin(), micros.end())) {
    std::sort(chunk->order.begin(), chunk->order.end(), [&micros](int32_t a, int32_t b) {
      return micros[a] != micros[b] ? micros[a] < micros[b] : a < b;
    });
  }
  chunk->bytes = batch.ByteSize() + n * static_cast<int64_t>(sizeof(int32_t));
  chunk->batch = std::move(batch);
  num_rows_ += n;
  bytes_ += chunk->bytes;
  return chunk;
}

void PendingRows::Add(Batch batch) {
  if (batch.num_rows() == 0) return;
  const auto n = static_cast<uint64_t>(batch.num_rows());
  std::unique_ptr<Chunk> chunk = MakeChunk(std::move(batch));
  chunk->first_number = next_number_;
  next_number_ += n;
  Push(std::move(chunk));
}

absl::Status PendingRows::TakeBefore(int64_t micros,
                                     absl::FunctionRef<absl::Status(const Batch&)> take) {
  const bool all = micros == Watermark::kMaxWatermark;
  while (!heap_.empty() && (all || heap_.front().micros < micros)) {
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    std::unique_ptr<Chunk> chunk = std::move(heap_.back().chunk);
    heap_.pop_back();
    const ColumnView times(*chunk->batch.column(time_column_));
    size_t end = all ? chunk->order.size() : chunk->next + 1;
    while (end < chunk->order.size() && TimeOf(times, chunk->order[end]) < micros) ++end;
    MR_RETURN_IF_ERROR(TakeFrom(*chunk, end, take));
    if (chunk->num_left() == 0) {
      bytes_ -= chunk->bytes;
      continue;
    }
    MR_RETURN_IF_ERROR(Shrink(*chunk));
    Push(std::move(chunk));
  }
  return absl::OkStatus();
}

absl::Status PendingRows::TakeFrom(Chunk& chunk, size_t end,
                                   absl::FunctionRef<absl::Status(const Batch&)> take) {
  const auto n = static_cast<int64_t>(end - chunk.next);
  Batch taken = chunk.batch;
  const bool whole = n == chunk.batch.num_rows();
  if (!whole) {
    MR_ASSIGN_OR_RETURN(taken, TakeRows(chunk.batch, chunk.order.data() + chunk.next, n));
  }
  if (chunk.stored) {
    std::vector<std::shared_ptr<arrow::Array>> keys;
    for (const int column : shard_columns_) keys.push_back(taken.column(column));
    removed_keys_.emplace_back(std::move(keys), n);
    for (size_t i = chunk.next; i < end; ++i) {
      // A whole batch is handed out in its own order.
      const auto row = whole ? static_cast<int32_t>(i - chunk.next) : chunk.order[i];
      removed_numbers_.push_back(chunk.Number(row));
    }
  }
  chunk.next = end;
  num_rows_ -= n;
  return take(taken);
}

absl::Status PendingRows::Shrink(Chunk& chunk) {
  if (chunk.num_left() * 4 > chunk.order.size()) return absl::OkStatus();
  const auto left = static_cast<int64_t>(chunk.num_left());
  std::vector<uint64_t> numbers;
  for (size_t i = chunk.next; i < chunk.order.size(); ++i) {
    numbers.push_back(chunk.Number(chunk.order[i]));
  }
  MR_ASSIGN_OR_RETURN(chunk.batch, TakeRows(chunk.batch, chunk.order.data() + chunk.next, left));
  chunk.numbers = std::move(numbers);
  chunk.order.resize(static_cast<size_t>(left));
  chunk.order.shrink_to_fit();
  std::iota(chunk.order.begin(), chunk.order.end(), 0);
  chunk.next = 0;
  const int64_t per_row = sizeof(int32_t) + sizeof(uint64_t);
  const int64_t bytes = chunk.batch.ByteSize() + left * per_row;
  bytes_ += bytes - chunk.bytes;
  chunk.bytes = bytes;
  return absl::OkStatus();
}

std::vector<uint32_t> PendingRows::ShardsOf(const Batch& rows, uint32_t num_shards) {
  std::vector<uint32_t> shards(static_cast<size_t>(rows.num_rows()), 0);
  if (shard_columns_.empty()) return shards;
  std::vector<uint64_t> hashes;
  HashRows(rows, FirstColumns(rows.num_columns()), &hashes);
  for (size_t i = 0; i < shards.size(); ++i) shards[i] = ShardOf(hashes[i], num_shards);
  return shards;
}

absl::Status PendingRows::AppendEntries(char prefix, uint32_t num_shards, StateEntries* entries) {
  std::string key;
  const auto set_key = [&](uint64_t number) {
    key.assign(1, prefix);
    AppendNumber(number, &key);
  };
  size_t next = 0;
  for (const Batch& keys : removed_keys_) {
    for (const uint32_t shard : ShardsOf(keys, num_shards)) {
      set_key(removed_numbers_[next++]);
      entries->Delete(shard, {key});
    }
  }
  removed_keys_.clear();
  removed_numbers_.clear();
  EncodedRows encoded;
  for (Head& head : heap_) {
    Chunk& chunk = *head.chunk;
    if (chunk.stored) continue;
    chunk.stored = true;
    MR_ASSIGN_OR_RETURN(const Batch rows, TakeRows(chunk.batch, chunk.order.data() + chunk.next,
                                                   static_cast<int64_t>(chunk.num_left())));
    codec_.Encode(rows, all_columns_, &encoded);
    std::vector<std::shared_ptr<arrow::Array>> keys;
    for (const int column : shard_columns_) keys.push_back(rows.column(column));
    const std::vector<uint32_t> shards =
        ShardsOf(Batch(std::move(keys), rows.num_rows()), num_shards);
    for (size_t i = 0; i < shards.size(); ++i) {
      set_key(chunk.Number(chunk.order[chunk.next + i]));
      entries->Put(shards[i], {key}, {encoded.row(static_cast<int64_t>(i))});
    }
  }
  return absl::OkStatus();
}

absl::Status PendingRows::Restore(const StateEntries& stored) {
  if (stored.empty()) return absl::OkStatus();
  std::vector<uint64_t> numbers;
  std::vector<std::string_view> rows;
  uint64_t next_number = next_number_;
  for (int64_t i = 0; i < stored.size(); ++i) {
    const StateEntries::Entry entry = stored[i];
    if (entry.key.size() != kNumberBytes) {
      return MakeError(SqlState::kDataCorrupted, "stored row of a stream has a wrong key");
    }
    numbers.push_back(ReadNumber(entry.key));
    next_number = std::max(next_number, numbers.back() + 1);
    rows.push_back(entry.value);
  }
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(codec_.Decode(rows, &columns));
  std::unique_ptr<Chunk> chunk = MakeChunk(Batch(std::move(columns), stored.size()));
  chunk->numbers = std::move(numbers);
  chunk->stored = true;
  next_number_ = next_number;
  Push(std::move(chunk));
  return absl::OkStatus();
}

}  // namespace millrace
