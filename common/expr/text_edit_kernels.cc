#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"
#include "common/types/utf8.h"

// Functions that cut texts, fill them up, and replace parts of them. Positions count characters
// from 1.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;
using absl::string_view;

constexpr int64_t kMaxTextBytes = int64_t{1} << 30;

void Append(string_view text, std::string* out) { out->append(text.data(), text.size()); }

absl::Status TooLong() {
  return MakeError(SqlState::kProgramLimitExceeded, "requested length too large");
}

// Whether the character at the start of `text` is one of `set`.
bool ContainsChar(string_view set, string_view character) {
  for (size_t at = 0; at < set.size();) {
    const size_t length = CharLength(set, at);
    if (set.substr(at, length) == character) return true;
    at += length;
  }
  return false;
}

string_view TrimLeft(string_view text, string_view set) {
  while (!text.empty()) {
    const string_view first = text.substr(0, CharLength(text, 0));
    if (!ContainsChar(set, first)) break;
    text.remove_prefix(first.size());
  }
  return text;
}

string_view TrimRight(string_view text, string_view set) {
  while (!text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && IsContinuation(text[begin])) --begin;
    if (!ContainsChar(set, text.substr(begin))) break;
    text = text.substr(0, begin);
  }
  return text;
}

string_view TrimBoth(string_view text, string_view set) {
  return TrimRight(TrimLeft(text, set), set);
}

template <string_view (*kTrim)(string_view, string_view)>
ArrayOr TrimBlanks(const KernelCall& call) {
  return MapRows<std::string, string_view>(
      call, [](string_view text, std::string* out) { Append(kTrim(text, " "), out); });
}

template <string_view (*kTrim)(string_view, string_view)>
ArrayOr TrimSet(const KernelCall& call) {
  return MapRows<std::string, string_view, string_view>(
      call,
      [](string_view text, string_view set, std::string* out) { Append(kTrim(text, set), out); });
}

// `count` characters of `fill`, over and over.
void AppendFill(string_view fill, int64_t count, std::string* out) {
  const int64_t fill_chars = CountChars(fill);
  for (; count >= fill_chars; count -= fill_chars) Append(fill, out);
  Append(fill.substr(0, CharOffset(fill, count)), out);
}

template <bool kLeft>
absl::Status Pad(string_view text, int32_t length, string_view fill, std::string* out) {
  const int64_t wanted = std::max(length, 0);
  if (wanted * 4 >= kMaxTextBytes) return TooLong();
  const int64_t missing = wanted - CountChars(text);
  if (missing <= 0) {
    Append(text.substr(0, CharOffset(text, wanted)), out);
    return absl::OkStatus();
  }
  if (kLeft && !fill.empty()) AppendFill(fill, missing, out);
  Append(text, out);
  if (!kLeft && !fill.empty()) AppendFill(fill, missing, out);
  return absl::OkStatus();
}

template <bool kLeft>
ArrayOr PadBlanks(const KernelCall& call) {
  return MapRows<std::string, string_view, int32_t>(
      call, [](string_view text, int32_t length, std::string* out) {
        return Pad<kLeft>(text, length, " ", out);
      });
}

template <bool kLeft>
ArrayOr PadWith(const KernelCall& call) {
  return MapRows<std::string, string_view, int32_t, string_view>(call, Pad<kLeft>);
}

// Negative n: all but the last |n| characters.
ArrayOr Left(const KernelCall& call) {
  return MapRows<std::string, string_view, int32_t>(
      call, [](string_view text, int32_t n, std::string* out) {
        const int64_t count = n >= 0 ? n : std::max<int64_t>(CountChars(text) + n, 0);
        Append(text.substr(0, CharOffset(text, count)), out);
      });
}

