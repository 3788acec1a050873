#include "worker/kernels/window_frame.h"

#include <algorithm>

#include "absl/status/statusor.h"
#include "common/base/status.h"
#include "common/types/calendar.h"
#include "common/types/decimal.h"
#include "worker/kernels/compare.h"

namespace millrace {
namespace {

absl::Status NegativeDistance() {
  return MakeError(SqlState::kInvalidFrameOffset,
                   "frame starting or ending offset must not be negative");
}

absl::StatusOr<int64_t> CountOf(const WindowBound& bound) {
  const int64_t* count = std::get_if<int64_t>(&bound.offset.value);
  if (count == nullptr) {
    return MakeError(SqlState::kNullValueNotAllowed,
                     "frame starting or ending offset must not be null");
  }
  if (*count < 0) return NegativeDistance();
  return *count;
}

uint32_t Clamp(int64_t row, uint32_t low, uint32_t high) {
  return static_cast<uint32_t>(std::clamp<int64_t>(row, low, high));
}

bool HasDistance(const WindowBound& bound) {
  return bound.kind == BoundKind::kPreceding || bound.kind == BoundKind::kFollowing;
}

// ROWS: the bound's row, as the first row of the frame or the one behind its last.
absl::Status RowsBound(const WindowBound& bound, bool is_end, const WindowChunk& chunk,
                       FlatVector<uint32_t>* out) {
  int64_t distance = 0;
  if (HasDistance(bound)) {
    MR_ASSIGN_OR_RETURN(distance, CountOf(bound));
    // Beyond any partition; keeps the sum below from overflowing.
    distance = std::min<int64_t>(distance, UINT32_MAX);
    if (bound.kind == BoundKind::kPreceding) distance = -distance;
  }
  for (uint32_t i = 0; i < chunk.num_rows; ++i) {
    (*out)[i] = Clamp(int64_t{i} + distance + (is_end ? 1 : 0), chunk.partition_begin[i],
                      chunk.partition_end[i]);
  }
  return absl::OkStatus();
}

// GROUPS: counts groups of peers.
absl::Status GroupsBound(const WindowBound& bound, bool is_end, const WindowChunk& chunk,
                         FlatVector<uint32_t>* out) {
  MR_ASSIGN_OR_RETURN(int64_t distance, CountOf(bound));
  distance = std::min<int64_t>(distance, UINT32_MAX);
  if (bound.kind == BoundKind::kPreceding) distance = -distance;
  FlatVector<uint32_t> starts;
  FlatVector<uint32_t> group_of(chunk.num_rows);
  for (uint32_t i = 0; i < chunk.num_rows; ++i) {
    if (chunk.peers_begin[i] == i) starts.PushBack(i);
    group_of[i] = static_cast<uint32_t>(starts.size() - 1);
  }
  starts.PushBack(chunk.num_rows);
  for (uint32_t i = 0; i < chunk.num_rows; ++i) {
    const int64_t group =
        std::clamp<int64_t>(group_of[i] + distance + (is_end ? 1 : 0), 0, starts.size() - 1);
    (*out)[i] = Clamp(starts[group], chunk.partition_begin[i], chunk.partition_end[i]);
  }
  return absl::OkStatus();
}

// A timestamp moved by an interval: months by the calendar (the day is cut to the month's length),
// then days, then time.
__int128 AddInterval(int64_t micros, const IntervalParts& interval, int sign) {
  int64_t days = FloorDiv(micros, kMicrosPerDay);
  const int64_t time = FloorMod(micros, kMicrosPerDay);
  if (interval.months != 0) {
    const CivilDate date = CivilFromDays(days);
    const int64_t month =
        int64_t{date.year} * 12 + date.month - 1 + int64_t{interval.months} * sign;
    const int64_t year = FloorDiv(month, 12);
    const auto month_of_year = static_cast<int32_t>(FloorMod(month, 12) + 1);
    days = DaysFromCivil(year, month_of_year, std::min(date.day, DaysInMonth(year, month_of_year)));
  }
  return (__int128{days} + __int128{interval.days} * sign) * kMicrosPerDay + time +
         __int128{interval.micros} * sign;
}

// How RANGE sees the order key: as numbers in ascending order, and moved by the distance.
struct IntegerKeys {
  using Number = __int128;
  const WindowOrder& order;
  __int128 distance = 0;
  const IntervalParts* interval = nullptr;

