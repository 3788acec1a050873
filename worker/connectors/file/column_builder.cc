#include "worker/connectors/file/column_builder.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "arrow/array/data.h"
#include "arrow/array/util.h"
#include "arrow/buffer_builder.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "common/file_format/csv_index.h"
#include "common/types/arrow_status.h"
#include "common/types/text_parse.h"
#include "common/types/utf8.h"
#include "worker/connectors/file/field_parse.h"

namespace millrace {
namespace {

constexpr int64_t kTextBytesMax = INT32_MAX - 1024;

// Rows and their validity; a bitmap comes into being with the first NULL.
class Validity {
 public:
  absl::Status Reserve(int64_t num_rows) {
    capacity_ = num_rows_ + num_rows;
    if (!has_nulls_) return absl::OkStatus();
    return FromArrow(bits_.Reserve(num_rows));
  }
  void Append(bool valid) {
    if (!valid && !has_nulls_) [[unlikely]]
      Begin();
    if (has_nulls_) bits_.UnsafeAppend(valid);
    ++num_rows_;
  }
  int64_t num_rows() const { return num_rows_; }
  int64_t null_count() const { return has_nulls_ ? bits_.false_count() : 0; }
  // Null if all rows are valid.
  absl::StatusOr<std::shared_ptr<arrow::Buffer>> Finish() {
    num_rows_ = capacity_ = 0;
    MR_RETURN_IF_ARROW_ERROR(begin_status_);
    if (!has_nulls_) return nullptr;
    has_nulls_ = false;
    return FromArrow(bits_.Finish());
  }

 private:
  void Begin() {
    begin_status_ = bits_.Reserve(std::max(capacity_, num_rows_ + 1));
    if (!begin_status_.ok()) return;
    bits_.UnsafeAppend(num_rows_, true);
    has_nulls_ = true;
  }

  arrow::TypedBufferBuilder<bool> bits_;
  arrow::Status begin_status_;
  int64_t num_rows_ = 0;
  int64_t capacity_ = 0;
  bool has_nulls_ = false;
};

// The walk down a column that all builders share. Derived::AppendValue(text) parses and appends one
// value.
template <typename Derived>
class BuilderBase : public ColumnBuilder {
 public:
  explicit BuilderBase(const SqlType& type) : type_(type) {}

  size_t AppendCsv(const CsvColumn& column, size_t first, size_t last) final {
    Derived& self = static_cast<Derived&>(*this);
    const bool plain =
        !column.has_quotes && column.dialect->null_strings.empty() && column.dialect->empty_is_null;
    for (size_t row = first; row < last; ++row) {
      const absl::string_view field = column.field(row);
      if (plain ? field.empty() : IsCsvNull(field, *column.dialect)) {
        self.AppendNull();
      } else if (plain ? !self.AppendValue(field) : !AppendQuotable(column, field)) {
        return row;
      }
    }
    return last;
  }
  bool AppendText(absl::string_view text) final {
    return static_cast<Derived&>(*this).AppendValue(text);
  }
  bool AppendBytes(absl::string_view bytes) override { return AppendText(bytes); }
  absl::Status AppendIntegers(absl::Span<const std::optional<int64_t>>) override {
    return InternalError(absl::StrCat("integers for a column of type ", TypeName(type_)));
  }
  absl::Status ExplainFailure(absl::string_view text) const override {
    return ParseFailure(text, type_);
  }
  void set_check_text(bool) override {}
  int64_t num_rows() const final { return validity_.num_rows(); }

 protected:
  const SqlType type_;
  Validity validity_;

 private:
  bool AppendQuotable(const CsvColumn& column, absl::string_view field) {
    Derived& self = static_cast<Derived&>(*this);
    const char quote = column.dialect->quote;
    const char escape = column.dialect->escape;
    if (!column.has_quotes || std::memchr(field.data(), quote, field.size()) == nullptr) {
      return self.AppendValue(field);
    }
    // The usual case, one pair of quotes around the field, needs no copy.
    const absl::string_view inner = field.substr(1, std::max<size_t>(field.size(), 2) - 2);
    if (field.size() >= 2 && field.front() == quote && field.back() == quote &&
        (inner.empty() || (std::memchr(inner.data(), quote, inner.size()) == nullptr &&
                           std::memchr(inner.data(), escape, inner.size()) == nullptr))) {
      return self.AppendValue(inner);
    }
    Unquote(field, *column.dialect, &scratch_);
    return self.AppendValue(scratch_);
  }

