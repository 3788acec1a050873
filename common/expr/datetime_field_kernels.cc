#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/datetime_field.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"
#include "common/types/calendar.h"
#include "common/types/decimal.h"

// extract, date_part and date_trunc.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;
using absl::string_view;

int32_t ZoneSeconds(const KernelCall& call) { return call.context->zone_offset_seconds; }

// The field that was named last; nearly always there is one only.
class FieldReader {
 public:
  explicit FieldReader(const SqlType& type) : type_(type) {}

  absl::StatusOr<DatetimeField> Read(string_view name) {
    if (!field_.has_value() || name != name_) {
      MR_ASSIGN_OR_RETURN(field_, ParseDatetimeField(name, type_));
      name_ = std::string(name);
    }
    return *field_;
  }

 private:
  SqlType type_;
  std::string name_;
  std::optional<DatetimeField> field_;
};

// What extract works on: the value in memory, and how a field is taken from it.
struct DateOf {
  using Value = int32_t;
  static absl::StatusOr<__int128> Get(DatetimeField field, int32_t days, int32_t) {
    return ExtractFromDate(field, days);
  }
};

struct TimeOf {
  using Value = int64_t;
  static absl::StatusOr<__int128> Get(DatetimeField field, int64_t micros, int32_t) {
    return ExtractFromTime(field, micros);
  }
};

struct TimestampOf {
  using Value = int64_t;
  static absl::StatusOr<__int128> Get(DatetimeField field, int64_t micros, int32_t) {
    return ExtractFromTimestamp(field, micros, 0, /*has_zone=*/false);
  }
};

struct TimestampTzOf {
  using Value = int64_t;
  static absl::StatusOr<__int128> Get(DatetimeField field, int64_t micros, int32_t zone) {
    return ExtractFromTimestamp(field, micros + zone * kMicrosPerSecond, zone, /*has_zone=*/true);
  }
};

struct IntervalOf {
  using Value = IntervalParts;
  static absl::StatusOr<__int128> Get(DatetimeField field, const IntervalParts& interval, int32_t) {
    return ExtractFromInterval(field, interval);
  }
};

template <typename Source>
ArrayOr Extract(const KernelCall& call) {
  using Value = typename Source::Value;
  FieldReader fields(call.args[1].type);
  const int32_t zone = ZoneSeconds(call);
  const int32_t to_scale = call.result_type.scale;
  const auto extract = [&](string_view name, const Value& value, __int128* out) -> absl::Status {
    MR_ASSIGN_OR_RETURN(const DatetimeField field, fields.Read(name));
    MR_ASSIGN_OR_RETURN(const __int128 number, Source::Get(field, value, zone));
    RescaleDecimal(number, ScaleOfField(field), to_scale, out);
    return absl::OkStatus();
  };
  return MapRows<__int128, string_view, Value>(call, extract);
}

template <typename Source>
ArrayOr DatePart(const KernelCall& call) {
  using Value = typename Source::Value;
  FieldReader fields(call.args[1].type);
  const int32_t zone = ZoneSeconds(call);
  const auto extract = [&](string_view name, const Value& value, double* out) -> absl::Status {
    MR_ASSIGN_OR_RETURN(const DatetimeField field, fields.Read(name));
    MR_ASSIGN_OR_RETURN(const __int128 number, Source::Get(field, value, zone));
    *out = static_cast<double>(number) / static_cast<double>(PowerOfTen(ScaleOfField(field)));
    return absl::OkStatus();
  };
  return MapRows<double, string_view, Value>(call, extract);
}

ArrayOr TruncateWithZone(const KernelCall& call, int64_t zone_micros, bool has_zone) {
  FieldReader fields(call.args[1].type);
  const auto truncate = [&](string_view name, int64_t micros, int64_t* out) -> absl::Status {
    MR_ASSIGN_OR_RETURN(const DatetimeField field, fields.Read(name));
    MR_ASSIGN_OR_RETURN(*out, TruncateTimestamp(field, micros + zone_micros, has_zone));
    *out -= zone_micros;
    return absl::OkStatus();
  };
  return MapRows<int64_t, string_view, int64_t>(call, truncate);
}

ArrayOr DateTrunc(const KernelCall& call) { return TruncateWithZone(call, 0, false); }

ArrayOr DateTruncTz(const KernelCall& call) {
  return TruncateWithZone(call, ZoneSeconds(call) * kMicrosPerSecond, true);
}

ArrayOr DateTruncInterval(const KernelCall& call) {
  FieldReader fields(call.args[1].type);
  const auto truncate = [&](string_view name, const IntervalParts& interval,
                            IntervalParts* out) -> absl::Status {
    MR_ASSIGN_OR_RETURN(const DatetimeField field, fields.Read(name));
    MR_ASSIGN_OR_RETURN(*out, TruncateInterval(field, interval));
    return absl::OkStatus();
  };
  return MapRows<IntervalParts, string_view, IntervalParts>(call, truncate);
}

// date_bin: the start of the stride, counted from `origin`, that a timestamp lies in.
absl::Status Bin(const IntervalParts& stride, int64_t micros, int64_t origin, int64_t* out) {
  if (stride.months != 0) {
    return NotSupported("timestamps binned into intervals containing months or years");
  }
  int64_t width = 0;
  if (__builtin_add_overflow(stride.days * kMicrosPerDay, stride.micros, &width)) {
    return MakeError(SqlState::kDatetimeOverflow, "interval out of range");
  }
  if (width <= 0) {
    return MakeError(SqlState::kDatetimeOverflow, "stride must be greater than zero");
  }
  const __int128 distance = static_cast<__int128>(micros) - origin;
  __int128 rest = distance % width;
  if (rest < 0) rest += width;
  *out = static_cast<int64_t>(micros - rest);
  return absl::OkStatus();
}

ArrayOr DateBin(const KernelCall& call) {
  return MapRows<int64_t, IntervalParts, int64_t, int64_t>(call, Bin);
}

}  // namespace

void AddDatetimeFieldFunctions(FunctionTable* table) {
  const auto add = [&](absl::string_view type, Kernel extract, Kernel part, uint8_t traits) {
    const uint8_t all = traits | kFallible | kCostly;
    table->Add(absl::StrCat("extract(text,", type, ")->numeric"), extract, "a field of the value",
               all, ScaleRule::kByField);
    table->Add(absl::StrCat("date_part(text,", type, ")->float8"), part, "a field of the value",
               all);
  };
  add("date", Extract<DateOf>, DatePart<DateOf>, kNoTraits);
  add("time", Extract<TimeOf>, DatePart<TimeOf>, kNoTraits);
  add("timestamp", Extract<TimestampOf>, DatePart<TimestampOf>, kNoTraits);
  add("timestamptz", Extract<TimestampTzOf>, DatePart<TimestampTzOf>, kStable);
  add("interval", Extract<IntervalOf>, DatePart<IntervalOf>, kNoTraits);
  const uint8_t traits = kFallible | kCostly;
  table->Add("date_trunc(text,timestamp)->timestamp", DateTrunc, "start of the unit", traits);
  table->Add("date_trunc(text,timestamptz)->timestamptz", DateTruncTz, "start of the unit",
             traits | kStable);
  table->Add("date_trunc(text,interval)->interval", DateTruncInterval, "cut to the unit", traits);
  table->Add("date_bin(interval,timestamp,timestamp)->timestamp", DateBin,
             "start of the stride, counted from an origin", traits);
  table->Add("date_bin(interval,timestamptz,timestamptz)->timestamptz", DateBin,
             "start of the stride, counted from an origin", traits);
}

}  // namespace millrace
