#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "common/base/clock.h"
#include "common/kafka_client/kafka_topic.h"
#include "common/net/address_policy.h"
#include "coordinator/job/attempt_runs.h"

namespace millrace {

// Looks for new partitions of the topics that running streams read, and gives their splits to the
// jobs; a job whose topic was deleted, or was made anew with fewer partitions, ends. Used by one
// thread, which it blocks on the network.
// Brokers that do not answer are asked again; whoever reads from them tells what is wrong.
class TopicWatch {
 public:
  TopicWatch(AttemptRuns& runs, AddressPolicy addresses, const Clock& clock)
      : runs_(runs), addresses_(std::move(addresses)), clock_(clock) {}

  // Looks where it is time to.
  void Tick();

 private:
  struct Look {
    uint32_t attempt = 0;
    int64_t next_micros = 0;
    std::unique_ptr<KafkaTopic> topic;
    // How often in a row the brokers have said that there is no such topic or partition.
    int missing = 0;
    bool no_topic = false;
    // That it did not work is told once, until it has worked again.
    bool failing = false;
  };

  absl::Status LookFor(const FollowedScan& scan, Look& look);
  // Ends the job if brokers have said for long enough that what it reads is gone.
  void Judge(const FollowedScan& scan, const absl::Status& status, Look& look);

  AttemptRuns& runs_;
  const AddressPolicy addresses_;
  const Clock& clock_;
  // By job and scan.
  std::map<std::pair<uint64_t, uint32_t>, Look> looks_;
};

}  // namespace millrace