  std::string scratch_;
};

// Values of a fixed width. Parser(text, type, &value).
template <typename T, auto parser>
class FixedBuilder final : public BuilderBase<FixedBuilder<T, parser>> {
 public:
  using Base = BuilderBase<FixedBuilder<T, parser>>;
  using Base::Base;

  absl::Status Reserve(int64_t num_rows, int64_t) override {
    MR_RETURN_IF_ARROW_ERROR(values_.Reserve(num_rows));
    return this->validity_.Reserve(num_rows);
  }
  void AppendNull() override {
    values_.UnsafeAppend(T{});
    this->validity_.Append(false);
  }
  bool AppendValue(absl::string_view text) {
    T value;
    if (!parser(text, this->type_, &value)) return false;
    values_.UnsafeAppend(value);
    this->validity_.Append(true);
    return true;
  }
  absl::Status AppendIntegers(absl::Span<const std::optional<int64_t>> values) override {
    if constexpr (!std::is_integral_v<T>) return Base::AppendIntegers(values);
    if constexpr (std::is_integral_v<T>) {
      MR_RETURN_IF_ERROR(Reserve(static_cast<int64_t>(values.size()), 0));
      for (const std::optional<int64_t>& value : values) {
        values_.UnsafeAppend(static_cast<T>(value.value_or(0)));
        this->validity_.Append(value.has_value());
      }
      return absl::OkStatus();
    }
  }
  absl::StatusOr<std::shared_ptr<arrow::Array>> Finish() override {
    const int64_t num_rows = this->num_rows();
    const int64_t null_count = this->validity_.null_count();
    MR_ASSIGN_OR_RETURN(auto bitmap, this->validity_.Finish());
    MR_ASSIGN_ARROW_OR_RETURN(std::shared_ptr<arrow::Buffer> values, values_.Finish(false));
    return arrow::MakeArray(arrow::ArrayData::Make(
        ToArrowType(this->type_), num_rows, {std::move(bitmap), std::move(values)}, null_count));
  }

 private:
  arrow::TypedBufferBuilder<T> values_;
};

// text, varchar(n), char(n) and bytea: offsets and bytes.
template <bool is_bytea>
class StringBuilder final : public BuilderBase<StringBuilder<is_bytea>> {
 public:
  using Base = BuilderBase<StringBuilder<is_bytea>>;
  explicit StringBuilder(const SqlType& type)
      : Base(type), length_max_(type.id == TypeId::kText || is_bytea ? 0 : type.precision) {}

