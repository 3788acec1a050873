#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status.h"
#include "common/expr/datetime_template.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"
#include "common/expr/number_template.h"
#include "common/types/calendar.h"
#include "common/types/decimal.h"
#include "common/types/text_format.h"
#include "common/types/text_parse.h"

// to_char, to_date, to_timestamp and to_number.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;
using absl::string_view;

// The template that was used last; nearly always there is one only.
template <typename Template>
class TemplateCache {
 public:
  template <typename Make>
  absl::StatusOr<const Template*> Get(string_view text, const Make& make) {
    if (!template_.has_value() || text != text_) {
      MR_ASSIGN_OR_RETURN(template_, make(text));
      text_ = std::string(text);
    }
    return &*template_;
  }

 private:
  std::string text_;
  std::optional<Template> template_;
};

absl::StatusOr<DatetimeTemplate> MakeDatetimeTemplate(string_view text) {
  return DatetimeTemplate(text);
}

// A number's digits, rounded to what the template shows.
absl::Status FormatDecimal(const NumberTemplate& form, __int128 value, int32_t scale,
                           std::string* out) {
  if (form.is_roman()) {
    __int128 whole = 0;
    RescaleDecimal(value, scale, 0, &whole);
    form.FormatRoman(static_cast<int64_t>(whole), out);
    return absl::OkStatus();
  }
  if (form.is_scientific()) {
    form.FormatScientific(static_cast<double>(value) / static_cast<double>(PowerOfTen(scale)), out);
    return absl::OkStatus();
  }
  // V multiplies by powers of ten: it moves the point.
  __int128 shifted = 0;
  __int128 rounded = 0;
  const bool fits = RescaleDecimal(value, 0, form.shift(), &shifted) &&
                    RescaleDecimal(shifted, scale, form.post_digits(), &rounded);
  if (!fits) {
    return MakeError(SqlState::kNumericOutOfRange,
                     "value has more digits than numeric can hold (38)");
  }
  std::string digits;
  AppendNumeric(rounded < 0 ? -rounded : rounded, form.post_digits(), &digits);
  form.Format(digits, rounded < 0, out);
  return absl::OkStatus();
}

template <typename T>
ArrayOr FormatInteger(const KernelCall& call) {
  TemplateCache<NumberTemplate> templates;
  return MapRows<std::string, T, string_view>(
      call, [&](T value, string_view text, std::string* out) -> absl::Status {
        MR_ASSIGN_OR_RETURN(const NumberTemplate* form,
                            templates.Get(text, NumberTemplate::Create));
        return FormatDecimal(*form, value, 0, out);
      });
}

ArrayOr FormatNumeric(const KernelCall& call) {
  TemplateCache<NumberTemplate> templates;
  const int32_t scale = call.args[0].type.scale;
  return MapRows<std::string, __int128, string_view>(
      call, [&](__int128 value, string_view text, std::string* out) -> absl::Status {
        MR_ASSIGN_OR_RETURN(const NumberTemplate* form,
                            templates.Get(text, NumberTemplate::Create));
        return FormatDecimal(*form, value, scale, out);
      });
}

// A float shows no more than the 15 (float4: 6) digits that it certainly has.
void FormatReal(const NumberTemplate& form, double value, int max_digits, std::string* out) {
  if (form.is_roman()) return form.FormatRoman(std::llrint(value), out);
  if (form.is_scientific()) return form.FormatScientific(value, out);
  const double shifted = value * std::pow(10.0, form.shift());
  const double magnitude = std::fabs(shifted);
  const auto num_whole = static_cast<int>(absl::StrFormat("%.0f", magnitude).size());
  int post = form.post_digits();
  if (num_whole >= max_digits) {
    post = 0;
  } else if (num_whole + post > max_digits) {
    post = max_digits - num_whole;
  }
  std::string digits = absl::StrFormat("%.*f", post, magnitude);
  const bool is_zero = digits.find_first_not_of("0.") == std::string::npos;
  form.Format(digits, std::signbit(shifted) && !is_zero, out);
}

template <typename T>
ArrayOr FormatFloat(const KernelCall& call) {
  TemplateCache<NumberTemplate> templates;
  constexpr int kDigits = std::numeric_limits<T>::digits10;
  return MapRows<std::string, T, string_view>(
      call, [&](T value, string_view text, std::string* out) -> absl::Status {
        MR_ASSIGN_OR_RETURN(const NumberTemplate* form,
                            templates.Get(text, NumberTemplate::Create));
        FormatReal(*form, static_cast<double>(value), kDigits, out);
        return absl::OkStatus();
      });
}

