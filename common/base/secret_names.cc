#include "common/base/secret_names.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace millrace {
namespace {

constexpr size_t kNone = absl::string_view::npos;

// kWord: a name, keyword or number, also in quotes or with dots; kLiteral: a text constant of any
// form.
enum class PieceKind : uint8_t { kWord, kLiteral, kSymbol, kEnd };

struct Piece {
  PieceKind kind = PieceKind::kEnd;
  size_t begin = 0;
  size_t end = 0;
};

bool BeginsWord(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

size_t EndOr(absl::string_view text, size_t found, size_t length) {
  return found == kNone ? text.size() : found + length;
}

// Behind blanks and comments, which nest.
size_t SkipBlanks(absl::string_view text, size_t at) {
  int depth = 0;
  while (at < text.size()) {
    const absl::string_view rest = text.substr(at);
    if (absl::StartsWith(rest, "/*")) {
      ++depth;
      at += 2;
    } else if (depth > 0) {
      const bool closes = absl::StartsWith(rest, "*/");
      depth -= closes ? 1 : 0;
      at += closes ? 2 : 1;
    } else if (absl::StartsWith(rest, "--")) {
      at = EndOr(text, text.find('\n', at), 1);
    } else if (absl::ascii_isspace(static_cast<unsigned char>(text[at]))) {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

// Where what was opened by the quote at `at` ends; a doubled quote belongs to it.
size_t EndOfQuoted(absl::string_view text, size_t at, bool has_escapes) {
  const char quote = text[at++];
  while (at < text.size()) {
    if (has_escapes && text[at] == '\\') {
      at += 2;
    } else if (text[at++] == quote) {
      if (at == text.size() || text[at] != quote) return at;
      ++at;
    }
  }
  return text.size();
}

// The end of a literal that begins at `at`: '…', E'…', B'…', X'…', N'…', U&'…', $tag$…$tag$. kNone
// if none does.
size_t EndOfLiteral(absl::string_view text, size_t at) {
  const absl::string_view rest = text.substr(at);
  if (rest[0] == '\'') return EndOfQuoted(text, at, /*has_escapes=*/false);
  if (absl::StartsWithIgnoreCase(rest, "U&'")) return EndOfQuoted(text, at + 2, false);
  if (rest.size() > 1 && rest[1] == '\'' && absl::StrContains("EeBbXxNn", rest[0])) {
    return EndOfQuoted(text, at + 1, /*has_escapes=*/absl::ascii_tolower(rest[0]) == 'e');
  }
  if (rest[0] != '$') return kNone;
  size_t tag = 1;
  const bool is_parameter = rest.size() > 1 && absl::ascii_isdigit(rest[1]);
  while (tag < rest.size() && BeginsWord(rest[tag])) ++tag;
  if (is_parameter || tag == rest.size() || rest[tag] != '$') return kNone;
  ++tag;
  return EndOr(text, text.find(rest.substr(0, tag), at + tag), tag);
}

size_t EndOfWord(absl::string_view text, size_t at) {
  while (at < text.size()) {
    if (text[at] == '"') {
      at = EndOfQuoted(text, at, /*has_escapes=*/false);
    } else if (BeginsWord(text[at]) || text[at] == '.' || text[at] == '$') {
      ++at;
    } else {
      break;
    }
  }
  return at;
}

Piece NextPiece(absl::string_view text, size_t at) {
  at = SkipBlanks(text, at);
  if (at >= text.size()) return {PieceKind::kEnd, text.size(), text.size()};
  const size_t literal_end = EndOfLiteral(text, at);
  if (literal_end != kNone) return {PieceKind::kLiteral, at, literal_end};
  if (BeginsWord(text[at]) || text[at] == '"') return {PieceKind::kWord, at, EndOfWord(text, at)};
  return {PieceKind::kSymbol, at, at + 1};
}

}  // namespace

bool IsSecretName(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  for (absl::string_view word :
       {"password", "passwd", "passphrase", "secret", "token", "credential", "access_key",
        "private_key", "authorization", "sasl.jaas", "ssl.key.pem", "ssl.keystore"}) {
    if (absl::StrContains(lower, word)) return true;
  }
  return false;
}

std::string MaskSecrets(absl::string_view statement) {
  std::string masked;
  size_t done = 0;
  absl::string_view name;
  bool assigned = false;
  while (true) {
    const Piece piece = NextPiece(statement, done);
    const absl::string_view text = statement.substr(piece.begin, piece.end - piece.begin);
    absl::StrAppend(&masked, statement.substr(done, piece.begin - done));
    done = piece.end;
    if (piece.kind == PieceKind::kEnd) return masked;
    const bool is_symbol = piece.kind == PieceKind::kSymbol;
    // Options take words and numbers too; a literal needs no sign between (PASSWORD 'x'), and may
    // go on with another one on the next line.
    const bool is_value = !is_symbol && (assigned || piece.kind == PieceKind::kLiteral);
    if (is_value && IsSecretName(name)) {
      absl::StrAppend(&masked, "'", kSecretMask, "'");
      assigned = false;
      continue;
    }
    absl::StrAppend(&masked, text);
    if (!is_symbol) {
      name = text;
      assigned = false;
    } else if (text == "=") {
      assigned = true;
    } else if (text != ":" && text != ">") {  // := and => are the same to a reader.
      name = "";
      assigned = false;
    }
  }
}

}  // namespace millrace
