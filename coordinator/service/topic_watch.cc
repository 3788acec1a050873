#include "coordinator/service/topic_watch.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/logging/log.h"
#include "coordinator/scheduler/partition_splits.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

constexpr int64_t kLookIntervalMicros = 5'000'000;
// A broker that has just been started may not know its topics yet.
constexpr int kMissingMax = 2;
// A broker that lags behind the others may not know for a while that a topic has grown, and then
// looks as if partitions had gone.
constexpr int kMissingPartitionMax = 6;

}  // namespace

void TopicWatch::Tick() {
  std::set<std::pair<uint64_t, uint32_t>> present;
  for (const FollowedScan& scan : runs_.FollowedScans()) {
    if (!FollowsPartitions(scan.node)) continue;
    present.emplace(scan.job_id, scan.scan_id);
    Look& look = looks_[{scan.job_id, scan.scan_id}];
    // A new attempt may go on after a long time: what has appeared meanwhile is read at once.
    if (look.attempt != scan.attempt) look.next_micros = 0;
    look.attempt = scan.attempt;
    if (clock_.MonotonicMicros() < look.next_micros) continue;
    const absl::Status status = LookFor(scan, look);
    look.next_micros = clock_.MonotonicMicros() + kLookIntervalMicros;
    Judge(scan, status, look);
  }
  std::erase_if(looks_, [&present](const auto& look) { return !present.contains(look.first); });
}

void TopicWatch::Judge(const FollowedScan& scan, const absl::Status& status, Look& look) {
  const bool was_failing = std::exchange(look.failing, !status.ok());
  if (status.ok()) {
    look.missing = 0;
    return;
  }
  if (!was_failing) {
    Log(LogLevel::kWarning, "kafka", "cannot look for new partitions",
        {{"job", scan.job_id}, {"reason", status.message()}});
  }
  const SqlState state = GetErrorDetail(status).state;
  const bool no_topic = state == SqlState::kUndefinedObject;
  const bool missing = no_topic || state == SqlState::kObjectNotInPrerequisiteState;
  if (std::exchange(look.no_topic, no_topic) != no_topic) look.missing = 0;
  look.missing = missing ? look.missing + 1 : 0;
  const int missing_max = no_topic ? kMissingMax : kMissingPartitionMax;
  if (look.missing >= missing_max) runs_.Cancel(scan.job_id, scan.attempt, status);
}

absl::Status TopicWatch::LookFor(const FollowedScan& scan, Look& look) {
  MR_ASSIGN_OR_RETURN(const KafkaOptions options, KafkaOptionsOf(scan.node));
  if (look.topic == nullptr) {
    MR_ASSIGN_OR_RETURN(look.topic, KafkaTopic::Connect(options, addresses_));
  }
  const std::set<std::string> known = runs_.KnownFiles(scan.job_id, scan.attempt, scan.scan_id);
  MR_ASSIGN_OR_RETURN(std::vector<v1::Split> splits,
                      NewPartitions(*look.topic, options.topic, known));
  if (splits.empty()) return absl::OkStatus();
  Log(LogLevel::kInfo, "kafka", "new partitions",
      {{"job", scan.job_id}, {"topic", options.topic}, {"count", splits.size()}});
  runs_.AddSplits(scan.job_id, scan.attempt, scan.scan_id, std::move(splits));
  return absl::OkStatus();
}

}  // namespace millrace
