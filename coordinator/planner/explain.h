#pragma once

#include <string>

#include "absl/types/span.h"

namespace millrace {

namespace v1 {
class PhysicalPlan;
class TaskProgress;
class Fragment;
}  // namespace v1

// The plan for people: one block for each fragment, the root fragment first, one line for each
// operator, inputs indented. With `tasks` (EXPLAIN ANALYZE; the last counters of every task): rows
// and busy time of each operator, in total and by task, and what each worker has sent to the
// fragment's exchanges and received from them, within its process and from others.
std::string ExplainText(const v1::PhysicalPlan& plan,
                        absl::Span<const v1::TaskProgress> tasks = {});

// The same as one JSON document: {"streaming":…, "fragments":[{"id":…, "parallelism":…,
// "outputs":[…], "root":{"op":…, "inputs":[…]}, "tasks":[…]}]}.
std::string ExplainJson(const v1::PhysicalPlan& plan,
                        absl::Span<const v1::TaskProgress> tasks = {});

// The operators of a fragment from the root down, for FragmentStatus.title: "HashAggregate <-
// Exchange".
std::string FragmentTitle(const v1::Fragment& fragment);

}  // namespace millrace
