#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/column_writer.h"
#include "common/expr/function_table.h"
#include "common/expr/letter_case.h"
#include "common/expr/map_rows.h"
#include "common/types/utf8.h"

// Functions of whole texts and single characters.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;
using absl::string_view;

// Longest text that a function may make, as in PostgreSQL.
constexpr int64_t kRepeatedBytesMax = int64_t{1} << 30;

ArrayOr CharCount(const KernelCall& call) {
  return MapRows<int32_t, string_view>(
      call, [](string_view text, int32_t* out) { *out = static_cast<int32_t>(CountChars(text)); });
}

ArrayOr ByteCount(const KernelCall& call) {
  return MapRows<int32_t, string_view>(
      call, [](string_view text, int32_t* out) { *out = static_cast<int32_t>(text.size()); });
}

ArrayOr BitCount(const KernelCall& call) {
  return MapRows<int32_t, string_view>(
      call, [](string_view text, int32_t* out) { *out = static_cast<int32_t>(text.size() * 8); });
}

ArrayOr Upper(const KernelCall& call) {
  return MapRows<std::string, string_view>(call, AppendUpper);
}

ArrayOr Lower(const KernelCall& call) {
  return MapRows<std::string, string_view>(call, AppendLower);
}

ArrayOr Initcap(const KernelCall& call) {
  return MapRows<std::string, string_view>(call, AppendInitcap);
}

ArrayOr Reverse(const KernelCall& call) {
  return MapRows<std::string, string_view>(call, [](string_view text, std::string* out) {
    for (size_t end = text.size(); end > 0;) {
      size_t begin = end - 1;
      while (begin > 0 && IsContinuation(text[begin])) --begin;
      out->append(text.data() + begin, end - begin);
      end = begin;
    }
  });
}

ArrayOr Repeat(const KernelCall& call) {
  const auto repeat = [&call](string_view text, int32_t count, std::string* out) -> absl::Status {
    const int64_t times = std::max(count, 0);
    const int64_t bytes = times * static_cast<int64_t>(text.size());
    if (bytes >= kRepeatedBytesMax) {
      return MakeError(SqlState::kProgramLimitExceeded, "requested length too large");
    }
    // Before the work, not after it.
    if (bytes > call.text_bytes_max) return TooMuchText(call.text_bytes_max);
    for (int64_t i = 0; i < times; ++i) out->append(text.data(), text.size());
    return absl::OkStatus();
  };
  return MapRows<std::string, string_view, int32_t>(call, repeat);
}

ArrayOr Ascii(const KernelCall& call) {
  return MapRows<int32_t, string_view>(
      call, [](string_view text, int32_t* out) { *out = static_cast<int32_t>(DecodeChar(text)); });
}

ArrayOr Chr(const KernelCall& call) {
  return MapRows<std::string, int32_t>(call, [](int32_t code, std::string* out) -> absl::Status {
    if (code == 0) {
      return MakeError(SqlState::kProgramLimitExceeded, "null character not permitted");
    }
    if (code < 0) {
      return MakeError(SqlState::kInvalidParameterValue, "character number must be positive");
    }
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (code > 0x10FFFF || surrogate) {
      return MakeError(SqlState::kProgramLimitExceeded,
                       absl::StrCat("requested character not valid for encoding: ", code));
    }
    AppendChar(static_cast<uint32_t>(code), out);
    return absl::OkStatus();
  });
}

ArrayOr StartsWith(const KernelCall& call) {
  return MapRows<bool, string_view, string_view>(
      call, [](string_view text, string_view prefix, bool* out) {
        *out = absl::StartsWith(text, prefix);
      });
}

ArrayOr Concatenate(const KernelCall& call) {
  return MapRows<std::string, string_view, string_view>(
      call, [](string_view a, string_view b, std::string* out) {
        out->append(a.data(), a.size());
        out->append(b.data(), b.size());
      });
}

}  // namespace

void AddTextFunctions(FunctionTable* table) {
  for (const char* name : {"length", "char_length", "character_length"}) {
    table->Add(absl::StrCat(name, "(text)->int4"), CharCount, "number of characters");
  }
  table->Add("length(bytea)->int4", ByteCount, "number of bytes");
  for (const char* type : {"text", "bytea"}) {
    table->Add(absl::StrCat("octet_length(", type, ")->int4"), ByteCount, "number of bytes");
    table->Add(absl::StrCat("bit_length(", type, ")->int4"), BitCount, "number of bits");
  }
  table->Add("upper(text)->text", Upper, "in upper case", kCostly);
  table->Add("lower(text)->text", Lower, "in lower case", kCostly);
  table->Add("initcap(text)->text", Initcap, "first letter of each word in upper case", kCostly);
  table->Add("reverse(text)->text", Reverse, "characters in reverse order", kCostly);
  table->Add("repeat(text,int4)->text", Repeat, "the text n times", kFallible | kCostly);
  table->Add("ascii(text)->int4", Ascii, "code point of the first character");
  table->Add("chr(int4)->text", Chr, "character with this code point", kFallible | kCostly);
  table->Add("starts_with(text,text)->bool", StartsWith, "whether the text begins with the second");
  table->Add("concat_op(text,text)->text", Concatenate, "both texts in a row", kCostly);
  table->Add("concat_op(bytea,bytea)->bytea", Concatenate, "both values in a row", kCostly);
  // Resolution only: the binder casts both sides to text.
  table->Add("concat_op(any,text)->text", Concatenate, "both texts in a row", kCostly);
  table->Add("concat_op(text,any)->text", Concatenate, "both texts in a row", kCostly);
}

}  // namespace millrace
