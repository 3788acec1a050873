#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"
#include "common/types/text_format.h"
#include "common/types/utf8.h"

// Functions that take any number of arguments of any type and do not mind NULLs.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;
using absl::string_view;

int64_t RowOf(const Operand& operand, int64_t row) { return operand.is_constant ? 0 : row; }

bool IsNull(const Operand& operand, int64_t row) {
  return operand.array->type_id() == arrow::Type::NA || operand.array->IsNull(RowOf(operand, row));
}

void AppendText(const Operand& operand, int64_t row, std::string* out) {
  AppendValueText(*operand.array, RowOf(operand, row), operand.type, out);
}

ArrayOr Concat(const KernelCall& call) {
  ColumnWriter<std::string> writer;
  MR_RETURN_IF_ERROR(writer.Init(call));
  for (int64_t row = 0; row < call.num_rows; ++row) {
    for (const Operand& arg : call.args) {
      if (!IsNull(arg, row)) AppendText(arg, row, writer.slot());
    }
    writer.Commit(row);
    MR_RETURN_IF_ERROR(writer.CheckSize());
  }
  return writer.Finish(Validity());
}

// NULLs are left out together with their separator; a NULL separator makes the row NULL.
ArrayOr ConcatWs(const KernelCall& call) {
  ColumnWriter<std::string> writer;
  MR_RETURN_IF_ERROR(writer.Init(call));
  NullMarker nulls(Validity(), call.num_rows);
  for (int64_t row = 0; row < call.num_rows; ++row) {
    if (IsNull(call.args[0], row)) {
      MR_RETURN_IF_ERROR(nulls.MarkNull(row));
      writer.SetNull(row);
      continue;
    }
    bool first = true;
    for (const Operand& arg : call.args.subspan(1)) {
      if (IsNull(arg, row)) continue;
      if (!first) AppendText(call.args[0], row, writer.slot());
      AppendText(arg, row, writer.slot());
      first = false;
    }
    writer.Commit(row);
    MR_RETURN_IF_ERROR(writer.CheckSize());
  }
  return writer.Finish(nulls.validity());
}

// One % of a format string: %[position$][-][width]type.
struct FormatSpec {
  int64_t position = 0;
  bool left = false;
  int64_t width = 0;
  char type = 's';
};

int64_t TakeNumber(string_view* text) {
  int64_t value = 0;
  while (!text->empty() && text->front() >= '0' && text->front() <= '9' && value < 1'000'000) {
    value = value * 10 + (text->front() - '0');
    text->remove_prefix(1);
  }
  return value;
}

absl::StatusOr<FormatSpec> TakeSpec(string_view* format) {
  FormatSpec spec;
  const string_view start = *format;
  const int64_t number = TakeNumber(format);
  if (number > 0 && !format->empty() && format->front() == '$') {
    spec.position = number;
    format->remove_prefix(1);
  } else {
    *format = start;
  }
  if (!format->empty() && format->front() == '-') {
    spec.left = true;
    format->remove_prefix(1);
  }
  spec.width = TakeNumber(format);
  if (format->empty()) {
    return MakeError(SqlState::kInvalidParameterValue, "unterminated format() type specifier",
                     "For a single \"%\" use \"%%\".");
  }
  spec.type = format->front();
  if (spec.type != 's' && spec.type != 'I' && spec.type != 'L') {
    return MakeError(SqlState::kInvalidParameterValue,
                     absl::StrCat("unrecognized format() type specifier \"",
                                  string_view(&format->front(), 1), "\""),
                     "For a single \"%\" use \"%%\".");
  }
  format->remove_prefix(1);
  return spec;
}

void AppendQuoted(string_view text, char quote, std::string* out) {
  out->push_back(quote);
  for (char c : text) {
    if (c == quote) out->push_back(c);
    out->push_back(c);
  }
  out->push_back(quote);
}

bool IsPlainIdentifier(string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (!plain) return false;
  }
  return true;
}

