#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace millrace {

// An integer that names one kind of thing; ids of different kinds do not mix.
template <typename Tag, typename Rep = uint64_t>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }
  std::string ToString() const { return std::to_string(value_); }

  friend constexpr auto operator<=>(StrongId, StrongId) = default;

  template <typename H>
  friend H AbslHashValue(H state, StrongId id) {
    return H::combine(std::move(state), id.value_);
  }

 private:
  Rep value_ = 0;
};

// A job: one SELECT, one batch step, or the streaming part of a script. Never reused.
using JobId = StrongId<struct JobIdTag>;
// One try to run a job; strictly increasing per job. What carries an older attempt is refused (I6).
using AttemptId = StrongId<struct AttemptIdTag, uint32_t>;
// A registered worker process; a process that registers again gets a new one.
using WorkerId = StrongId<struct WorkerIdTag, uint32_t>;
// A fragment of a job's physical plan, from 0.
using FragmentId = StrongId<struct FragmentIdTag, uint32_t>;
// Cluster-wide, strictly increasing, never reused. 0 = before the first epoch.
using Epoch = StrongId<struct EpochTag>;
// A table, view or sink of the catalog. Never reused.
using ObjectId = StrongId<struct ObjectIdTag>;

}  // namespace millrace

template <typename Tag, typename Rep>
struct std::hash<millrace::StrongId<Tag, Rep>> {
  size_t operator()(millrace::StrongId<Tag, Rep> id) const { return std::hash<Rep>()(id.value()); }
};
