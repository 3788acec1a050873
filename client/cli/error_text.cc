#include "client/cli/error_text.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {
namespace {

// Lines longer than this are cut around the caret.
constexpr int kLineCharactersMax = 120;

bool IsCharacterStart(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

// Byte of the 1-based character `position`, or the text's size.
size_t ByteOfCharacter(absl::string_view text, int position) {
  int character = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsCharacterStart(text[i]) && ++character == position) return i;
  }
  return text.size();
}

int CountCharacters(absl::string_view text) {
  int count = 0;
  for (char c : text) count += IsCharacterStart(c) ? 1 : 0;
  return count;
}

void AppendCaret(absl::string_view sql, int position, std::string* out) {
  const size_t at = ByteOfCharacter(sql, position);
  size_t begin = at;
  while (begin > 0 && sql[begin - 1] != '\n') --begin;
  size_t end = sql.find('\n', at);
  if (end == absl::string_view::npos) end = sql.size();
  int line = 1;
  for (size_t i = 0; i < begin; ++i) line += sql[i] == '\n' ? 1 : 0;

  // A long line is shown from a little before the error.
  absl::string_view shown = sql.substr(begin, end - begin);
  int column = CountCharacters(sql.substr(begin, at - begin));
  std::string dots;
  if (column > kLineCharactersMax - 40) {
    const int skipped = column - 40;
    shown = shown.substr(ByteOfCharacter(shown, skipped + 1));
    column -= skipped;
    dots = "...";
  }
  if (CountCharacters(shown) > kLineCharactersMax) {
    shown = shown.substr(0, ByteOfCharacter(shown, kLineCharactersMax + 1));
  }
  const std::string prefix = absl::StrCat("LINE ", line, ": ", dots);
  absl::StrAppend(out, prefix, shown, "\n", std::string(prefix.size() + column, ' '), "^\n");
}

}  // namespace

std::string ErrorText(const absl::Status& error, absl::string_view sql) {
  const ErrorDetail detail = GetErrorDetail(error);
  std::string text =
      absl::StrCat("ERROR ", SqlStateCode(detail.state), ": ", error.message(), "\n");
  if (detail.position > 0 && !sql.empty()) AppendCaret(sql, detail.position, &text);
  if (!detail.hint.empty()) absl::StrAppend(&text, "HINT: ", detail.hint, "\n");
  return text;
}

}  // namespace millrace
