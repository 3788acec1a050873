#pragma once

#include <string>
#include <vector>

namespace millrace {

namespace v1 {
class PlanNode;
class Output;
}  // namespace v1

// How EXPLAIN names the parts of a plan.

// "HashAggregate", "Scan", …
std::string NodeName(const v1::PlanNode& node);

// What the node does, in order: {"final", "keys: a, b", "aggregates: sum(c)"}. Columns by the names
// of the inputs' columns.
std::vector<std::string> NodeDetails(const v1::PlanNode& node);

// "hash by a, b", "single", "broadcast", … `root` is the node whose rows go there.
std::string DistributionText(const v1::Output& output, const v1::PlanNode& root);

}  // namespace millrace