absl::Status AppendArgument(const FormatSpec& spec, const Operand& arg, int64_t row,
                            std::string* out) {
  std::string text;
  const bool is_null = IsNull(arg, row);
  if (is_null && spec.type == 'I') {
    return MakeError(SqlState::kNullValueNotAllowed,
                     "null values cannot be formatted as an SQL identifier");
  }
  std::string value;
  if (!is_null) AppendText(arg, row, &value);
  if (spec.type == 'L' && is_null) {
    text = "NULL";
  } else if (spec.type == 'L') {
    AppendQuoted(value, '\'', &text);
  } else if (spec.type == 'I' && !IsPlainIdentifier(value)) {
    AppendQuoted(value, '"', &text);
  } else {
    text = value;
  }
  const int64_t missing = spec.width - CountChars(text);
  if (missing > 0 && !spec.left) out->append(static_cast<size_t>(missing), ' ');
  out->append(text);
  if (missing > 0 && spec.left) out->append(static_cast<size_t>(missing), ' ');
  return absl::OkStatus();
}

absl::Status FormatRow(const KernelCall& call, int64_t row, std::string* out) {
  string_view format = ColumnReader<string_view>(call.args[0])[row];
  size_t next = 1;
  while (!format.empty()) {
    const char c = format.front();
    format.remove_prefix(1);
    if (c != '%') {
      out->push_back(c);
      continue;
    }
    if (!format.empty() && format.front() == '%') {
      out->push_back('%');
      format.remove_prefix(1);
      continue;
    }
    MR_ASSIGN_OR_RETURN(const FormatSpec spec, TakeSpec(&format));
    if (spec.position > 0) next = static_cast<size_t>(spec.position);
    if (next >= call.args.size()) {
      return MakeError(SqlState::kInvalidParameterValue, "too few arguments for format()");
    }
    MR_RETURN_IF_ERROR(AppendArgument(spec, call.args[next], row, out));
    ++next;
  }
  return absl::OkStatus();
}

ArrayOr Format(const KernelCall& call) {
  ColumnWriter<std::string> writer;
  MR_RETURN_IF_ERROR(writer.Init(call));
  NullMarker nulls(Validity(), call.num_rows);
  for (int64_t row = 0; row < call.num_rows; ++row) {
    if (IsNull(call.args[0], row)) {
      MR_RETURN_IF_ERROR(nulls.MarkNull(row));
      writer.SetNull(row);
      continue;
    }
    MR_RETURN_IF_ERROR(FormatRow(call, row, writer.slot()));
    writer.Commit(row);
    MR_RETURN_IF_ERROR(writer.CheckSize());
  }
  return writer.Finish(nulls.validity());
}

template <bool kNulls>
ArrayOr CountNulls(const KernelCall& call) {
  ColumnWriter<int32_t> writer;
  MR_RETURN_IF_ERROR(writer.Init(call));
  for (int64_t row = 0; row < call.num_rows; ++row) {
    *writer.slot() = 0;
    for (const Operand& arg : call.args) *writer.slot() += IsNull(arg, row) == kNulls ? 1 : 0;
    writer.Commit(row);
  }
  return writer.Finish(Validity());
}

// NULLs spelled out, unlike quote_literal.
ArrayOr QuoteNullable(const KernelCall& call) {
  ColumnWriter<std::string> writer;
  MR_RETURN_IF_ERROR(writer.Init(call));
  FormatSpec spec;
  spec.type = 'L';
  for (int64_t row = 0; row < call.num_rows; ++row) {
    MR_RETURN_IF_ERROR(AppendArgument(spec, call.args[0], row, writer.slot()));
    writer.Commit(row);
    MR_RETURN_IF_ERROR(writer.CheckSize());
  }
  return writer.Finish(Validity());
}

}  // namespace

void AddConcatFunctions(FunctionTable* table) {
  const uint8_t any = kTakesNulls | kCostly | kVariadic;
  table->Add("concat(any)->text", Concat, "all arguments in a row, without NULLs", any);
  table->Add("concat_ws(text,any)->text", ConcatWs,
             "all arguments but the first, which is put between them", any);
  table->Add("format(text)->text", Format, "text with places for arguments",
             kTakesNulls | kCostly | kFallible);
  table->Add("format(text,any)->text", Format, "text with places for arguments", any | kFallible);
  table->Add("num_nulls(any)->int4", CountNulls<true>, "number of NULLs", any);
  table->Add("num_nonnulls(any)->int4", CountNulls<false>, "number of values that are not NULL",
             any);
  table->Add("quote_nullable(text)->text", QuoteNullable, "as a SQL literal, or NULL",
             kTakesNulls | kCostly);
}

}  // namespace millrace
