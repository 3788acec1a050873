#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "coordinator/planner/planner.h"
#include "coordinator/planner/relation.h"

namespace millrace {

// A finished fragment whose rows have several readers.
struct SharedRelation {
  uint32_t fragment = 0;
  // Without a node.
  Relation rows;
};

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

  // Streams: ends the fragment of `input`. ReadShared gives its rows to any number of consumers.
  SharedRelation Share(Relation input);
  // A leaf that receives the rows of a shared fragment, task by task.
  Relation ReadShared(const SharedRelation& shared);

  // Fragments that are ended from now on belong to this statement.
  void SetStep(uint32_t step) { step_ = step; }

  // True if rows that agree in `keys` are in one task. Streams ask for exactly these keys: state
  // belongs to shards by their hash.
  bool IsSpreadBy(const Relation& relation, const std::vector<int>& keys) const;

  // Ends a query whose root is a sink.
  void FinishSink(Relation root) { AddFragment(&root); }
  // Ends a query whose rows go to the client.
  void FinishResult(Relation root);
  // The plan of all finished queries.
  v1::PhysicalPlan TakePlan() { return std::move(plan_); }

 private:
  struct Channel {
    v1::Distribution distribution = v1::DISTRIBUTION_SINGLE;
    std::vector<int> keys;
    uint32_t parallelism = 1;
  };
  Relation Cut(Relation input, const Channel& channel, const std::vector<SortKey>& merge_keys);
  v1::Fragment* AddFragment(Relation* root);
  static void SetChannel(const Channel& channel, v1::Output* output);
  // A further output of `producer`; `received` gets its other end as node.
  void AddExchange(uint32_t producer, const Channel& channel, Relation* received);
  v1::Output* OutputOf(const v1::ExchangeNode& exchange);
  // The output that feeds the node, if the node is the end of a shared fragment's exchange.
  v1::Output* SharedOutputOf(const v1::PlanNode& node);
  void ConnectProducers(const v1::PlanNode& node, uint32_t consumer);

  const PlanOptions& options_;
  uint32_t step_;
  v1::PhysicalPlan plan_;
  uint32_t next_node_id_ = 1;
  uint32_t next_scan_id_ = 0;
  uint32_t next_exchange_id_ = 0;
};

}  // namespace millrace
