#include <openssl/evp.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/expr/function_table.h"
#include "common/expr/map_rows.h"
#include "common/types/char_class.h"
#include "common/types/text_format.h"

// Digests, encodings and quoting.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;
using absl::string_view;

std::string Digest(string_view bytes, const EVP_MD* algorithm) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &length, algorithm, nullptr);
  return std::string(reinterpret_cast<const char*>(digest), length);
}

ArrayOr Md5(const KernelCall& call) {
  return MapRows<std::string, string_view>(call, [](string_view text, std::string* out) {
    out->append(absl::BytesToHexString(Digest(text, EVP_md5())));
  });
}

ArrayOr Sha256(const KernelCall& call) {
  return MapRows<std::string, string_view>(
      call, [](string_view bytes, std::string* out) { out->append(Digest(bytes, EVP_sha256())); });
}

template <typename T>
ArrayOr ToHex(const KernelCall& call) {
  return MapRows<std::string, T>(call, [](T value, std::string* out) {
    absl::StrAppend(out, absl::Hex(static_cast<std::make_unsigned_t<T>>(value)));
  });
}

absl::Status UnknownEncoding(string_view format) {
  return MakeError(SqlState::kInvalidParameterValue,
                   absl::StrCat("unrecognized encoding: \"", format, "\""));
}

// base64 with a line break after every 76 characters.
void AppendBase64(string_view bytes, std::string* out) {
  constexpr size_t kLine = 76;
  const std::string text = absl::Base64Escape(bytes);
  for (size_t at = 0; at < text.size(); at += kLine) {
    if (at > 0) out->push_back('\n');
    out->append(text, at, kLine);
  }
}

ArrayOr Encode(const KernelCall& call) {
  const auto encode = [](string_view bytes, string_view format, std::string* out) -> absl::Status {
    const std::string name = absl::AsciiStrToLower(format);
    if (name == "hex") {
      out->append(absl::BytesToHexString(bytes));
    } else if (name == "base64") {
      AppendBase64(bytes, out);
    } else {
      return UnknownEncoding(format);
    }
    return absl::OkStatus();
  };
  return MapRows<std::string, string_view, string_view>(call, encode);
}

absl::Status DecodeHex(string_view text, std::string* out) {
  std::string digits;
  for (char c : text) {
    if (IsSpaceChar(c)) continue;
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) {
      return MakeError(SqlState::kInvalidParameterValue,
                       absl::StrCat("invalid hexadecimal digit: \"", string_view(&c, 1), "\""));
    }
    digits.push_back(c);
  }
  if (digits.size() % 2 != 0) {
    return MakeError(SqlState::kInvalidParameterValue,
                     "invalid hexadecimal data: odd number of digits");
  }
  out->append(absl::HexStringToBytes(digits));
  return absl::OkStatus();
}

ArrayOr DecodeText(const KernelCall& call) {
  const auto decode = [](string_view text, string_view format, std::string* out) -> absl::Status {
    const std::string name = absl::AsciiStrToLower(format);
    if (name == "hex") return DecodeHex(text, out);
    if (name != "base64") return UnknownEncoding(format);
    std::string bytes;
    if (!absl::Base64Unescape(text, &bytes)) {
      return MakeError(SqlState::kInvalidParameterValue, "invalid base64 end sequence");
    }
    out->append(bytes);
    return absl::OkStatus();
  };
  return MapRows<std::string, string_view, string_view>(call, decode);
}

void AppendQuotedText(string_view text, char quote, std::string* out) {
  const bool escapes = quote == '\'' && text.find('\\') != string_view::npos;
  if (escapes) out->push_back('E');
  out->push_back(quote);
  for (char c : text) {
    if (c == quote || (escapes && c == '\\')) out->push_back(c);
    out->push_back(c);
  }
  out->push_back(quote);
}

ArrayOr QuoteLiteral(const KernelCall& call) {
  return MapRows<std::string, string_view>(
      call, [](string_view text, std::string* out) { AppendQuotedText(text, '\'', out); });
}

ArrayOr QuoteIdent(const KernelCall& call) {
  return MapRows<std::string, string_view>(call, [](string_view text, std::string* out) {
    bool plain = !text.empty() && !IsDigitChar(text[0]);
    for (char c : text) {
      plain &= (c >= 'a' && c <= 'z') || IsDigitChar(c) || c == '_';
    }
    if (plain) {
      out->append(text.data(), text.size());
    } else {
      AppendQuotedText(text, '"', out);
    }
  });
}

}  // namespace

void AddTextEncodingFunctions(FunctionTable* table) {
  table->Add("md5(text)->text", Md5, "MD5 digest in hexadecimal", kCostly);
  table->Add("md5(bytea)->text", Md5, "MD5 digest in hexadecimal", kCostly);
  table->Add("sha256(bytea)->bytea", Sha256, "SHA-256 digest", kCostly);
  table->Add("to_hex(int4)->text", ToHex<int32_t>, "in hexadecimal", kCostly);
  table->Add("to_hex(int8)->text", ToHex<int64_t>, "in hexadecimal", kCostly);
  table->Add("encode(bytea,text)->text", Encode, "as text: hex or base64", kFallible | kCostly);
  table->Add("decode(text,text)->bytea", DecodeText, "from text: hex or base64",
             kFallible | kCostly);
  table->Add("quote_literal(text)->text", QuoteLiteral, "as a SQL literal", kCostly);
  table->Add("quote_ident(text)->text", QuoteIdent, "as a SQL identifier", kCostly);
}

}  // namespace millrace