// Negative n: all but the first |n| characters.
ArrayOr Right(const KernelCall& call) {
  return MapRows<std::string, string_view, int32_t>(
      call, [](string_view text, int32_t n, std::string* out) {
        const int64_t skip = n >= 0 ? std::max<int64_t>(CountChars(text) - n, 0) : -int64_t{n};
        Append(text.substr(CharOffset(text, skip)), out);
      });
}

// Characters [start, start + length) of a text that begins at character 1; what lies before it is
// empty.
string_view Slice(string_view text, int64_t start, int64_t length, bool bytes) {
  const int64_t end = start + length;
  const int64_t first = std::max<int64_t>(start, 1);
  if (end <= first) return string_view();
  if (bytes) {
    const auto size = static_cast<int64_t>(text.size());
    if (first > size) return string_view();
    return text.substr(static_cast<size_t>(first - 1), static_cast<size_t>(end - first));
  }
  text.remove_prefix(CharOffset(text, first - 1));
  return text.substr(0, CharOffset(text, end - first));
}

template <bool kBytes>
ArrayOr SubstringFrom(const KernelCall& call) {
  return MapRows<std::string, string_view, int32_t>(
      call, [](string_view text, int32_t start, std::string* out) {
        Append(Slice(text, start, kMaxTextBytes * 4, kBytes), out);
      });
}

template <bool kBytes>
ArrayOr SubstringFor(const KernelCall& call) {
  const auto slice = [](string_view text, int32_t start, int32_t length,
                        std::string* out) -> absl::Status {
    if (length < 0) {
      return MakeError(SqlState::kSubstringError, "negative substring length not allowed");
    }
    Append(Slice(text, start, length, kBytes), out);
    return absl::OkStatus();
  };
  return MapRows<std::string, string_view, int32_t, int32_t>(call, slice);
}

ArrayOr Replace(const KernelCall& call) {
  const auto replace = [](string_view text, string_view from, string_view to, std::string* out) {
    while (!from.empty()) {
      const size_t at = text.find(from);
      if (at == string_view::npos) break;
      Append(text.substr(0, at), out);
      Append(to, out);
      text.remove_prefix(at + from.size());
    }
    Append(text, out);
  };
  return MapRows<std::string, string_view, string_view, string_view>(call, replace);
}

// Each character of `from` becomes the one at the same place of `to`, or goes if `to` is shorter.
ArrayOr Translate(const KernelCall& call) {
  const auto translate = [](string_view text, string_view from, string_view to, std::string* out) {
    absl::flat_hash_map<string_view, string_view> map;
    size_t to_at = 0;
    for (size_t at = 0; at < from.size();) {
      const string_view key = from.substr(at, CharLength(from, at));
      const size_t length = to_at < to.size() ? CharLength(to, to_at) : 0;
      map.emplace(key, to.substr(to_at, length));
      at += key.size();
      to_at += length;
    }
    for (size_t at = 0; at < text.size();) {
      const string_view character = text.substr(at, CharLength(text, at));
      const auto found = map.find(character);
      Append(found == map.end() ? character : found->second, out);
      at += character.size();
    }
  };
  return MapRows<std::string, string_view, string_view, string_view>(call, translate);
}

absl::Status Overlay(string_view text, string_view patch, int32_t start, int64_t length,
                     std::string* out) {
  if (start <= 0) {
    return MakeError(SqlState::kSubstringError, "negative substring length not allowed");
  }
  Append(Slice(text, 1, start - 1, false), out);
  Append(patch, out);
  Append(Slice(text, start + length, kMaxTextBytes * 4, false), out);
  return absl::OkStatus();
}

ArrayOr OverlayFrom(const KernelCall& call) {
  return MapRows<std::string, string_view, string_view, int32_t>(
      call, [](string_view text, string_view patch, int32_t start, std::string* out) {
        return Overlay(text, patch, start, CountChars(patch), out);
      });
}

ArrayOr OverlayFor(const KernelCall& call) {
  return MapRows<std::string, string_view, string_view, int32_t, int32_t>(
      call, [](string_view text, string_view patch, int32_t start, int32_t length,
               std::string* out) { return Overlay(text, patch, start, length, out); });
}