  absl::Status Reserve(int64_t num_rows, int64_t text_bytes) override {
    if (bytes_.length() + text_bytes > kTextBytesMax) {
      return MakeError(SqlState::kProgramLimitExceeded,
                       "the strings of one column exceed 2 GiB in one batch");
    }
    MR_RETURN_IF_ARROW_ERROR(offsets_.Reserve(num_rows + 1));
    MR_RETURN_IF_ARROW_ERROR(bytes_.Reserve(text_bytes));
    return this->validity_.Reserve(num_rows);
  }
  void AppendNull() override {
    offsets_.UnsafeAppend(static_cast<int32_t>(bytes_.length()));
    this->validity_.Append(false);
  }
  bool AppendValue(absl::string_view text) {
    if constexpr (is_bytea) {
      if (!ParseBytea(text, &decoded_)) return false;
      text = decoded_;
    } else if (check_text_ && !IsValidText(text)) {
      return false;
    }
    if (this->type_.id == TypeId::kChar) text = WithoutTrailingBlanks(text);
    if (length_max_ > 0 && !FitLength(&text)) return false;
    AppendChecked(text);
    return true;
  }
  bool AppendBytes(absl::string_view bytes) override {
    if constexpr (!is_bytea) return AppendValue(bytes);
    AppendChecked(bytes);
    return true;
  }
  absl::Status ExplainFailure(absl::string_view text) const override {
    if (is_bytea) return ParseFailure(text, this->type_);
    if (!IsValidText(text)) {
      return MakeError(SqlState::kCharacterNotInRepertoire,
                       "invalid byte sequence for encoding \"UTF8\"");
    }
    return MakeError(SqlState::kStringDataRightTruncation,
                     absl::StrCat("value too long for type ", TypeName(this->type_)));
  }
  void set_check_text(bool check) override { check_text_ = check; }
  absl::StatusOr<std::shared_ptr<arrow::Array>> Finish() override {
    MR_RETURN_IF_ARROW_ERROR(offsets_.Append(static_cast<int32_t>(bytes_.length())));
    const int64_t num_rows = this->num_rows();
    const int64_t null_count = this->validity_.null_count();
    MR_ASSIGN_OR_RETURN(auto bitmap, this->validity_.Finish());
    MR_ASSIGN_ARROW_OR_RETURN(std::shared_ptr<arrow::Buffer> offsets, offsets_.Finish(false));
    MR_ASSIGN_ARROW_OR_RETURN(std::shared_ptr<arrow::Buffer> bytes, bytes_.Finish(false));
    return arrow::MakeArray(arrow::ArrayData::Make(
        ToArrowType(this->type_), num_rows,
        {std::move(bitmap), std::move(offsets), std::move(bytes)}, null_count));
  }

 private:
  void AppendChecked(absl::string_view value) {
    offsets_.UnsafeAppend(static_cast<int32_t>(bytes_.length()));
    bytes_.UnsafeAppend(value.data(), static_cast<int64_t>(value.size()));
    this->validity_.Append(true);
  }

  static absl::string_view WithoutTrailingBlanks(absl::string_view text) {
    const size_t last = text.find_last_not_of(' ');
    return text.substr(0, last == absl::string_view::npos ? 0 : last + 1);
  }

  // Cuts blanks that do not fit off the end, as PostgreSQL does; false if others do not fit.
  bool FitLength(absl::string_view* text) const {
    if (text->size() <= static_cast<size_t>(length_max_)) return true;
    const size_t fitting_bytes = CharOffset(*text, length_max_);
    if (text->substr(fitting_bytes).find_first_not_of(' ') != absl::string_view::npos) {
      return false;
    }
    *text = text->substr(0, fitting_bytes);
    return true;
  }

  arrow::TypedBufferBuilder<int32_t> offsets_;
  arrow::BufferBuilder bytes_;
  std::string decoded_;
  // Characters; 0 = no limit.
  const int32_t length_max_;
  bool check_text_ = false;
};

class BooleanBuilder final : public BuilderBase<BooleanBuilder> {
 public:
  using BuilderBase::BuilderBase;

  absl::Status Reserve(int64_t num_rows, int64_t) override {
    MR_RETURN_IF_ARROW_ERROR(values_.Reserve(num_rows));
    return validity_.Reserve(num_rows);
  }
  void AppendNull() override {
    values_.UnsafeAppend(false);
    validity_.Append(false);
  }
  bool AppendValue(absl::string_view text) {
    bool value = false;
    if (!ParseBool(text, &value)) return false;
    values_.UnsafeAppend(value);
    validity_.Append(true);
    return true;
  }
  absl::StatusOr<std::shared_ptr<arrow::Array>> Finish() override {
    const int64_t length = num_rows();
    const int64_t null_count = validity_.null_count();
    MR_ASSIGN_OR_RETURN(auto bitmap, validity_.Finish());
    MR_ASSIGN_ARROW_OR_RETURN(std::shared_ptr<arrow::Buffer> values, values_.Finish(false));
    return arrow::MakeArray(arrow::ArrayData::Make(
        ToArrowType(type_), length, {std::move(bitmap), std::move(values)}, null_count));
  }

