#include "coordinator/metadata/metadata_store.h"

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {

absl::Status RevisionConflict(absl::string_view key) {
  ErrorDetail detail;
  detail.state = SqlState::kSerializationFailure;
  detail.blame = Blame::kUser;
  detail.retry = Retry::kSafe;
  return MakeError(detail, absl::StrCat("concurrent change of metadata: ", key));
}

absl::Status CheckRecordFormat(absl::string_view what, uint32_t found, uint32_t supported) {
  if (found == 0) {
    return MakeError(SqlState::kDataCorrupted, absl::StrCat(what, " carries no format version"));
  }
  if (found > supported) {
    return MakeError(
        SqlState::kFeatureNotSupported,
        absl::StrCat(what, " has format ", found, ", this version reads up to ", supported),
        "start the version of Millrace that wrote it, or a newer one");
  }
  return absl::OkStatus();
}

}  // namespace millrace
