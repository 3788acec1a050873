#include <cstring>

#include "absl/memory/memory.h"
#include "arrow/array.h"
#include "common/base/status.h"
#include "common/expr/evaluator.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/column_store.h"
#include "worker/kernels/column_view.h"
#include "worker/kernels/row_codec.h"
#include "worker/operators/streaming/over_function.h"

namespace millrace {
namespace {

// An integer of any width.
int64_t IntegerAt(const ColumnView& column, int64_t row) {
  switch (column.layout) {
    case Layout::kInt16:
      return column.Get<int16_t>(row);
    case Layout::kInt32:
      return column.Get<int32_t>(row);
    default:
      return column.Get<int64_t>(row);
  }
}

// row_number(), rank(), dense_rank().
class NumberFunction final : public StatelessOverFunction {
 public:
  explicit NumberFunction(const std::string& name)
      : by_row_(name == "row_number"), dense_(name == "dense_rank") {}

  absl::StatusOr<std::shared_ptr<arrow::Array>> Compute(const OverSlice& slice) override {
    FlatVector<int64_t> numbers(slice.num_new);
    int64_t out = 0;
    for (const OverSegment& segment : slice.segments) {
      int64_t peers = segment.peers_before;
      int64_t rank = 0;
      for (int64_t row = segment.rows_before + 1; out < slice.num_new; ++row, ++out) {
        if (row > segment.rows_before + (segment.end - segment.first)) break;
        const bool starts = slice.starts_peers[out] != 0;
        peers += starts ? 1 : 0;
        if (starts) rank = row;
        numbers[out] = by_row_ ? row : dense_ ? peers : rank;
      }
    }
    return MakeInt64Array(std::move(numbers));
  }

 private:
  const bool by_row_;
  const bool dense_;
};

// lag(value, offset, default).
class LagFunction final : public StatelessOverFunction {
 public:
  explicit LagFunction(const OverCallPlan& call) : call_(call) {}

  absl::StatusOr<std::shared_ptr<arrow::Array>> Compute(const OverSlice& slice) override {
    // Values first, defaults behind them.
    ColumnStore values({call_.type});
    const Batch& rows = slice.rows;
    values.Append(Batch({rows.column(call_.args[0])}, rows.num_rows()));
    const bool has_default = call_.args.size() > 2;
    if (has_default) values.Append(Batch({rows.column(call_.args[2])}, rows.num_rows()));
    ColumnView offsets;
    if (call_.args.size() > 1) offsets = ColumnView(*rows.column(call_.args[1]));
    std::vector<uint32_t> picked;
    picked.reserve(slice.num_new);
    for (const OverSegment& segment : slice.segments) {
      for (int64_t row = segment.first; row < segment.end; ++row) {
        if (call_.args.size() > 1 && offsets.IsNull(row)) {
          picked.push_back(kNoRow);
          continue;
        }
        const int64_t offset = call_.args.size() > 1 ? IntegerAt(offsets, row) : 1;
        if (offset > segment.rows_before + row - segment.first) {
          picked.push_back(has_default ? static_cast<uint32_t>(rows.num_rows() + row) : kNoRow);
        } else if (row - offset < segment.begin || row - offset >= segment.end) {
          return WithHint(NotSupported("lag() by a growing or negative number of rows over "
                                       "unbounded input"),
                          "give the number of rows as a constant");
        } else {
          picked.push_back(static_cast<uint32_t>(row - offset));
        }
      }
    }
    return values.Gather(0, picked);
  }

 private:
  const OverCallPlan call_;
};

// first_value, last_value and nth_value of frames that lie inside of the slice; also last_value of
// frames from the partition's first row, because the frame ends where the row or its peers are.
class FramePositionFunction final : public StatelessOverFunction {
 public:
  explicit FramePositionFunction(const OverCallPlan& call) : call_(call) {
    // The last row lies at most `end` rows back, which the history has.
    if (!call_.frame.start.has_value()) call_.frame.start = call_.frame.end;
  }

  absl::StatusOr<std::shared_ptr<arrow::Array>> Compute(const OverSlice& slice) override {
    const Batch& rows = slice.rows;
    ColumnStore values({call_.type});
    values.Append(Batch({rows.column(call_.args[0])}, rows.num_rows()));
    ComputeFrames(slice, call_.frame, &frames_);
    ColumnView nths;
    if (call_.ranking == "nth_value") nths = ColumnView(*rows.column(call_.args[1]));
    std::vector<uint32_t> picked;
    picked.reserve(slice.num_new);
    int64_t out = 0;
    for (const OverSegment& segment : slice.segments) {
      for (int64_t row = segment.first; row < segment.end; ++row, ++out) {
        const int64_t begin = frames_.begin[out];
        const int64_t end = frames_.end[out];
        int64_t at = call_.ranking == "last_value" ? end - 1 : begin;
        if (call_.ranking == "nth_value") {
          MR_ASSIGN_OR_RETURN(const int64_t nth, NthOf(nths, row));
          at = nth > end - begin ? end : begin + nth - 1;
        }
        picked.push_back(at >= begin && at < end ? static_cast<uint32_t>(at) : kNoRow);
      }
    }
    return values.Gather(0, picked);
  }