 private:
  arrow::TypedBufferBuilder<bool> values_;
};

struct UuidBytes {
  uint8_t bytes[16];
};
// Arrow's month_day_nano.
struct ArrowInterval {
  int32_t months;
  int32_t days;
  int64_t nanos;
};

template <typename T>
bool ParseIntegerAs(absl::string_view text, const SqlType&, T* out) {
  return IntegerField::Parse(text, out);
}
bool ParseFloat32As(absl::string_view text, const SqlType&, float* out) {
  return ParseFloat32(text, out);
}
bool ParseFloat64As(absl::string_view text, const SqlType&, double* out) {
  return ParseFloat64Field(text, out);
}
bool ParseNumericAs(absl::string_view text, const SqlType& type, __int128* out) {
  return ParseNumericField(text, type, out);
}
bool ParseDateAs(absl::string_view text, const SqlType&, int32_t* out) {
  return ParseDateField(text, out);
}
bool ParseTimeAs(absl::string_view text, const SqlType&, int64_t* out) {
  return ParseTimeField(text, out);
}
bool ParseTimestampAs(absl::string_view text, const SqlType&, int64_t* out) {
  return ParseTimestampField(text, out);
}
bool ParseTimestampTzAs(absl::string_view text, const SqlType&, int64_t* out) {
  return ParseTimestampTzField(text, out);
}
bool ParseUuidAs(absl::string_view text, const SqlType&, UuidBytes* out) {
  return ParseUuid(text, out->bytes);
}
bool ParseIntervalAs(absl::string_view text, const SqlType&, ArrowInterval* out) {
  IntervalParts parts;
  if (!ParseInterval(text, &parts)) return false;
  *out = ArrowInterval{parts.months, parts.days, 0};
  return !__builtin_mul_overflow(parts.micros, int64_t{1000}, &out->nanos);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ColumnBuilder>> ColumnBuilder::Create(const SqlType& type) {
  switch (type.id) {
    case TypeId::kBoolean:
      return std::make_unique<BooleanBuilder>(type);
    case TypeId::kInt16:
      return std::make_unique<FixedBuilder<int16_t, ParseIntegerAs<int16_t>>>(type);
    case TypeId::kInt32:
      return std::make_unique<FixedBuilder<int32_t, ParseIntegerAs<int32_t>>>(type);
    case TypeId::kInt64:
      return std::make_unique<FixedBuilder<int64_t, ParseIntegerAs<int64_t>>>(type);
    case TypeId::kFloat32:
      return std::make_unique<FixedBuilder<float, ParseFloat32As>>(type);
    case TypeId::kFloat64:
      return std::make_unique<FixedBuilder<double, ParseFloat64As>>(type);
    case TypeId::kNumeric:
      return std::make_unique<FixedBuilder<__int128, ParseNumericAs>>(type);
    case TypeId::kText:
    case TypeId::kVarchar:
    case TypeId::kChar:
      return std::make_unique<StringBuilder<false>>(type);
    case TypeId::kBytea:
      return std::make_unique<StringBuilder<true>>(type);
    case TypeId::kUuid:
      return std::make_unique<FixedBuilder<UuidBytes, ParseUuidAs>>(type);
    case TypeId::kDate:
      return std::make_unique<FixedBuilder<int32_t, ParseDateAs>>(type);
    case TypeId::kTime:
      return std::make_unique<FixedBuilder<int64_t, ParseTimeAs>>(type);
    case TypeId::kTimestamp:
      return std::make_unique<FixedBuilder<int64_t, ParseTimestampAs>>(type);
    case TypeId::kTimestampTz:
      return std::make_unique<FixedBuilder<int64_t, ParseTimestampTzAs>>(type);
    case TypeId::kInterval:
      return std::make_unique<FixedBuilder<ArrowInterval, ParseIntervalAs>>(type);
    case TypeId::kUnknown:
      break;
  }
  return NotSupported(absl::StrCat("a column of type ", TypeName(type), " in a text file"));
}

}  // namespace millrace
