#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status.h"
#include "common/expr/cast_kernels.h"
#include "common/expr/map_rows.h"
#include "common/types/text_format.h"
#include "common/types/text_parse.h"
#include "common/types/utf8.h"

// Casts from and to text.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;
using absl::string_view;

ArrayOr SameText(const KernelCall& call) { return call.args[0].array; }

template <typename T, bool (*kParse)(string_view, T*)>
ArrayOr ParseText(const KernelCall& call) {
  const SqlType type = call.result_type;
  return MapRows<T, string_view>(call, [&](string_view text, T* out) -> absl::Status {
    return kParse(text, out) ? absl::OkStatus() : ParseFailure(text, type);
  });
}

ArrayOr ParseNumericText(const KernelCall& call) {
  const SqlType type = call.result_type;
  return MapRows<__int128, string_view>(call, [&](string_view text, __int128* out) -> absl::Status {
    return ParseNumeric(text, type, out) ? absl::OkStatus() : ParseFailure(text, type);
  });
}

ArrayOr ParseTimestampTzText(const KernelCall& call) {
  const SqlType type = call.result_type;
  const int32_t zone = call.context->zone_offset_seconds;
  return MapRows<int64_t, string_view>(call, [&](string_view text, int64_t* out) -> absl::Status {
    return ParseTimestampTz(text, zone, out) ? absl::OkStatus() : ParseFailure(text, type);
  });
}

ArrayOr ParseUuidText(const KernelCall& call) {
  const SqlType type = call.result_type;
  return MapRows<UuidBytes, string_view>(
      call, [&](string_view text, UuidBytes* out) -> absl::Status {
        return ParseUuid(text, out->bytes) ? absl::OkStatus() : ParseFailure(text, type);
      });
}

ArrayOr ParseByteaText(const KernelCall& call) {
  const SqlType type = call.result_type;
  std::string bytes;
  return MapRows<std::string, string_view>(call,
                                           [&](string_view text, std::string* out) -> absl::Status {
                                             if (!ParseBytea(text, &bytes))
                                               return ParseFailure(text, type);
                                             out->append(bytes);
                                             return absl::OkStatus();
                                           });
}

Kernel FindParser(TypeId to) {
  switch (to) {
    case TypeId::kBoolean:
      return ParseText<bool, ParseBool>;
    case TypeId::kInt16:
      return ParseText<int16_t, ParseInt16>;
    case TypeId::kInt32:
      return ParseText<int32_t, ParseInt32>;
    case TypeId::kInt64:
      return ParseText<int64_t, ParseInt64>;
    case TypeId::kFloat32:
      return ParseText<float, ParseFloat32>;
    case TypeId::kFloat64:
      return ParseText<double, ParseFloat64>;
    case TypeId::kNumeric:
      return ParseNumericText;
    case TypeId::kBytea:
      return ParseByteaText;
    case TypeId::kUuid:
      return ParseUuidText;
    case TypeId::kDate:
      return ParseText<int32_t, ParseDate>;
    case TypeId::kTime:
      return ParseText<int64_t, ParseTime>;
    case TypeId::kTimestamp:
      return ParseText<int64_t, ParseTimestamp>;
    case TypeId::kTimestampTz:
      return ParseTimestampTzText;
    case TypeId::kInterval:
      return ParseText<IntervalParts, ParseInterval>;
    default:
      return nullptr;
  }
}

// The text cut to the length of varchar(n) or char(n), without trailing blanks for char.
string_view FitLength(string_view text, const SqlType& type) {
  if (type.precision > 0 && type.id != TypeId::kText) {
    text = text.substr(0, CharOffset(text, type.precision));
  }
  if (type.id == TypeId::kChar) {
    while (absl::ConsumeSuffix(&text, " ")) {
    }
  }
  return text;
}

ArrayOr CutText(const KernelCall& call) {
  const SqlType type = call.result_type;
  return MapRows<std::string, string_view>(call, [&](string_view text, std::string* out) {
    const string_view fitted = FitLength(text, type);
    out->append(fitted.data(), fitted.size());
  });
}

ArrayOr FormatText(const KernelCall& call) {
  const SqlType from = call.args[0].type;
  const SqlType to = call.result_type;
  MR_ASSIGN_OR_RETURN(Validity validity, StrictValidity(call));
  ColumnWriter<std::string> writer;
  MR_RETURN_IF_ERROR(writer.Init(call));
  std::string text;
  for (int64_t row = 0; row < call.num_rows; ++row) {
    text.clear();
    AppendValueText(*call.args[0].array, row, from, &text);
    const string_view fitted = FitLength(text, to);
    writer.slot()->append(fitted.data(), fitted.size());
    writer.Commit(row);
  }
  return writer.Finish(validity);
}

// Unlike the output of a boolean column, a cast spells the word out.
ArrayOr FormatBool(const KernelCall& call) {
  const SqlType to = call.result_type;
  return MapRows<std::string, bool>(call, [&](bool value, std::string* out) {
    const string_view fitted = FitLength(value ? "true" : "false", to);
    out->append(fitted.data(), fitted.size());
  });
}

ArrayOr TimestampTzToText(const KernelCall& call) {
  const int32_t zone = call.context->zone_offset_seconds;
  const SqlType to = call.result_type;
  std::string text;
  return MapRows<std::string, int64_t>(call, [&](int64_t micros, std::string* out) {
    text.clear();
    AppendTimestampTz(micros, zone, &text);
    const string_view fitted = FitLength(text, to);
    out->append(fitted.data(), fitted.size());
  });
}

}  // namespace

ArrayOr AssignLength(const KernelCall& call) {
  const SqlType type = call.result_type;
  return MapRows<std::string, string_view>(
      call, [&](string_view text, std::string* out) -> absl::Status {
        const string_view fitted = FitLength(text, type);
        const string_view cut = text.substr(fitted.size());
        if (type.precision > 0 && cut.find_first_not_of(' ') != string_view::npos) {
          return MakeError(SqlState::kStringDataRightTruncation,
                           absl::StrCat("value too long for type ", TypeName(type)));
        }
        out->append(fitted.data(), fitted.size());
        return absl::OkStatus();
      });
}

Kernel FindTextCast(const SqlType& from, const SqlType& to) {
  if (from.is_string() && to.is_string()) {
    const bool lengthless =
        to.id == TypeId::kText || (to.id == TypeId::kVarchar && to.precision == 0);
    const bool same = from.id == to.id && from.precision > 0 && to.precision >= from.precision;
    return lengthless || same ? SameText : CutText;
  }
  if (from.is_string()) return FindParser(to.id);
  if (!to.is_string()) return nullptr;
  if (from.id == TypeId::kBoolean) return FormatBool;
  if (from.id == TypeId::kTimestampTz) return TimestampTzToText;
  return FormatText;
}

}  // namespace millrace