  __int128 Raw(uint32_t row) const {
    switch (order.key.layout) {
      case Layout::kInt16:
        return order.key.Get<int16_t>(row);
      case Layout::kInt32:
        return interval == nullptr ? __int128{order.key.Get<int32_t>(row)}
                                   : __int128{order.key.Get<int32_t>(row)} * kMicrosPerDay;
      case Layout::kInt64:
        return order.key.Get<int64_t>(row);
      default:
        return order.key.Get<__int128>(row);
    }
  }
  __int128 At(uint32_t row) const { return order.descending ? -Raw(row) : Raw(row); }
  __int128 Moved(uint32_t row, int sign) const {
    const int raw_sign = order.descending ? -sign : sign;
    const __int128 moved = interval != nullptr
                               ? AddInterval(static_cast<int64_t>(Raw(row)), *interval, raw_sign)
                               : Raw(row) + distance * raw_sign;
    return order.descending ? -moved : moved;
  }
  static int Compare(__int128 a, __int128 b) { return CompareNumbers(a, b); }
  // The 30th and the 31st of January may both become the 28th of February, so that later times come
  // first.
  bool keeps_order() const { return interval == nullptr || interval->months == 0; }
};

struct FloatKeys {
  using Number = double;
  const WindowOrder& order;
  double distance = 0;

