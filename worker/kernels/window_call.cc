#include "worker/kernels/window_call.h"

#include "arrow/array.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/column_store.h"

namespace millrace {
namespace {

template <typename F>
std::shared_ptr<arrow::Array> MakeNumbers(const WindowChunk& chunk, const F& number_of) {
  FlatVector<int64_t> numbers(chunk.num_rows);
  for (uint32_t i = 0; i < chunk.num_rows; ++i) numbers[i] = number_of(i);
  return MakeInt64Array(std::move(numbers));
}

template <typename F>
std::shared_ptr<arrow::Array> MakeShares(const WindowChunk& chunk, const F& share_of) {
  FlatVector<double> shares(chunk.num_rows);
  for (uint32_t i = 0; i < chunk.num_rows; ++i) shares[i] = share_of(i);
  return MakeFixedArray(arrow::float64(), std::move(shares), NullBits(chunk.num_rows));
}

std::shared_ptr<arrow::Array> DenseRanks(const WindowChunk& chunk) {
  int64_t rank = 0;
  return MakeNumbers(chunk, [&](uint32_t i) {
    if (chunk.partition_begin[i] == i) rank = 0;
    if (chunk.peers_begin[i] == i) ++rank;
    return rank;
  });
}

double PercentRank(const WindowChunk& chunk, uint32_t i) {
  const uint32_t rows = chunk.partition_end[i] - chunk.partition_begin[i];
  if (rows <= 1) return 0;
  return static_cast<double>(chunk.peers_begin[i] - chunk.partition_begin[i]) / (rows - 1);
}

double CumeDist(const WindowChunk& chunk, uint32_t i) {
  return static_cast<double>(chunk.peers_end[i] - chunk.partition_begin[i]) /
         (chunk.partition_end[i] - chunk.partition_begin[i]);
}

// An integer argument of any width; NULL counts as absent.
std::optional<int64_t> IntegerAt(const ColumnView& column, uint32_t row) {
  if (column.IsNull(row)) return std::nullopt;
  switch (column.layout) {
    case Layout::kInt16:
      return column.Get<int16_t>(row);
    case Layout::kInt32:
      return column.Get<int32_t>(row);
    default:
      return column.Get<int64_t>(row);
  }
}

// The buckets differ by one row at most; the larger ones come first.
absl::StatusOr<std::shared_ptr<arrow::Array>> Ntile(const WindowCall& call, const Batch& rows,
                                                    const WindowChunk& chunk) {
  const ColumnView counts(*rows.column(call.args[0]));
  FlatVector<int32_t> buckets(chunk.num_rows);
  NullBits nulls(chunk.num_rows);
  for (uint32_t i = 0; i < chunk.num_rows; ++i) {
    const uint32_t begin = chunk.partition_begin[i];
    // As PostgreSQL, the partition's first row says how many.
    const std::optional<int64_t> count = IntegerAt(counts, begin);
    buckets[i] = 0;
    if (!count.has_value()) {
      nulls.SetNull(i);
      continue;
    }
    if (*count <= 0) {
      return MakeError(SqlState::kInvalidArgumentForNtile,
                       "argument of ntile must be greater than zero");
    }
    const int64_t size = chunk.partition_end[i] - begin;
    const int64_t small = size / *count;
    const int64_t num_large = size % *count;
    const int64_t position = i - begin;
    const int64_t in_large = num_large * (small + 1);
    buckets[i] =
        static_cast<int32_t>(position < in_large ? position / (small + 1) + 1
                                                 : num_large + (position - in_large) / small + 1);
  }
  return MakeFixedArray(arrow::int32(), std::move(buckets), std::move(nulls));
}

// The rows `from` of `values`, which are the store's column, as codes of a dictionary: of the
// values that are taken, or, where they are not few, of all, which are not copied then.
std::shared_ptr<arrow::Array> Encoded(const std::shared_ptr<arrow::Array>& values,
                                      const ColumnStore& store, absl::Span<const uint32_t> from) {
  const auto n = static_cast<int64_t>(from.size());
  FlatVector<int32_t> codes(n);
  NullBits nulls(n);
  FlatVector<int32_t> code_of_row;
  code_of_row.Resize(store.num_rows(), -1);
  std::vector<uint32_t> taken;
  for (int64_t i = 0; i < n; ++i) {
    const uint32_t row = from[i];
    codes[i] = 0;
    if (row == kNoRow || store.IsNull(0, row)) {
      nulls.SetNull(i);
      continue;
    }
    if (code_of_row[row] < 0) {
      code_of_row[row] = static_cast<int32_t>(taken.size());
      taken.push_back(row);
    }
    codes[i] = code_of_row[row];
  }
  const bool are_few = store.TextBytes(0, taken) <= store.TextBytes(0, from) / 2;
  for (int64_t i = 0; i < n && !are_few; ++i) codes[i] = static_cast<int32_t>(taken[codes[i]]);
  const auto indices = MakeFixedArray(arrow::int32(), std::move(codes), std::move(nulls));
  return std::make_shared<arrow::DictionaryArray>(arrow::dictionary(arrow::int32(), arrow::utf8()),
                                                  indices,
                                                  are_few ? store.Gather(0, taken) : values);
}

std::shared_ptr<arrow::Array> Shifted(const WindowCall& call, const Batch& rows,
                                      const WindowChunk& chunk) {
  std::vector<uint32_t> from(chunk.num_rows);
  std::shared_ptr<arrow::Array> defaults;
  if (call.args.size() > 2) defaults = rows.column(call.args[2]);
  std::optional<ColumnView> distances;
  if (call.args.size() > 1) distances.emplace(*rows.column(call.args[1]));
  const int64_t sign = call.kind == WindowCall::Kind::kLag ? -1 : 1;
  for (uint32_t i = 0; i < chunk.num_rows; ++i) {
    const std::optional<int64_t> distance = distances ? IntegerAt(*distances, i) : 1;
    from[i] = kNoRow;
    if (!distance.has_value()) continue;
    const __int128 row = __int128{i} + __int128{*distance} * sign;
    if (row >= chunk.partition_begin[i] && row < chunk.partition_end[i]) {
      from[i] = static_cast<uint32_t>(row);
    } else if (defaults != nullptr) {
      // The defaults are stored behind the values.
      from[i] = chunk.num_rows + i;
    }
  }
  const auto& values = rows.column(call.args[0]);
  if (defaults == nullptr) return TakeValues(values, call.arg_types[0], from);
  ColumnStore store({call.arg_types[0]});
  store.Append(Batch({values}, rows.num_rows()));
  store.Append(Batch({defaults}, rows.num_rows()));
  return store.Gather(0, from);
}

absl::StatusOr<std::shared_ptr<arrow::Array>> NthValues(const WindowCall& call, const Batch& rows,
                                                        const FrameRows& frames) {
  std::vector<uint32_t> from(rows.num_rows());
  std::optional<ColumnView> positions;
  if (call.kind == WindowCall::Kind::kNthValue) positions.emplace(*rows.column(call.args[1]));
  for (uint32_t i = 0; i < from.size(); ++i) {
    const uint32_t begin = frames.begin[i];
    const uint32_t end = frames.end[i];
    from[i] = kNoRow;
    if (begin == end) continue;
    if (call.kind == WindowCall::Kind::kFirstValue) {
      from[i] = begin;
    } else if (call.kind == WindowCall::Kind::kLastValue) {
      from[i] = end - 1;
    } else if (const std::optional<int64_t> position = IntegerAt(*positions, i)) {
      if (*position <= 0) {
        return MakeError(SqlState::kInvalidArgumentForNthValue,
                         "argument of nth_value must be greater than zero");
      }
      if (*position <= end - begin) from[i] = begin + static_cast<uint32_t>(*position - 1);
    }
  }
  return TakeValues(rows.column(call.args[0]), call.arg_types[0], from);
}

}  // namespace

std::shared_ptr<arrow::Array> TakeValues(const std::shared_ptr<arrow::Array>& values,
                                         const SqlType& type, absl::Span<const uint32_t> from) {
  ColumnStore store({type});
  store.Append(Batch({values}, values->length()));
  const bool may_encode = values->type_id() == arrow::Type::STRING;
  if (may_encode && store.RowsWithinBatch(from) < from.size()) return Encoded(values, store, from);
  return store.Gather(0, from);
}

absl::StatusOr<std::shared_ptr<arrow::Array>> EvaluateWindowCall(const WindowCall& call,
                                                                 const Batch& rows,
                                                                 const WindowChunk& chunk,
                                                                 const WindowOrder* order) {
  switch (call.kind) {
    case WindowCall::Kind::kRowNumber:
      return MakeNumbers(chunk, [&](uint32_t i) { return i - chunk.partition_begin[i] + 1; });
    case WindowCall::Kind::kRank:
      return MakeNumbers(
          chunk, [&](uint32_t i) { return chunk.peers_begin[i] - chunk.partition_begin[i] + 1; });
    case WindowCall::Kind::kDenseRank:
      return DenseRanks(chunk);
    case WindowCall::Kind::kPercentRank:
      return MakeShares(chunk, [&](uint32_t i) { return PercentRank(chunk, i); });
    case WindowCall::Kind::kCumeDist:
      return MakeShares(chunk, [&](uint32_t i) { return CumeDist(chunk, i); });
    case WindowCall::Kind::kNtile:
      return Ntile(call, rows, chunk);
    case WindowCall::Kind::kLag:
    case WindowCall::Kind::kLead:
      return Shifted(call, rows, chunk);
    default:
      break;
  }
  FrameRows frames;
  MR_RETURN_IF_ERROR(ComputeFrames(call.frame, chunk, order, &frames));
  if (call.kind != WindowCall::Kind::kAggregate) return NthValues(call, rows, frames);
  return AggregateFrames(call, rows, frames);
}

}  // namespace millrace
