#pragma once

#include <string>

#include "absl/strings/string_view.h"

// What must never be shown: not in logs, errors, EXPLAIN, SHOW or a job's status.

namespace millrace {

inline constexpr absl::string_view kSecretMask = "***";

// The value under this name is a credential: "sasl.password", "properties.ssl.key.pem",
// "SECRET_KEY", …. The one list of such names, for options, settings and fields of the log.
bool IsSecretName(absl::string_view name);

// The text of a statement, which may be cut off or wrong, with the values of secret options masked:
// password = '***'. Literals in all of PostgreSQL's forms, words and numbers.
std::string MaskSecrets(absl::string_view statement);

}  // namespace millrace
