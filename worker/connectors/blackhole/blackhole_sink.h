#pragma once

#include <vector>

#include "millrace/v1/control.pb.h"
#include "worker/connectors/sink.h"

namespace millrace {

// Takes rows, changing ones too, and drops them. For measuring what comes before.
class BlackholeSink final : public Sink {
 public:
  absl::Status Open() override { return absl::OkStatus(); }
  absl::Status Write(const Batch&) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<v1::StagedFile>> Prepare(uint64_t) override {
    return std::vector<v1::StagedFile>();
  }
  absl::Status Abort() override { return absl::OkStatus(); }
  absl::Status Close() override { return absl::OkStatus(); }
};

}  // namespace millrace