ArrayOr FormatTimestampAt(const KernelCall& call, int32_t zone, bool has_zone) {
  TemplateCache<DatetimeTemplate> templates;
  return MapRows<std::string, int64_t, string_view>(
      call, [&](int64_t micros, string_view text, std::string* out) -> absl::Status {
        MR_ASSIGN_OR_RETURN(const DatetimeTemplate* form,
                            templates.Get(text, MakeDatetimeTemplate));
        form->FormatTimestamp(micros + zone * kMicrosPerSecond, zone, has_zone, out);
        return absl::OkStatus();
      });
}

ArrayOr FormatTimestamp(const KernelCall& call) { return FormatTimestampAt(call, 0, false); }

ArrayOr FormatTimestampTz(const KernelCall& call) {
  return FormatTimestampAt(call, call.context->zone_offset_seconds, true);
}

ArrayOr FormatInterval(const KernelCall& call) {
  TemplateCache<DatetimeTemplate> templates;
  return MapRows<std::string, IntervalParts, string_view>(
      call, [&](const IntervalParts& interval, string_view text, std::string* out) -> absl::Status {
        MR_ASSIGN_OR_RETURN(const DatetimeTemplate* form,
                            templates.Get(text, MakeDatetimeTemplate));
        return form->FormatInterval(interval, out);
      });
}

ArrayOr ToTimestamp(const KernelCall& call) {
  TemplateCache<DatetimeTemplate> templates;
  const int32_t zone = call.context->zone_offset_seconds;
  return MapRows<int64_t, string_view, string_view>(
      call, [&](string_view text, string_view form_text, int64_t* out) -> absl::Status {
        MR_ASSIGN_OR_RETURN(const DatetimeTemplate* form,
                            templates.Get(form_text, MakeDatetimeTemplate));
        MR_ASSIGN_OR_RETURN(*out, form->Parse(text, zone));
        return absl::OkStatus();
      });
}

ArrayOr ToDate(const KernelCall& call) {
  TemplateCache<DatetimeTemplate> templates;
  return MapRows<int32_t, string_view, string_view>(
      call, [&](string_view text, string_view form_text, int32_t* out) -> absl::Status {
        MR_ASSIGN_OR_RETURN(const DatetimeTemplate* form,
                            templates.Get(form_text, MakeDatetimeTemplate));
        MR_ASSIGN_OR_RETURN(const int64_t micros, form->Parse(text, 0));
        *out = static_cast<int32_t>(FloorDiv(micros, kMicrosPerDay));
        return absl::OkStatus();
      });
}

ArrayOr ToNumber(const KernelCall& call) {
  TemplateCache<NumberTemplate> templates;
  const SqlType type = call.result_type;
  return MapRows<__int128, string_view, string_view>(
      call, [&](string_view text, string_view form_text, __int128* out) -> absl::Status {
        MR_ASSIGN_OR_RETURN(const NumberTemplate* form,
                            templates.Get(form_text, NumberTemplate::Create));
        std::string number;
        const bool found = form->Parse(text, &number);
        return found && ParseNumeric(number, type.scale, out)
                   ? absl::OkStatus()
                   : ParseFailure(text, SqlType::Of(TypeId::kNumeric));
      });
}

}  // namespace

void AddFormattingFunctions(FunctionTable* table) {
  const auto add = [&](const char* signature, Kernel kernel, const char* description,
                       uint8_t traits = kNoTraits) {
    table->Add(signature, kernel, description, traits | kFallible | kCostly);
  };
  add("to_char(int4,text)->text", FormatInteger<int32_t>, "number by a template");
  add("to_char(int8,text)->text", FormatInteger<int64_t>, "number by a template");
  add("to_char(float4,text)->text", FormatFloat<float>, "number by a template");
  add("to_char(float8,text)->text", FormatFloat<double>, "number by a template");
  add("to_char(numeric,text)->text", FormatNumeric, "number by a template");
  add("to_char(timestamp,text)->text", FormatTimestamp, "time by a template");
  add("to_char(timestamptz,text)->text", FormatTimestampTz, "time by a template", kStable);
  add("to_char(interval,text)->text", FormatInterval, "interval by a template");
  add("to_timestamp(text,text)->timestamptz", ToTimestamp, "time read by a template", kStable);
  add("to_date(text,text)->date", ToDate, "date read by a template");
  table->Add("to_number(text,text)->numeric", ToNumber, "number read by a template",
             kFallible | kCostly, ScaleRule::kByTemplate);
}

}  // namespace millrace
