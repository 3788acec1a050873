#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/status.h"
#include "common/expr/datetime_math.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"

// + and - of dates, times and timestamps, and the current time.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

int64_t ZoneMicros(const KernelCall& call) {
  return int64_t{call.context->zone_offset_seconds} * kMicrosPerSecond;
}

absl::Status ShiftDate(int64_t days, int64_t by, int32_t* out) {
  const int64_t result = days + by;
  if (result < kMinDateDays || result > kMaxDateDays) {
    return MakeError(SqlState::kDatetimeOverflow, "date out of range");
  }
  *out = static_cast<int32_t>(result);
  return absl::OkStatus();
}

ArrayOr AddDays(const KernelCall& call) {
  return MapRows<int32_t, int32_t, int32_t>(
      call, [](int32_t date, int32_t days, int32_t* out) { return ShiftDate(date, days, out); });
}

ArrayOr SubtractDays(const KernelCall& call) {
  return MapRows<int32_t, int32_t, int32_t>(call, [](int32_t date, int32_t days, int32_t* out) {
    return ShiftDate(date, -int64_t{days}, out);
  });
}

ArrayOr DaysBetween(const KernelCall& call) {
  return MapRows<int32_t, int32_t, int32_t>(
      call, [](int32_t a, int32_t b, int32_t* out) -> absl::Status {
        const int64_t days = int64_t{a} - b;
        *out = static_cast<int32_t>(days);
        return *out == days ? absl::OkStatus()
                            : MakeError(SqlState::kNumericOutOfRange, "integer out of range");
      });
}

absl::Status DateToMicros(int32_t date, int64_t* out) {
  return __builtin_mul_overflow(int64_t{date}, kMicrosPerDay, out)
             ? MakeError(SqlState::kDatetimeOverflow, "date out of range for timestamp")
             : absl::OkStatus();
}

template <bool kSubtract>
absl::Status DatePlusInterval(int32_t date, IntervalParts interval, int64_t* out) {
  int64_t micros = 0;
  MR_RETURN_IF_ERROR(DateToMicros(date, &micros));
  if (kSubtract) MR_RETURN_IF_ERROR(NegateInterval(interval, &interval));
  return AddInterval(micros, interval, out);
}

template <bool kSubtract>
ArrayOr DateInterval(const KernelCall& call) {
  return MapRows<int64_t, int32_t, IntervalParts>(call, DatePlusInterval<kSubtract>);
}

// The argument order is interval first.
KernelCall Swapped(const KernelCall& call, std::vector<Operand>* args) {
  *args = {call.args[1], call.args[0]};
  KernelCall swapped = call;
  swapped.args = *args;
  return swapped;
}

template <ArrayOr (*kKernel)(const KernelCall&)>
ArrayOr Swap(const KernelCall& call) {
  std::vector<Operand> args;
  const KernelCall swapped = Swapped(call, &args);
  return kKernel(swapped);
}

// Days and time of a constant interval without months: one addition a row, which may be vectorised.
ArrayOr AddFixedMicros(const KernelCall& call, int64_t shift) {
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  MR_ASSIGN_OR_RETURN(auto buffer, AllocateBytes(call.num_rows * 8));
  auto* out = reinterpret_cast<int64_t*>(buffer->mutable_data());
  const int64_t* values = ColumnReader<int64_t>(call.args[0]).data();
  const int64_t lowest = kMinTimestampMicros - std::min<int64_t>(shift, 0);
  const int64_t highest = std::numeric_limits<int64_t>::max() - std::max<int64_t>(shift, 0);
  bool all_fit = true;
  for (int64_t i = 0; i < call.num_rows; ++i) {
    all_fit &= values[i] >= lowest && values[i] <= highest;
    out[i] = static_cast<int64_t>(static_cast<uint64_t>(values[i]) + static_cast<uint64_t>(shift));
  }
  for (int64_t i = 0; !all_fit && i < call.num_rows; ++i) {
    const bool fits = values[i] >= lowest && values[i] <= highest;
    if (!fits && validity.IsValid(i)) return TimestampOutOfRange();
  }
  return MakeFixedArray(call.result_type, call.num_rows, validity, std::move(buffer));
}

template <bool kSubtract>
ArrayOr TimestampIntervalAt(const KernelCall& call, int64_t zone) {
  const ColumnReader<IntervalParts> intervals(call.args[1]);
  if (call.args[1].is_constant && !call.args[0].is_constant) {
    IntervalParts interval = intervals[0];
    if (kSubtract) MR_RETURN_IF_ERROR(NegateInterval(interval, &interval));
    // A day more or less than this leaves no room for a timestamp anyway.
    constexpr int32_t kMaxDays = 100'000'000;
    const bool simple = interval.months == 0 && std::abs(int64_t{interval.days}) < kMaxDays;
    int64_t shift = 0;
    if (simple && !__builtin_add_overflow(interval.days * kMicrosPerDay, interval.micros, &shift)) {
      return AddFixedMicros(call, shift);
    }
  }
  const auto add = [=](int64_t micros, IntervalParts interval, int64_t* out) -> absl::Status {
    if (kSubtract) MR_RETURN_IF_ERROR(NegateInterval(interval, &interval));
    MR_RETURN_IF_ERROR(AddInterval(micros + zone, interval, out));
    *out -= zone;
    return absl::OkStatus();
  };
  return MapRows<int64_t, int64_t, IntervalParts>(call, add);
}

template <bool kSubtract>
ArrayOr TimestampInterval(const KernelCall& call) {
  return TimestampIntervalAt<kSubtract>(call, 0);
}

