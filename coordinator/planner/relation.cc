#include "coordinator/planner/relation.h"

#include <utility>

namespace millrace {
namespace {

// The columns' new numbers; nothing if one of them is dropped.
std::optional<std::vector<int>> Renumber(const std::vector<int>& columns,
                                         const std::vector<int>& mapping) {
  std::vector<int> renumbered;
  for (int column : columns) {
    if (mapping[column] < 0) return std::nullopt;
    renumbered.push_back(mapping[column]);
  }
  return renumbered;
}

}  // namespace

Relation TraitsOf(const Relation& relation) {
  Relation traits;
  traits.schema = relation.schema;
  traits.parallelism = relation.parallelism;
  traits.hashed_by = relation.hashed_by;
  traits.changing = relation.changing;
  traits.times = relation.times;
  traits.key = relation.key;
  traits.estimate = relation.estimate;
  return traits;
}

void RemapTraits(const std::vector<int>& mapping, Relation* relation) {
  std::vector<std::vector<int>> hashed_by;
  for (const std::vector<int>& columns : relation->hashed_by) {
    if (auto renumbered = Renumber(columns, mapping); renumbered.has_value()) {
      hashed_by.push_back(*std::move(renumbered));
    }
  }
  relation->hashed_by = std::move(hashed_by);
  if (relation->key.has_value()) relation->key = Renumber(*relation->key, mapping);
  std::map<int, TimeColumn> times;
  for (const auto& [column, time] : relation->times) {
    if (mapping[column] >= 0) times.emplace(mapping[column], time);
  }
  relation->times = std::move(times);
}

}  // namespace millrace
