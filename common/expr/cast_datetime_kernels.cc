#include "common/base/status.h"
#include "common/expr/cast_kernels.h"
#include "common/expr/column_writer.h"
#include "common/expr/map_rows.h"
#include "common/types/calendar.h"

// Casts among dates, times, timestamps and intervals.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

// UTC microseconds = local microseconds - offset.
int64_t CastZoneMicros(const KernelCall& call) {
  return int64_t{call.context->zone_offset_seconds} * kMicrosPerSecond;
}

absl::Status DateOutOfRange() {
  return MakeError(SqlState::kDatetimeOverflow, "date out of range for timestamp");
}

// Dates whose midnight is a timestamp in every zone.
constexpr int64_t kLastTimestampDay = INT64_MAX / kMicrosPerDay - 1;

ArrayOr DateToMicros(const KernelCall& call, int64_t shift) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes(call.num_rows * 8));
  auto* out = reinterpret_cast<int64_t*>(buffer->mutable_data());
  const int32_t* days = ColumnReader<int32_t>(call.args[0]).data();
  int32_t latest = 0;
  for (int64_t i = 0; i < call.num_rows; ++i) {
    latest = std::max(latest, days[i]);
    out[i] = static_cast<int64_t>(static_cast<uint64_t>(days[i]) * kMicrosPerDay) - shift;
  }
  for (int64_t i = 0; latest > kLastTimestampDay && i < call.num_rows; ++i) {
    if (validity.IsValid(i) && days[i] > kLastTimestampDay) return DateOutOfRange();
  }
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(buffer));
}

ArrayOr DateToTimestamp(const KernelCall& call) { return DateToMicros(call, 0); }
ArrayOr DateToTimestampTz(const KernelCall& call) {
  return DateToMicros(call, CastZoneMicros(call));
}

ArrayOr MicrosToDate(const KernelCall& call, int64_t shift) {
  return MapRows<int32_t, int64_t>(call, [=](int64_t micros, int32_t* out) {
    *out = static_cast<int32_t>(FloorDiv(micros + shift, kMicrosPerDay));
  });
}

ArrayOr MicrosToTime(const KernelCall& call, int64_t shift) {
  return MapRows<int64_t, int64_t>(
      call, [=](int64_t micros, int64_t* out) { *out = FloorMod(micros + shift, kMicrosPerDay); });
}

ArrayOr ShiftMicros(const KernelCall& call, int64_t shift) {
  return MapRows<int64_t, int64_t>(call, [=](int64_t micros, int64_t* out) -> absl::Status {
    const bool fits = !__builtin_add_overflow(micros, shift, out) && *out >= kMinTimestampMicros;
    if (fits) return absl::OkStatus();
    return MakeError(SqlState::kDatetimeOverflow, "timestamp out of range");
  });
}

ArrayOr TimestampToDate(const KernelCall& call) { return MicrosToDate(call, 0); }
ArrayOr TimestampTzToDate(const KernelCall& call) {
  return MicrosToDate(call, CastZoneMicros(call));
}
ArrayOr TimestampToTime(const KernelCall& call) { return MicrosToTime(call, 0); }
ArrayOr TimestampTzToTime(const KernelCall& call) {
  return MicrosToTime(call, CastZoneMicros(call));
}
ArrayOr TimestampToTz(const KernelCall& call) { return ShiftMicros(call, -CastZoneMicros(call)); }
ArrayOr TzToTimestamp(const KernelCall& call) { return ShiftMicros(call, CastZoneMicros(call)); }

ArrayOr TimeToInterval(const KernelCall& call) {
  return MapRows<IntervalParts, int64_t>(
      call, [](int64_t micros, IntervalParts* out) { *out = IntervalParts{0, 0, micros}; });
}

// The part of a day that is left when months, days and whole days of time are dropped.
ArrayOr IntervalToTime(const KernelCall& call) {
  return MapRows<int64_t, IntervalParts>(call, [](const IntervalParts& value, int64_t* out) {
    *out = FloorMod(value.micros, kMicrosPerDay);
  });
}

}  // namespace

Kernel FindDatetimeCast(TypeId from, TypeId to) {
  struct Row {
    TypeId from;
    TypeId to;
    Kernel kernel;
  };
  constexpr Row kRows[] = {
      {TypeId::kDate, TypeId::kTimestamp, DateToTimestamp},
      {TypeId::kDate, TypeId::kTimestampTz, DateToTimestampTz},
      {TypeId::kTimestamp, TypeId::kDate, TimestampToDate},
      {TypeId::kTimestamp, TypeId::kTime, TimestampToTime},
      {TypeId::kTimestamp, TypeId::kTimestampTz, TimestampToTz},
      {TypeId::kTimestampTz, TypeId::kDate, TimestampTzToDate},
      {TypeId::kTimestampTz, TypeId::kTime, TimestampTzToTime},
      {TypeId::kTimestampTz, TypeId::kTimestamp, TzToTimestamp},
      {TypeId::kTime, TypeId::kInterval, TimeToInterval},
      {TypeId::kInterval, TypeId::kTime, IntervalToTime},
  };
  for (const Row& row : kRows) {
    if (row.from == from && row.to == to) return row.kernel;
  }
  return nullptr;
}

}  // namespace millrace
