#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "coordinator/job/attempt_runs.h"
#include "coordinator/membership/worker_registry.h"
#include "coordinator/metadata/memory_metadata_store.h"
#include "millrace/v1/control.pb.h"

namespace millrace {

class ManualClock final : public Clock {
 public:
  int64_t MonotonicMicros() const override { return now_; }
  int64_t WallMicros() const override { return 1'000'000'000 + now_; }
  void AdvanceMillis(int64_t millis) { now_ += millis * 1000; }

 private:
  std::atomic<int64_t> now_{1'000'000};
};

// The coordinator's end of a worker's connection: keeps what was sent.
class FakeLink final : public WorkerLink {
 public:
  void Send(v1::CoordinatorMessage message) override {
    MutexLock lock(mutex_);
    sent_.push_back(std::move(message));
  }
  void Close(const absl::Status&) override {}

  std::vector<v1::CoordinatorMessage> Take() {
    MutexLock lock(mutex_);
    return std::exchange(sent_, {});
  }

 private:
  Mutex mutex_;
  std::vector<v1::CoordinatorMessage> sent_;
};

// Workers that do what a test tells them, on the test's thread.
class FakeCluster {
 public:
  FakeCluster() : runs_(registry_, clock_) {}

  WorkerId Join() {
    v1::WorkerHello hello;
    hello.set_version("1");
    hello.set_slots(1);
    hello.set_data_address("127.0.0.1:1");
    hello.set_incarnation(++incarnation_);
    auto link = std::make_shared<FakeLink>();
    const WorkerId id = *registry_.Join(hello, link);
    link->Take();
    links_.emplace_back(id, std::move(link));
    return id;
  }

  FakeLink& link(WorkerId worker) {
    for (auto& [id, link] : links_) {
      if (id == worker) return *link;
    }
    std::abort();
  }
  const std::vector<std::pair<WorkerId, std::shared_ptr<FakeLink>>>& links() const {
    return links_;
  }

  ManualClock clock_;
  MemoryMetadataStore store_;
  IdAllocator worker_ids_{store_, "worker", 8};
  WorkerRegistry registry_{clock_, MembershipOptions{}, worker_ids_, "c", "1"};
  AttemptRuns runs_;

 private:
  uint64_t incarnation_ = 0;
  std::vector<std::pair<WorkerId, std::shared_ptr<FakeLink>>> links_;
};

// One fragment of `parallelism` tasks with a scan (id 7) below a sink without outputs.
inline std::shared_ptr<const v1::PhysicalPlan> OneFragmentPlan(uint32_t parallelism,
                                                               uint64_t view_id = 0) {
  auto plan = std::make_shared<v1::PhysicalPlan>();
  v1::Fragment* fragment = plan->add_fragments();
  fragment->set_parallelism(parallelism);
  v1::PlanNode* scan = fragment->mutable_root();
  if (view_id != 0) {
    plan->set_streaming(true);
    plan->set_num_shards(8);
    fragment->mutable_root()->mutable_view_sink()->set_object_id(view_id);
    scan = fragment->mutable_root()->add_inputs();
  }
  scan->mutable_scan()->set_scan_id(7);
  scan->mutable_scan()->set_table_name("orders");
  return plan;
}

}  // namespace millrace
