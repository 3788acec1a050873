#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "coordinator/planner/planner.h"
#include "coordinator/planner/relation.h"

namespace millrace {

// Cuts a plan into fragments: numbers nodes, scans and exchanges, and connects producers with
// consumers. Fragments are finished from the leaves up, so producers come before consumers.
class FragmentBuilder {
 public:
  explicit FragmentBuilder(const PlanOptions& options);

  // A node over `inputs`, which it takes. The caller sets its operator and calls Seal when the
  // relation is complete.
  std::unique_ptr<v1::PlanNode> NewNode(std::vector<Relation*> inputs);
  // Writes the relation's schema, changelog trait and estimate into its node.
  void Seal(Relation* relation) const;

  uint32_t NextScanId() { return next_scan_id_++; }

  // Ends the fragment of `input` with an exchange; the result is a leaf of the consumer's fragment.
  // Traits stay where the distribution allows it. Nothing happens to rows that are in one task and
  // shall stay there.
  Relation ToSingle(Relation input);
  // All producers' rows are sorted by `keys`, and the only consumer merges them.
  Relation ToSingleMerged(Relation input, const std::vector<SortKey>& keys);
  Relation ToHash(Relation input, const std::vector<int>& keys);
  Relation ToBroadcast(Relation input);
  Relation ToRoundRobin(Relation input);

  // True if rows that agree in `keys` are in one task. Streams ask for exactly these keys: state
  // belongs to shards by their hash.
  bool IsSpreadBy(const Relation& relation, const std::vector<int>& keys) const;

  // Ends the plan. `to_client`: the root's rows go to the client; else the root is a sink.
  v1::PhysicalPlan Finish(Relation root, bool to_client);

 private:
  struct Channel {
    v1::Distribution distribution = v1::DISTRIBUTION_SINGLE;
    std::vector<int> keys;
    uint32_t parallelism = 1;
  };
  Relation Cut(Relation input, const Channel& channel, const std::vector<SortKey>& merge_keys);
  v1::Fragment* AddFragment(Relation* root);
  void ConnectProducers(const v1::PlanNode& node, uint32_t consumer);

  const PlanOptions& options_;
  v1::PhysicalPlan plan_;
  uint32_t next_node_id_ = 1;
  uint32_t next_scan_id_ = 0;
  uint32_t next_exchange_id_ = 0;
};

}  // namespace millrace