// The n-th field, from the end if n is negative; empty if there are fewer.
absl::Status SplitPart(string_view text, string_view delimiter, int32_t n, std::string* out) {
  if (n == 0) {
    return MakeError(SqlState::kInvalidParameterValue, "field position must not be zero");
  }
  if (delimiter.empty()) {
    if (n == 1 || n == -1) Append(text, out);
    return absl::OkStatus();
  }
  int64_t index = n;
  if (n < 0) {
    int64_t num_fields = 1;
    for (size_t at = 0; (at = text.find(delimiter, at)) != string_view::npos;) {
      ++num_fields;
      at += delimiter.size();
    }
    index = num_fields + n + 1;
    if (index < 1) return absl::OkStatus();
  }
  for (; index > 1; --index) {
    const size_t at = text.find(delimiter);
    if (at == string_view::npos) return absl::OkStatus();
    text.remove_prefix(at + delimiter.size());
  }
  Append(text.substr(0, text.find(delimiter)), out);
  return absl::OkStatus();
}

ArrayOr SplitPartKernel(const KernelCall& call) {
  return MapRows<std::string, string_view, string_view, int32_t>(call, SplitPart);
}

}  // namespace

void AddTextEditFunctions(FunctionTable* table) {
  // The grammar's trim(both …) arrives as btrim; trim is what users may call.
  for (const char* name : {"btrim", "trim"}) {
    table->Add(absl::StrCat(name, "(text)->text"), TrimBlanks<TrimBoth>, "without outer blanks",
               kCostly);
    table->Add(absl::StrCat(name, "(text,text)->text"), TrimSet<TrimBoth>,
               "without outer characters of a set", kCostly);
  }
  table->Add("ltrim(text)->text", TrimBlanks<TrimLeft>, "without leading blanks", kCostly);
  table->Add("ltrim(text,text)->text", TrimSet<TrimLeft>, "without leading characters of a set",
             kCostly);
  table->Add("rtrim(text)->text", TrimBlanks<TrimRight>, "without trailing blanks", kCostly);
  table->Add("rtrim(text,text)->text", TrimSet<TrimRight>, "without trailing characters of a set",
             kCostly);
  const uint8_t costly = kFallible | kCostly;
  table->Add("lpad(text,int4)->text", PadBlanks<true>, "filled up on the left", costly);
  table->Add("lpad(text,int4,text)->text", PadWith<true>, "filled up on the left", costly);
  table->Add("rpad(text,int4)->text", PadBlanks<false>, "filled up on the right", costly);
  table->Add("rpad(text,int4,text)->text", PadWith<false>, "filled up on the right", costly);
  table->Add("left(text,int4)->text", Left, "first n characters", kCostly);
  table->Add("right(text,int4)->text", Right, "last n characters", kCostly);
  for (const std::string name : {"substr", "substring"}) {
    table->Add(name + "(text,int4)->text", SubstringFrom<false>, "from character n on", kCostly);
    table->Add(name + "(text,int4,int4)->text", SubstringFor<false>,
               "some characters from the n-th", costly);
    table->Add(name + "(bytea,int4)->bytea", SubstringFrom<true>, "from byte n on", kCostly);
    table->Add(name + "(bytea,int4,int4)->bytea", SubstringFor<true>, "some bytes from the n-th",
               costly);
  }
  table->Add("replace(text,text,text)->text", Replace, "every occurrence replaced", kCostly);
  table->Add("translate(text,text,text)->text", Translate, "characters replaced one by one",
             kCostly);
  table->Add("overlay(text,text,int4)->text", OverlayFrom, "a part replaced", costly);
  table->Add("overlay(text,text,int4,int4)->text", OverlayFor, "a part replaced", costly);
  table->Add("split_part(text,text,int4)->text", SplitPartKernel, "n-th field between delimiters",
             costly);
}

}  // namespace millrace
