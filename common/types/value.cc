#include "common/types/value.h"

#include <cstring>

#include "millrace/v1/types.pb.h"

namespace millrace {
namespace {

struct ValueWriter {
  v1::Value* out;

  void operator()(std::monostate) const {}
  void operator()(bool value) const { out->set_bool_value(value); }
  void operator()(int64_t value) const { out->set_int_value(value); }
  void operator()(double value) const { out->set_double_value(value); }
  void operator()(__int128 value) const {
    // Little endian, as every platform that Arrow's decimals run on here.
    char bytes[sizeof(value)];
    std::memcpy(bytes, &value, sizeof(value));
    out->set_decimal_value(bytes, sizeof(bytes));
  }
  void operator()(const std::string& value) const { out->set_bytes_value(value); }
  void operator()(const IntervalParts& value) const {
    v1::IntervalValue* interval = out->mutable_interval_value();
    interval->set_months(value.months);
    interval->set_days(value.days);
    interval->set_micros(value.micros);
  }
};

__int128 DecimalFromBytes(const std::string& bytes) {
  __int128 value = 0;
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof(value)));
  return value;
}

}  // namespace

void ToProto(const Value& value, v1::Value* out) {
  out->Clear();
  ToProto(value.type, out->mutable_type());
  std::visit(ValueWriter{out}, value.value);
}

Value FromProto(const v1::Value& proto) {
  Value value;
  value.type = FromProto(proto.type());
  switch (proto.value_case()) {
    case v1::Value::kBoolValue:
      value.value = proto.bool_value();
      break;
    case v1::Value::kIntValue:
      value.value = static_cast<int64_t>(proto.int_value());
      break;
    case v1::Value::kDoubleValue:
      value.value = proto.double_value();
      break;
    case v1::Value::kBytesValue:
      value.value = proto.bytes_value();
      break;
    case v1::Value::kDecimalValue:
      value.value = DecimalFromBytes(proto.decimal_value());
      break;
    case v1::Value::kIntervalValue:
      value.value = IntervalParts{proto.interval_value().months(), proto.interval_value().days(),
                                  proto.interval_value().micros()};
      break;
    case v1::Value::VALUE_NOT_SET:
      break;
  }
  return value;
}

}  // namespace millrace
