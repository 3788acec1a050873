#include "worker/exchange/merge_input.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"

namespace millrace {
namespace {

// Rows that were given out and still take space are forgotten from this many on.
constexpr uint32_t kCompactRows = 64 << 10;
// As kCompactRows, in bytes, where rows are large.
constexpr int64_t kCompactBytes = 2 * kMaxBatchBytes;

}  // namespace

absl::StatusOr<std::unique_ptr<MergeInput>> MergeInput::Create(
    std::vector<std::shared_ptr<InputChannel>> channels, const Schema& schema,
    const std::vector<SortKey>& keys, const EvalContext& context) {
  std::vector<SqlType> types;
  for (const Field& field : schema) types.push_back(field.type);
  std::unique_ptr<MergeInput> input(new MergeInput(std::move(types)));
  for (auto& channel : channels) {
    MR_ASSIGN_OR_RETURN(auto reader, SortKeyReader::Create({}, keys, schema, context));
    Channel& added = input->channels_.emplace_back();
    added.channel = std::move(channel);
    added.keys = std::move(reader);
  }
  return input;
}

absl::StatusOr<std::optional<StreamMessage>> MergeInput::Poll() {
  MR_ASSIGN_OR_RETURN(const bool filled, FillChannels());
  if (!filled || end_given_) return std::nullopt;
  Batch batch = Merge();
  if (batch.num_rows() > 0) return batch;
  end_given_ = true;
  return EndOfStream();
}

absl::StatusOr<bool> MergeInput::FillChannels() {
  bool filled = true;
  for (Channel& channel : channels_) {
    while (!channel.ended && channel.next == channel.num_rows) {
      MR_ASSIGN_OR_RETURN(auto message, channel.channel->Pop());
      if (!message.has_value()) {
        filled = false;
        break;
      }
      if (std::holds_alternative<EndOfStream>(*message)) {
        channel.ended = true;
      } else if (const auto* batch = std::get_if<Batch>(&*message)) {
        MR_RETURN_IF_ERROR(channel.keys->Read(*batch));
        Compact();
        channel.next = 0;
        channel.num_rows = batch->num_rows();
        channel.first_row = rows_.num_rows();
        rows_.Append(*batch);
      } else {
        return InternalError("a merging exchange got a watermark or a barrier");
      }
    }
  }
  return filled;
}

bool MergeInput::Before(size_t a, size_t b) const {
  const int order =
      channels_[a].Key(channels_[a].next).compare(channels_[b].Key(channels_[b].next));
  return order != 0 ? order < 0 : a < b;
}

void MergeInput::SiftDown(std::vector<size_t>& heap, size_t from) const {
  while (true) {
    size_t least = from;
    for (size_t child = 2 * from + 1; child <= 2 * from + 2 && child < heap.size(); ++child) {
      if (Before(heap[child], heap[least])) least = child;
    }
    if (least == from) return;
    std::swap(heap[from], heap[least]);
    from = least;
  }
}

Batch MergeInput::Merge() {
  std::vector<size_t> heap;
  for (size_t i = 0; i < channels_.size(); ++i) {
    if (channels_[i].next < channels_[i].num_rows) heap.push_back(i);
  }
  for (size_t i = heap.size() / 2; i-- > 0;) SiftDown(heap, i);
  merged_.clear();
  const bool measures = rows_.row_bytes_max() * kTargetBatchRows > kMaxBatchBytes;
  int64_t bytes = 0;
  while (!heap.empty() && static_cast<int64_t>(merged_.size()) < kTargetBatchRows &&
         bytes < kMaxBatchBytes) {
    Channel& channel = channels_[heap[0]];
    const uint32_t row = channel.first_row + static_cast<uint32_t>(channel.next);
    merged_.push_back(row);
    if (measures) bytes += rows_.RowBytes(row);
    ++channel.next;
    if (channel.next == channel.num_rows) {
      // Its next batch may hold the least row, so the merge stops here unless nothing follows.
      if (!channel.ended) break;
      heap[0] = heap.back();
      heap.pop_back();
    }
    SiftDown(heap, 0);
  }
  return rows_.GatherRows(merged_);
}

void MergeInput::Compact() {
  int64_t live = 0;
  for (const Channel& channel : channels_) live += channel.num_rows - channel.next;
  const int64_t dead = rows_.num_rows() - live;
  if (dead == 0) return;
  const int64_t row_bytes = rows_.bytes() / rows_.num_rows();
  const bool many_bytes = dead * row_bytes >= std::max(kCompactBytes, live * row_bytes);
  if (dead < kCompactRows && !many_bytes) return;
  std::vector<Channel*> by_row;
  for (Channel& channel : channels_) {
    if (channel.next < channel.num_rows) by_row.push_back(&channel);
  }
  std::sort(by_row.begin(), by_row.end(),
            [](const Channel* a, const Channel* b) { return a->first_row < b->first_row; });
  std::vector<uint32_t> survivors;
  survivors.reserve(static_cast<size_t>(live));
  for (Channel* channel : by_row) {
    const uint32_t old_first = channel->first_row;
    // Row i of the batch stays row first_row + i; those before `next` are never asked for.
    channel->first_row =
        static_cast<uint32_t>(survivors.size()) - static_cast<uint32_t>(channel->next);
    for (int64_t i = channel->next; i < channel->num_rows; ++i) {
      survivors.push_back(old_first + static_cast<uint32_t>(i));
    }
  }
  rows_.Retain(survivors);
}

std::optional<ReceivedCounts> MergeInput::received() const {
  if (channels_.empty()) return std::nullopt;
  ReceivedCounts counts;
  counts.exchange = channels_[0].channel->address().exchange;
  for (const Channel& channel : channels_) {
    const InputChannel::Counts received = channel.channel->received();
    counts.rows += received.rows;
    counts.local_bytes += received.local_bytes;
    counts.remote_bytes += received.remote_bytes;
  }
  return counts;
}

void MergeInput::Close(CloseReason reason) {
  for (Channel& channel : channels_) {
    if (reason == CloseReason::kFinished) {
      channel.channel->Close();
    } else {
      channel.channel->Abandon();
    }
  }
}

}  // namespace millrace
