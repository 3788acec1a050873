#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/split.pb.h"

// Plans over generated rows.

namespace millrace {

inline void AddField(const char* name, v1::TypeId type, v1::PlanNode* node) {
  v1::Field* field = node->add_output();
  field->set_name(name);
  field->mutable_type()->set_id(type);
}

// Rows (k = row number modulo `keys`, n = row number), made where they are read.
inline void SetDatagen(uint64_t keys, v1::PlanNode* node) {
  node->set_id(1);
  v1::ScanNode* scan = node->mutable_scan();
  scan->set_scan_id(1);
  scan->set_connector("datagen");
  auto& options = *scan->mutable_options();
  options["connector"] = "datagen";
  options["k.kind"] = "random";
  options["k.min"] = "0";
  options["k.max"] = absl::StrCat(keys - 1);
  options["n.kind"] = "sequence";
  options["n.min"] = "0";
  AddField("k", v1::TYPE_ID_INT64, node);
  AddField("n", v1::TYPE_ID_INT64, node);
  *scan->mutable_columns() = node->output();
  scan->add_projection(0);
  scan->add_projection(1);
}

inline v1::Output* AddExchangeTo(uint32_t consumer, v1::Distribution distribution,
                                 v1::Fragment* from) {
  v1::Output* output = from->add_outputs();
  output->set_distribution(distribution);
  output->set_consumer_fragment(consumer);
  output->set_exchange_id(from->id());
  return output;
}

inline void SetExchange(const v1::Fragment& producer, v1::PlanNode* node) {
  node->set_id(100 + producer.id());
  node->mutable_exchange()->set_exchange_id(producer.id());
  node->mutable_exchange()->set_producer_fragment(producer.id());
  *node->mutable_output() = producer.root().output();
}

inline void SetCount(uint32_t id, v1::PlanNode* node) {
  node->set_id(id);
  v1::HashAggregateNode* aggregate = node->mutable_hash_aggregate();
  aggregate->add_keys(0);
  v1::AggregateCall* count = aggregate->add_aggregates();
  count->set_function(v1::AGGREGATE_FUNCTION_COUNT_STAR);
  count->mutable_type()->set_id(v1::TYPE_ID_INT64);
  aggregate->add_arg_types();
  aggregate->set_phase(v1::AGGREGATE_PHASE_SINGLE);
  AddField("k", v1::TYPE_ID_INT64, node);
  AddField("count", v1::TYPE_ID_INT64, node);
}

// datagen → hash exchange on k → [count by k] → result.
inline v1::PhysicalPlan TwoFragments(uint64_t keys, bool aggregate) {
  v1::PhysicalPlan plan;
  v1::Fragment* read = plan.add_fragments();
  v1::Fragment* root = plan.add_fragments();
  read->set_id(0);
  read->set_parallelism(4);
  SetDatagen(keys, read->mutable_root());
  AddExchangeTo(1, v1::DISTRIBUTION_HASH, read)->add_key_columns(0);
  root->set_id(1);
  root->set_parallelism(2);
  root->add_outputs()->set_distribution(v1::DISTRIBUTION_RESULT);
  if (aggregate) {
    SetCount(2, root->mutable_root());
    SetExchange(*read, root->mutable_root()->add_inputs());
  } else {
    SetExchange(*read, root->mutable_root());
  }
  *plan.mutable_result()->mutable_fields() = root->root().output();
  return plan;
}

inline std::vector<v1::Split> DatagenSplits(uint64_t num_splits, uint64_t rows_each) {
  std::vector<v1::Split> splits;
  for (uint64_t i = 0; i < num_splits; ++i) {
    v1::Split& split = splits.emplace_back();
    split.set_id(i);
    split.mutable_datagen()->set_begin_row(i * rows_each);
    split.mutable_datagen()->set_end_row((i + 1) * rows_each);
  }
  return splits;
}

// The sum of the second column.
inline uint64_t SumOfCounts(const std::vector<std::string>& rows) {
  uint64_t sum = 0;
  for (const std::string& row : rows) sum += std::stoull(row.substr(row.find(' ') + 1));
  return sum;
}

}  // namespace millrace
