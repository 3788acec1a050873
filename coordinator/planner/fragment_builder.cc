#include "coordinator/planner/fragment_builder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/check.h"

namespace millrace {
namespace {

// Version of the hash that maps keys to shards and channels; see worker/kernels/hash.h.
constexpr uint32_t kHashVersion = 1;

}  // namespace

FragmentBuilder::FragmentBuilder(const PlanOptions& options) : options_(options) {
  plan_.set_streaming(options.streaming);
  plan_.set_num_shards(options.streaming ? options.num_shards : 0);
  plan_.set_hash_version(kHashVersion);
}

std::unique_ptr<v1::PlanNode> FragmentBuilder::NewNode(std::vector<Relation*> inputs) {
  auto node = std::make_unique<v1::PlanNode>();
  node->set_id(next_node_id_++);
  for (Relation* input : inputs) {
    Seal(input);
    *node->add_inputs() = std::move(*input->node);
    input->node.reset();
  }
  return node;
}

void FragmentBuilder::Seal(Relation* relation) const {
  v1::PlanNode& node = *relation->node;
  node.clear_output();
  for (const Field& field : relation->schema) ToProto(field, node.add_output());
  node.set_changing(relation->changing);
  const double rows = relation->estimate.known ? std::ceil(relation->estimate.rows) : 0;
  node.set_estimated_rows(static_cast<uint64_t>(std::clamp(rows, 0.0, 1e18)));
}

Relation FragmentBuilder::ToSingle(Relation input) {
  if (input.single()) return input;
  return Cut(std::move(input), {v1::DISTRIBUTION_SINGLE, {}, 1}, {});
}

Relation FragmentBuilder::ToSingleMerged(Relation input, const std::vector<SortKey>& keys) {
  if (input.single()) return input;
  return Cut(std::move(input), {v1::DISTRIBUTION_SINGLE, {}, 1}, keys);
}

Relation FragmentBuilder::ToHash(Relation input, const std::vector<int>& keys) {
  MR_CHECK(!keys.empty());
  if (options_.parallelism == 1 && input.single()) return input;
  return Cut(std::move(input), {v1::DISTRIBUTION_HASH, keys, options_.parallelism}, {});
}

Relation FragmentBuilder::ToBroadcast(Relation input) {
  if (options_.parallelism == 1 && input.single()) return input;
  return Cut(std::move(input), {v1::DISTRIBUTION_BROADCAST, {}, options_.parallelism}, {});
}

Relation FragmentBuilder::ToRoundRobin(Relation input) {
  if (options_.parallelism == 1 && input.single()) return input;
  return Cut(std::move(input), {v1::DISTRIBUTION_ROUND_ROBIN, {}, options_.parallelism}, {});
}

bool FragmentBuilder::IsSpreadBy(const Relation& relation, const std::vector<int>& keys) const {
  if (relation.single() && options_.parallelism == 1) return true;
  // Bounded work in one task may stay there; the state of a stream is worth spreading.
  if (relation.single()) return !options_.streaming;
  const auto fits = [&](const std::vector<int>& columns) {
    if (options_.streaming) return columns == keys;
    return std::all_of(columns.begin(), columns.end(), [&](int column) {
      return std::find(keys.begin(), keys.end(), column) != keys.end();
    });
  };
  return std::any_of(relation.hashed_by.begin(), relation.hashed_by.end(), fits);
}

Relation FragmentBuilder::Cut(Relation input, const Channel& channel,
                              const std::vector<SortKey>& merge_keys) {
  v1::Fragment* producer = AddFragment(&input);
  v1::Output* output = producer->add_outputs();
  output->set_distribution(channel.distribution);
  for (int key : channel.keys) output->add_key_columns(key);
  output->set_exchange_id(next_exchange_id_++);

  Relation received = std::move(input);
  received.node = NewNode({});
  v1::ExchangeNode* exchange = received.node->mutable_exchange();
  exchange->set_exchange_id(output->exchange_id());
  exchange->set_producer_fragment(producer->id());
  for (const SortKey& key : merge_keys) ToProto(key, exchange->add_merge_keys());
  received.parallelism = channel.parallelism;
  received.hashed_by.clear();
  if (!channel.keys.empty()) received.hashed_by = {channel.keys};
  return received;
}

v1::Fragment* FragmentBuilder::AddFragment(Relation* root) {
  Seal(root);
  v1::Fragment* fragment = plan_.add_fragments();
  fragment->set_id(plan_.fragments_size() - 1);
  fragment->set_parallelism(root->parallelism);
  fragment->set_step(options_.step);
  *fragment->mutable_root() = std::move(*root->node);
  root->node.reset();
  ConnectProducers(fragment->root(), fragment->id());
  return fragment;
}

void FragmentBuilder::ConnectProducers(const v1::PlanNode& node, uint32_t consumer) {
  for (const v1::PlanNode& input : node.inputs()) ConnectProducers(input, consumer);
  if (!node.has_exchange()) return;
  v1::Fragment* producer = plan_.mutable_fragments(node.exchange().producer_fragment());
  for (v1::Output& output : *producer->mutable_outputs()) {
    if (output.exchange_id() == node.exchange().exchange_id()) {
      output.set_consumer_fragment(consumer);
    }
  }
}

v1::PhysicalPlan FragmentBuilder::Finish(Relation root, bool to_client) {
  const Schema schema = root.schema;
  v1::Fragment* fragment = AddFragment(&root);
  if (to_client) {
    v1::Output* output = fragment->add_outputs();
    output->set_distribution(v1::DISTRIBUTION_RESULT);
    output->set_exchange_id(next_exchange_id_++);
    for (const Field& field : schema) ToProto(field, plan_.mutable_result()->add_fields());
  }
  return std::move(plan_);
}

}  // namespace millrace