  double Raw(uint32_t row) const {
    return order.key.layout == Layout::kFloat32 ? double{order.key.Get<float>(row)}
                                                : order.key.Get<double>(row);
  }
  double At(uint32_t row) const { return Raw(row); }
  double Moved(uint32_t row, int sign) const {
    return Raw(row) + distance * (order.descending ? -sign : sign);
  }
  int Compare(double a, double b) const {
    return order.descending ? CompareFloats(b, a) : CompareFloats(a, b);
  }
  static bool keeps_order() { return true; }
};

// RANGE with a distance: the first row at or behind (start), or behind (end), the moved key. Where
// moving keeps the order the bound never goes back, so one sweep over each partition finds all. A
// NULL's frame ends are its peers.
template <typename Keys>
void RangeBound(const Keys& keys, const WindowBound& bound, bool is_end, const WindowChunk& chunk,
                FlatVector<uint32_t>* out) {
  const int sign = bound.kind == BoundKind::kPreceding ? -1 : 1;
  const ColumnView& column = keys.order.key;
  for (uint32_t begin = 0; begin < chunk.num_rows; begin = chunk.partition_end[begin]) {
    // NULLs stand at one end of the partition.
    uint32_t first = begin;
    uint32_t last = chunk.partition_end[begin];
    while (first < last && column.IsNull(first)) ++first;
    while (last > first && column.IsNull(last - 1)) --last;
    for (uint32_t i = begin; i < first; ++i)
      (*out)[i] = is_end ? chunk.peers_end[i] : chunk.peers_begin[i];
    for (uint32_t i = last; i < chunk.partition_end[begin]; ++i) {
      (*out)[i] = is_end ? chunk.peers_end[i] : chunk.peers_begin[i];
    }
    uint32_t at = first;
    for (uint32_t i = first; i < last; ++i) {
      const typename Keys::Number target = keys.Moved(i, sign);
      if (!keys.keeps_order()) at = first;
      while (at < last && keys.Compare(keys.At(at), target) < (is_end ? 1 : 0)) ++at;
      (*out)[i] = at;
    }
  }
}

absl::Status DistanceBound(const WindowBound& bound, bool is_end, const WindowChunk& chunk,
                           const WindowOrder* order, FlatVector<uint32_t>* out) {
  if (order == nullptr) return InternalError("RANGE with a distance but without an order key");
  if (bound.offset.is_null()) {
    return MakeError(SqlState::kNullValueNotAllowed,
                     "frame starting or ending offset must not be null");
  }
  if (const auto* distance = std::get_if<double>(&bound.offset.value)) {
    if (!(*distance >= 0)) return NegativeDistance();
    if (!order->type.is_float()) return InternalError("RANGE distance of a wrong type");
    RangeBound(FloatKeys{*order, *distance}, bound, is_end, chunk, out);
    return absl::OkStatus();
  }
  IntegerKeys keys{*order};
  if (const auto* interval = std::get_if<IntervalParts>(&bound.offset.value)) {
    const RawInterval raw{interval->months, interval->days, 0};
    if (IntervalSpan(raw) + __int128{interval->micros} * 1000 < 0) return NegativeDistance();
    keys.interval = interval;
  } else if (const auto* count = std::get_if<int64_t>(&bound.offset.value)) {
    keys.distance = *count;
  } else if (const auto* decimal = std::get_if<__int128>(&bound.offset.value)) {
    const int32_t scale = order->type.is_numeric() ? order->type.scale : 0;
    if (!RescaleDecimal(*decimal, bound.offset.type.scale, scale, &keys.distance)) {
      keys.distance = kMaxDecimal;
    }
  } else {
    return InternalError("RANGE distance of a wrong type");
  }
  if (keys.distance < 0) return NegativeDistance();
  RangeBound(keys, bound, is_end, chunk, out);
  return absl::OkStatus();
}

absl::Status ComputeBound(const WindowFrame& frame, bool is_end, const WindowChunk& chunk,
                          const WindowOrder* order, FlatVector<uint32_t>* out) {
  const WindowBound& bound = is_end ? frame.end : frame.start;
  out->ResizeUninitialized(chunk.num_rows);
  const size_t bytes = chunk.num_rows * sizeof(uint32_t);
  if (bytes == 0) return absl::OkStatus();
  if (bound.kind == BoundKind::kUnboundedPreceding) {
    std::memcpy(out->data(), chunk.partition_begin.data(), bytes);
    return absl::OkStatus();
  }
  if (bound.kind == BoundKind::kUnboundedFollowing) {
    std::memcpy(out->data(), chunk.partition_end.data(), bytes);
    return absl::OkStatus();
  }
  if (frame.unit == FrameUnit::kRows) return RowsBound(bound, is_end, chunk, out);
  if (bound.kind == BoundKind::kCurrentRow) {
    const auto& peers = is_end ? chunk.peers_end : chunk.peers_begin;
    std::memcpy(out->data(), peers.data(), bytes);
    return absl::OkStatus();
  }
  if (frame.unit == FrameUnit::kGroups) return GroupsBound(bound, is_end, chunk, out);
  return DistanceBound(bound, is_end, chunk, order, out);
}

}  // namespace

WindowChunk WindowChunk::Of(const FlatVector<uint8_t>& is_new_partition,
                            const FlatVector<uint8_t>& is_new_peer) {
  WindowChunk chunk;
  chunk.num_rows = static_cast<uint32_t>(is_new_partition.size());
  const uint32_t n = chunk.num_rows;
  chunk.partition_begin.ResizeUninitialized(n);
  chunk.partition_end.ResizeUninitialized(n);
  chunk.peers_begin.ResizeUninitialized(n);
  chunk.peers_end.ResizeUninitialized(n);
  for (uint32_t i = 0; i < n; ++i) {
    const bool new_partition = i == 0 || is_new_partition[i] != 0;
    const bool new_peer = new_partition || is_new_peer[i] != 0;
    chunk.partition_begin[i] = new_partition ? i : chunk.partition_begin[i - 1];
    chunk.peers_begin[i] = new_peer ? i : chunk.peers_begin[i - 1];
  }
  for (uint32_t i = n; i-- > 0;) {
    const bool last_of_partition = i + 1 == n || is_new_partition[i + 1] != 0;
    const bool last_of_peers = last_of_partition || is_new_peer[i + 1] != 0;
    chunk.partition_end[i] = last_of_partition ? i + 1 : chunk.partition_end[i + 1];
    chunk.peers_end[i] = last_of_peers ? i + 1 : chunk.peers_end[i + 1];
  }
  return chunk;
}

absl::Status ComputeFrames(const WindowFrame& frame, const WindowChunk& chunk,
                           const WindowOrder* order, FrameRows* frames) {
  MR_RETURN_IF_ERROR(ComputeBound(frame, false, chunk, order, &frames->begin));
  MR_RETURN_IF_ERROR(ComputeBound(frame, true, chunk, order, &frames->end));
  // A frame that ends before it begins is empty.
  for (uint32_t i = 0; i < chunk.num_rows; ++i) {
    frames->end[i] = std::max(frames->begin[i], frames->end[i]);
  }
  return absl::OkStatus();
}

}  // namespace millrace
