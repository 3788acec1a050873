#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/kernels/row_codec.h"
#include "worker/operators/operator.h"
#include "worker/state/row_multiset.h"
#include "worker/state/task_state_store.h"
#include "worker/state/view_store.h"

namespace millrace {

namespace v1 {
class PlanNode;
}  // namespace v1

// Keeps one task's part of a materialized view: consolidates the changes of an epoch and seals them
// in the view store at its barrier; at checkpoint barriers it writes what has changed since the
// last one to the state store.
//
// In the state store a view with a key is key → row; one without is row → how often it occurs.
class ViewSinkOperator final : public Operator {
 public:
  // The node's input 0 gives the column types.
  static absl::StatusOr<std::unique_ptr<Operator>> Create(const v1::PlanNode& node);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter& out) override;
  absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;
  absl::Status Close() override;

 private:
  ViewSinkOperator(ObjectId view, std::vector<SqlType> types, std::vector<int> key_columns,
                   std::vector<int> shard_columns);
  absl::Status Restore(std::vector<Batch>* rows) const;
  absl::Status WriteState();
  // Appends the entries for rows that changed by weights of one sign.
  void AppendEntries(const Batch& rows, bool additions, std::vector<StateEntry>* entries);

  const ObjectId view_;
  const std::vector<SqlType> types_;
  const std::vector<int> key_columns_;
  const std::vector<int> shard_columns_;
  const std::vector<int> all_columns_;
  const RowCodec row_codec_;
  const RowCodec key_codec_;

  OperatorContext* context_ = nullptr;
  ViewPart part_;
  // Rows of this part of the view.
  int64_t stored_rows_ = 0;
  RowMultiset epoch_changes_;
  RowMultiset changes_since_checkpoint_;
  // Scratch.
  EncodedRows encoded_rows_;
  EncodedRows encoded_keys_;
  std::vector<uint64_t> hashes_;
};

}  // namespace millrace
