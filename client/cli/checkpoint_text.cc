#include "client/cli/checkpoint_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/cli/aligned_text.h"
#include "millrace/v1/checkpoint_service.pb.h"

namespace millrace {
namespace {

std::string Moment(int64_t micros) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%E*S", absl::FromUnixMicros(micros), absl::UTCTimeZone());
}

std::string Seconds(int64_t wall_micros) { return Moment(wall_micros / 1'000'000 * 1'000'000); }

}  // namespace

std::string CheckpointsText(const std::vector<v1::JobCheckpoint>& checkpoints) {
  AlignedText table({"job", "name", "epoch", "attempt", "created", "duration", "files", "bytes",
                     "uploaded", "final"});
  for (const v1::JobCheckpoint& entry : checkpoints) {
    const v1::CheckpointSummary& checkpoint = entry.checkpoint();
    table.Add({entry.job_id(), entry.job_name(), absl::StrCat(checkpoint.epoch()),
               absl::StrCat(checkpoint.attempt()), Seconds(checkpoint.created_at_micros()),
               absl::StrCat(checkpoint.duration_micros() / 1000, " ms"),
               absl::StrCat(checkpoint.num_files()), absl::StrCat(checkpoint.size_bytes()),
               absl::StrCat(checkpoint.uploaded_bytes()), checkpoint.final() ? "yes" : "-"});
  }
  return table.ToString("");
}

std::string CheckpointText(const v1::InspectCheckpointResponse& checkpoint, bool verified) {
  std::string text = CheckpointsText({checkpoint.checkpoint()});
  absl::StrAppend(&text, "plan ", checkpoint.plan_hash(), "  manifest ",
                  checkpoint.checkpoint().checkpoint().manifest());
  if (checkpoint.has_watermark()) {
    const int64_t micros = checkpoint.watermark_micros();
    absl::StrAppend(&text, "  watermark ", micros == INT64_MAX ? "end" : Moment(micros));
  }
  absl::StrAppend(&text, "\n\n");
  AlignedText positions({"table", "split", "offset", "rows", "ended"});
  for (const v1::CheckpointPosition& position : checkpoint.positions()) {
    positions.Add({position.table(), position.split(), absl::StrCat(position.offset()),
                   absl::StrCat(position.rows()), position.ended() ? "yes" : "-"});
  }
  absl::StrAppend(&text, positions.ToString(""), "\n");
  AlignedText files({"file", "bytes", "checksum", verified ? "verified" : ""});
  for (const v1::CheckpointFileStatus& file : checkpoint.files()) {
    const std::string verdict = file.damage().empty() ? "ok" : file.damage();
    files.Add({file.path(), absl::StrCat(file.size_bytes()),
               absl::StrFormat("%016x", file.checksum_xxh3()), verified ? verdict : ""});
  }
  absl::StrAppend(&text, files.ToString(""));
  for (const std::string& path : checkpoint.pending_files()) {
    absl::StrAppend(&text, "sink file ", path, "\n");
  }
  return text;
}

size_t NumDamaged(const v1::InspectCheckpointResponse& checkpoint) {
  return static_cast<size_t>(
      std::count_if(checkpoint.files().begin(), checkpoint.files().end(),
                    [](const v1::CheckpointFileStatus& file) { return !file.damage().empty(); }));
}

}  // namespace millrace
