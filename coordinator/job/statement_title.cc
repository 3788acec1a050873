#include "coordinator/job/statement_title.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/base/secret_names.h"

namespace millrace {

std::string StatementTitle(const std::string& statement) {
  constexpr size_t kBytesMax = 72;
  std::string title = MaskSecrets(statement.substr(0, statement.find('\n')));
  if (title.size() <= kBytesMax) return title;
  size_t cut = kBytesMax;
  while (cut > 0 && (static_cast<unsigned char>(title[cut]) & 0xc0) == 0x80) --cut;
  return absl::StrCat(title.substr(0, cut), "…");
}

}  // namespace millrace
