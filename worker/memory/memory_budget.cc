#include "worker/memory/memory_budget.h"

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace millrace {

absl::Status MemoryBudget::Reserve(int64_t bytes, absl::string_view who) {
  const int64_t before = used_.fetch_add(bytes, std::memory_order_relaxed);
  absl::Status status;
  if (bytes > 0 && before + bytes > bytes_max_) {
    status = Exceeded(before + bytes, who);
  } else if (of_ == Of::kViews && whole_ != nullptr) {
    whole_->Add(bytes);
  } else if (whole_ != nullptr) {
    status = whole_->Reserve(bytes, who);
  }
  if (!status.ok()) used_.fetch_sub(bytes, std::memory_order_relaxed);
  return status;
}

absl::Status MemoryBudget::Exceeded(int64_t bytes, absl::string_view who) const {
  const std::string sizes = absl::StrCat(bytes >> 20, " MiB of ", bytes_max_ >> 20, " MiB");
  if (of_ == Of::kWorker) {
    return MakeError(SqlState::kOutOfMemory,
                     absl::StrCat(who, " needs more memory than is left on the worker: ", sizes,
                                  " for all queries and views together"),
                     "run fewer queries at the same moment, drop views, or give the workers more "
                     "memory");
  }
  if (of_ == Of::kViews) {
    return MakeError(SqlState::kOutOfMemory,
                     absl::StrCat(who, " needs more memory than is left on the worker: ", sizes,
                                  " for all views together"),
                     "drop views, or give the workers more memory");
  }
  return MakeError(SqlState::kOutOfMemory,
                   absl::StrCat(who, " needs more memory than the query may use: ", sizes),
                   "raise the setting query_memory_mb, or filter or aggregate earlier");
}

absl::Status MemoryReservation::Update(int64_t bytes_now) {
  const int64_t change = bytes_now - held_;
  if (change < kStepBytes && change > -kStepBytes) return absl::OkStatus();
  if (absl::Status status = budget_.Reserve(change, who_); !status.ok()) return status;
  held_ = bytes_now;
  return absl::OkStatus();
}

}  // namespace millrace
