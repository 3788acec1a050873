#include "common/base/status.h"
#include "common/expr/datetime_math.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"

// Arithmetic of intervals, age, and what brings intervals into shape.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;

template <absl::Status (*kFunction)(const IntervalParts&, IntervalParts*)>
ArrayOr MapInterval(const KernelCall& call) {
  return MapRows<IntervalParts, IntervalParts>(call, kFunction);
}

ArrayOr IntervalSum(const KernelCall& call) {
  return MapRows<IntervalParts, IntervalParts, IntervalParts>(call, SumIntervals);
}

ArrayOr Difference(const KernelCall& call) {
  const auto subtract = [](const IntervalParts& a, IntervalParts b,
                           IntervalParts* out) -> absl::Status {
    MR_RETURN_IF_ERROR(NegateInterval(b, &b));
    return SumIntervals(a, b, out);
  };
  return MapRows<IntervalParts, IntervalParts, IntervalParts>(call, subtract);
}

ArrayOr Scale(const KernelCall& call) {
  return MapRows<IntervalParts, IntervalParts, double>(call, ScaleInterval);
}

ArrayOr ScaleSwapped(const KernelCall& call) {
  return MapRows<IntervalParts, double, IntervalParts>(
      call, [](double factor, const IntervalParts& interval, IntervalParts* out) {
        return ScaleInterval(interval, factor, out);
      });
}

ArrayOr IntervalDivide(const KernelCall& call) {
  return MapRows<IntervalParts, IntervalParts, double>(call, DivideInterval);
}

ArrayOr SameInterval(const KernelCall& call) { return call.args[0].array; }

ArrayOr Age(const KernelCall& call) {
  return MapRows<IntervalParts, int64_t, int64_t>(
      call, [](int64_t a, int64_t b, IntervalParts* out) { *out = AgeBetween(a, b); });
}

int64_t IntervalZoneMicros(const KernelCall& call) {
  return int64_t{call.context->zone_offset_seconds} * kMicrosPerSecond;
}

ArrayOr AgeTz(const KernelCall& call) {
  const int64_t zone = IntervalZoneMicros(call);
  return MapRows<IntervalParts, int64_t, int64_t>(
      call,
      [=](int64_t a, int64_t b, IntervalParts* out) { *out = AgeBetween(a + zone, b + zone); });
}

// From today's midnight.
ArrayOr AgeToday(const KernelCall& call) {
  const int64_t now = call.context->statement_time_micros + IntervalZoneMicros(call);
  const int64_t midnight = now - FloorMod(now, kMicrosPerDay);
  return MapRows<IntervalParts, int64_t>(
      call, [=](int64_t micros, IntervalParts* out) { *out = AgeBetween(midnight, micros); });
}

ArrayOr AgeTodayTz(const KernelCall& call) {
  const int64_t zone = IntervalZoneMicros(call);
  const int64_t now = call.context->statement_time_micros + zone;
  const int64_t midnight = now - FloorMod(now, kMicrosPerDay);
  return MapRows<IntervalParts, int64_t>(call, [=](int64_t micros, IntervalParts* out) {
    *out = AgeBetween(midnight, micros + zone);
  });
}

// No value here is infinite.
template <typename T>
ArrayOr IsFinite(const KernelCall& call) {
  return MapRows<bool, T>(call, [](const T&, bool* out) { *out = true; });
}

}  // namespace

void AddIntervalFunctions(FunctionTable* table) {
  table->Add("add(interval,interval)->interval", IntervalSum, "sum", kFallible);
  table->Add("sub(interval,interval)->interval", Difference, "difference", kFallible);
  table->Add("neg(interval)->interval", MapInterval<NegateInterval>, "negation", kFallible);
  table->Add("plus(interval)->interval", SameInterval, "the value itself");
  table->Add("mul(interval,float8)->interval", Scale, "product", kFallible);
  table->Add("mul(float8,interval)->interval", ScaleSwapped, "product", kFallible);
  table->Add("div_op(interval,float8)->interval", IntervalDivide, "quotient", kFallible);
  table->Add("age(timestamp,timestamp)->interval", Age, "years, months and days between", kCostly);
  table->Add("age(timestamptz,timestamptz)->interval", AgeTz, "years, months and days between",
             kCostly | kStable);
  table->Add("age(timestamp)->interval", AgeToday, "years, months and days until today",
             kCostly | kStable);
  table->Add("age(timestamptz)->interval", AgeTodayTz, "years, months and days until today",
             kCostly | kStable);
  table->Add("justify_hours(interval)->interval", MapInterval<JustifyHours>, "24 hours as a day",
             kFallible);
  table->Add("justify_days(interval)->interval", MapInterval<JustifyDays>, "30 days as a month",
             kFallible);
  table->Add("justify_interval(interval)->interval", MapInterval<JustifyInterval>,
             "hours as days, days as months", kFallible);
  table->Add("isfinite(date)->bool", IsFinite<int32_t>, "whether the value is finite");
  table->Add("isfinite(timestamp)->bool", IsFinite<int64_t>, "whether the value is finite");
  table->Add("isfinite(timestamptz)->bool", IsFinite<int64_t>, "whether the value is finite");
  table->Add("isfinite(interval)->bool", IsFinite<IntervalParts>, "whether the value is finite");
}

}  // namespace millrace