template <bool kSubtract>
ArrayOr TimestampTzInterval(const KernelCall& call) {
  return TimestampIntervalAt<kSubtract>(call, ZoneMicros(call));
}

ArrayOr TimestampDifference(const KernelCall& call) {
  return MapRows<IntervalParts, int64_t, int64_t>(
      call, [](int64_t a, int64_t b, IntervalParts* out) { *out = DifferenceOfTimestamps(a, b); });
}

// Times go round the clock.
template <bool kSubtract>
ArrayOr TimeInterval(const KernelCall& call) {
  return MapRows<int64_t, int64_t, IntervalParts>(
      call, [](int64_t time, const IntervalParts& interval, int64_t* out) {
        const int64_t shift = interval.micros % kMicrosPerDay;
        *out = FloorMod(kSubtract ? time - shift : time + shift, kMicrosPerDay);
      });
}

ArrayOr TimeDifference(const KernelCall& call) {
  return MapRows<IntervalParts, int64_t, int64_t>(
      call, [](int64_t a, int64_t b, IntervalParts* out) { *out = IntervalParts{0, 0, a - b}; });
}

ArrayOr DatePlusTime(const KernelCall& call) {
  return MapRows<int64_t, int32_t, int64_t>(
      call, [](int32_t date, int64_t time, int64_t* out) -> absl::Status {
        MR_RETURN_IF_ERROR(DateToMicros(date, out));
        return __builtin_add_overflow(*out, time, out) ? TimestampOutOfRange() : absl::OkStatus();
      });
}

ArrayOr Now(const KernelCall& call) {
  const int64_t micros = call.context->statement_time_micros;
  return MapRows<int64_t>(call, [=](int64_t* out) { *out = micros; });
}

ArrayOr LocalTimestamp(const KernelCall& call) {
  const int64_t micros = call.context->statement_time_micros + ZoneMicros(call);
  return MapRows<int64_t>(call, [=](int64_t* out) { *out = micros; });
}

ArrayOr LocalTime(const KernelCall& call) {
  const int64_t micros = call.context->statement_time_micros + ZoneMicros(call);
  return MapRows<int64_t>(call, [=](int64_t* out) { *out = FloorMod(micros, kMicrosPerDay); });
}

ArrayOr CurrentDate(const KernelCall& call) {
  const int64_t micros = call.context->statement_time_micros + ZoneMicros(call);
  return MapRows<int32_t>(
      call, [=](int32_t* out) { *out = static_cast<int32_t>(FloorDiv(micros, kMicrosPerDay)); });
}

// The clock as it is when a batch is processed.
ArrayOr ClockTimestamp(const KernelCall& call) {
  const int64_t micros = SystemClock().WallMicros();
  return MapRows<int64_t>(call, [=](int64_t* out) { *out = micros; });
}

}  // namespace

void AddDatetimeFunctions(FunctionTable* table) {
  const auto add = [&](const char* signature, Kernel kernel, const char* description) {
    table->Add(signature, kernel, description, kFallible);
  };
  add("add(date,int4)->date", AddDays, "days later");
  add("add(int4,date)->date", Swap<AddDays>, "days later");
  add("sub(date,int4)->date", SubtractDays, "days earlier");
  add("sub(date,date)->int4", DaysBetween, "days between");
  add("add(date,interval)->timestamp", DateInterval<false>, "later by an interval");
  add("add(interval,date)->timestamp", Swap<DateInterval<false>>, "later by an interval");
  add("sub(date,interval)->timestamp", DateInterval<true>, "earlier by an interval");
  add("add(date,time)->timestamp", DatePlusTime, "a date at a time");
  add("add(time,date)->timestamp", Swap<DatePlusTime>, "a date at a time");
  add("add(timestamp,interval)->timestamp", TimestampInterval<false>, "later by an interval");
  add("add(interval,timestamp)->timestamp", Swap<TimestampInterval<false>>, "later by an interval");
  add("sub(timestamp,interval)->timestamp", TimestampInterval<true>, "earlier by an interval");
  add("add(timestamptz,interval)->timestamptz", TimestampTzInterval<false>, "later by an interval");
  add("add(interval,timestamptz)->timestamptz", Swap<TimestampTzInterval<false>>,
      "later by an interval");
  add("sub(timestamptz,interval)->timestamptz", TimestampTzInterval<true>,
      "earlier by an interval");
  table->Add("sub(timestamp,timestamp)->interval", TimestampDifference, "time between");
  table->Add("sub(timestamptz,timestamptz)->interval", TimestampDifference, "time between");
  table->Add("add(time,interval)->time", TimeInterval<false>, "later by an interval");
  table->Add("add(interval,time)->time", Swap<TimeInterval<false>>, "later by an interval");
  table->Add("sub(time,interval)->time", TimeInterval<true>, "earlier by an interval");
  table->Add("sub(time,time)->interval", TimeDifference, "time between");
  for (const std::string name :
       {"now", "current_timestamp", "transaction_timestamp", "statement_timestamp"}) {
    table->Add(name + "()->timestamptz", Now, "time at which the statement began", kStable);
  }
  table->Add("localtimestamp()->timestamp", LocalTimestamp, "local time of the statement", kStable);
  table->Add("localtime()->time", LocalTime, "local time of day of the statement", kStable);
  table->Add("current_date()->date", CurrentDate, "date of the statement", kStable);
  for (const std::string name : {"clock_timestamp", "proctime"}) {
    table->Add(name + "()->timestamptz", ClockTimestamp,
               "the time now; changes as rows are processed", kStable | kVolatile);
  }
}

}  // namespace millrace