 private:
  // A position behind every frame if it is NULL.
  static absl::StatusOr<int64_t> NthOf(const ColumnView& nths, int64_t row) {
    if (nths.IsNull(row)) return INT64_MAX;
    const int64_t nth = IntegerAt(nths, row);
    if (nth > 0) return nth;
    return MakeError(SqlState::kInvalidArgumentForNthValue,
                     "argument of nth_value must be greater than zero");
  }

  OverCallPlan call_;
  OverFrames frames_;
};

// first_value of frames from the partition's first row: the value of that row, kept by key.
class FirstValueFunction final : public OverFunction {
 public:
  explicit FirstValueFunction(const OverCallPlan& call)
      : call_(call), codec_({call.type}, CodecUse::kStorage), firsts_({call.type}) {}

  // Keys come into being with their first row, which Compute sees.
  void Resize(uint32_t) override {}

  absl::StatusOr<std::shared_ptr<arrow::Array>> Compute(const OverSlice& slice) override {
    std::vector<int32_t> fresh;
    for (const OverSegment& segment : slice.segments) {
      if (segment.rows_before == 0) fresh.push_back(segment.first);
    }
    if (!fresh.empty()) {
      const Batch values({slice.rows.column(call_.args[0])}, slice.rows.num_rows());
      MR_ASSIGN_OR_RETURN(const Batch taken,
                          TakeRows(values, fresh.data(), static_cast<int64_t>(fresh.size())));
      firsts_.Append(taken);
    }
    // The frame is empty as long as it ends before the partition's first row.
    const int64_t held_back = call_.frame.by_rows ? call_.frame.end : 0;
    std::vector<uint32_t> picked;
    picked.reserve(slice.num_new);
    for (const OverSegment& segment : slice.segments) {
      for (int64_t i = 0; i < segment.end - segment.first; ++i) {
        picked.push_back(segment.rows_before + i >= held_back ? segment.key : kNoRow);
      }
    }
    return firsts_.Gather(0, picked);
  }

  absl::Status AppendState(absl::Span<const uint32_t> keys,
                           std::vector<std::string>* values) const override {
    EncodedRows rows;
    codec_.Encode(firsts_.GatherRows(keys), {0}, &rows);
    for (size_t i = 0; i < keys.size(); ++i) {
      const std::string_view row = rows.row(static_cast<int64_t>(i));
      const auto length = static_cast<uint32_t>(row.size());
      (*values)[i].append(reinterpret_cast<const char*>(&length), sizeof(length));
      (*values)[i].append(row);
    }
    return absl::OkStatus();
  }

  absl::Status RestoreState(absl::Span<const uint32_t> keys,
                            std::vector<std::string_view>* values) override {
    std::vector<std::string_view> rows;
    for (size_t i = 0; i < keys.size(); ++i) {
      std::string_view& value = (*values)[i];
      uint32_t length = 0;
      if (value.size() < sizeof(length)) return CorruptOverState();
      std::memcpy(&length, value.data(), sizeof(length));
      value.remove_prefix(sizeof(length));
      if (value.size() < length || keys[i] != firsts_.num_rows() + i) return CorruptOverState();
      rows.push_back(value.substr(0, length));
      value.remove_prefix(length);
    }
    std::vector<std::shared_ptr<arrow::Array>> columns;
    MR_RETURN_IF_ERROR(codec_.Decode(rows, &columns));
    firsts_.Append(Batch(std::move(columns), static_cast<int64_t>(rows.size())));
    return absl::OkStatus();
  }

  int64_t bytes() const override { return firsts_.bytes(); }

 private:
  const OverCallPlan call_;
  const RowCodec codec_;
  // Row = key.
  ColumnStore firsts_;
};

}  // namespace

std::unique_ptr<OverFunction> MakePositionFunction(const OverCallPlan& call) {
  if (call.ranking == "lag") return std::make_unique<LagFunction>(call);
  if (call.ranking == "first_value" && !call.frame.start.has_value()) {
    return std::make_unique<FirstValueFunction>(call);
  }
  if (call.ranking == "first_value" || call.ranking == "last_value" ||
      call.ranking == "nth_value") {
    return std::make_unique<FramePositionFunction>(call);
  }
  return std::make_unique<NumberFunction>(call.ranking);
}

}  // namespace millrace
