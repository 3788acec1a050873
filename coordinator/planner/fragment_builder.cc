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

FragmentBuilder::FragmentBuilder(const PlanOptions& options)
    : options_(options), step_(options.step) {
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
  Relation received;
  if (v1::Output* direct = SharedOutputOf(*input.node); direct != nullptr && merge_keys.empty()) {
    // Nothing is done to the shared rows before they are spread: their producer spreads them.
    SetChannel(channel, direct);
    received = std::move(input);
  } else {
    const uint32_t producer = AddFragment(&input)->id();
    received = std::move(input);
    AddExchange(producer, channel, &received);
    for (const SortKey& key : merge_keys) {
      ToProto(key, received.node->mutable_exchange()->add_merge_keys());
    }
  }
  received.parallelism = channel.parallelism;
  received.hashed_by.clear();
  if (!channel.keys.empty()) received.hashed_by = {channel.keys};
  return received;
}

void FragmentBuilder::SetChannel(const Channel& channel, v1::Output* output) {
  output->set_distribution(channel.distribution);
  output->clear_key_columns();
  for (int key : channel.keys) output->add_key_columns(key);
}

void FragmentBuilder::AddExchange(uint32_t producer, const Channel& channel, Relation* received) {
  v1::Output* output = plan_.mutable_fragments(static_cast<int>(producer))->add_outputs();
  SetChannel(channel, output);
  output->set_exchange_id(next_exchange_id_++);
  received->node = NewNode({});
  received->node->mutable_exchange()->set_exchange_id(output->exchange_id());
  received->node->mutable_exchange()->set_producer_fragment(producer);
}

SharedRelation FragmentBuilder::Share(Relation input) {
  SharedRelation shared;
  shared.fragment = AddFragment(&input)->id();
  shared.rows = std::move(input);
  return shared;
}

Relation FragmentBuilder::ReadShared(const SharedRelation& shared) {
  Relation received = TraitsOf(shared.rows);
  AddExchange(shared.fragment, {v1::DISTRIBUTION_FORWARD, {}, received.parallelism}, &received);
  return received;
}

v1::Output* FragmentBuilder::SharedOutputOf(const v1::PlanNode& node) {
  if (!node.has_exchange()) return nullptr;
  v1::Output* output = OutputOf(node.exchange());
  return output->distribution() == v1::DISTRIBUTION_FORWARD ? output : nullptr;
}

v1::Output* FragmentBuilder::OutputOf(const v1::ExchangeNode& exchange) {
  v1::Fragment* producer = plan_.mutable_fragments(static_cast<int>(exchange.producer_fragment()));
  for (v1::Output& output : *producer->mutable_outputs()) {
    if (output.exchange_id() == exchange.exchange_id()) return &output;
  }
  MR_CHECK(false);
  return nullptr;
}

v1::Fragment* FragmentBuilder::AddFragment(Relation* root) {
  Seal(root);
  v1::Fragment* fragment = plan_.add_fragments();
  fragment->set_id(plan_.fragments_size() - 1);
  fragment->set_parallelism(root->parallelism);
  fragment->set_step(step_);
  *fragment->mutable_root() = std::move(*root->node);
  root->node.reset();
  ConnectProducers(fragment->root(), fragment->id());
  return fragment;
}

void FragmentBuilder::ConnectProducers(const v1::PlanNode& node, uint32_t consumer) {
  for (const v1::PlanNode& input : node.inputs()) ConnectProducers(input, consumer);
  if (node.has_exchange()) OutputOf(node.exchange())->set_consumer_fragment(consumer);
}

void FragmentBuilder::FinishResult(Relation root) {
  const Schema schema = root.schema;
  v1::Output* output = AddFragment(&root)->add_outputs();
  output->set_distribution(v1::DISTRIBUTION_RESULT);
  output->set_exchange_id(next_exchange_id_++);
  for (const Field& field : schema) ToProto(field, plan_.mutable_result()->add_fields());
}

}  // namespace millrace
