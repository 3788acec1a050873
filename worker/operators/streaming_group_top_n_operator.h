#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "worker/kernels/group_table.h"
#include "worker/kernels/row_codec.h"
#include "worker/kernels/sort_keys.h"
#include "worker/memory/memory_budget.h"
#include "worker/operators/group_top_n_plan.h"
#include "worker/operators/operator.h"
#include "worker/operators/sort_key_reader.h"

namespace millrace {

// The first n rows of each partition of a changing input, kept up to date: at each barrier the rows
// that left the first n are taken back and those that entered are added. All rows are kept, because
// a row that goes lets another one in; only where the input never takes rows back, those behind the
// first n are forgotten. Ties are broken by the whole row (I10).
//
// In the store: row → multiplicity.
class StreamingGroupTopNOperator final : public Operator {
 public:
  static absl::StatusOr<std::unique_ptr<Operator>> Create(GroupTopNPlan plan, bool input_changing);

  absl::Status Open(OperatorContext& context) override;
  absl::StatusOr<Progress> ProcessBatch(InputIndex input, Batch batch, Emitter& out) override;
  absl::StatusOr<Progress> ProcessWatermark(Watermark watermark, Emitter& out) override;
  absl::StatusOr<Progress> ProcessBarrier(const Barrier& barrier, Emitter& out) override;
  absl::StatusOr<Progress> ProcessEnd(InputIndex input, Emitter& out) override;
  absl::StatusOr<Progress> Resume(Emitter& out) override;
  absl::Status Close() override;

 private:
  struct StoredRow {
    // As the codec wrote it.
    std::string bytes;
    int64_t count = 0;
  };
  // Rows of a partition by their order: encoded order keys, then the encoded row.
  using Partition = absl::btree_map<std::string, StoredRow>;
  // Encoded row (and number) → how often it is among the first n.
  using TopRows = std::map<std::pair<std::string, int64_t>, int64_t>;

  StreamingGroupTopNOperator(GroupTopNPlan plan, bool input_changing);
  // Adds rows by weight; remembers the partitions that they touch if `touch`.
  absl::Status Apply(const Batch& batch, bool touch);
  void Change(uint32_t partition, std::string order, std::string_view row, int64_t weight);
  TopRows TopOf(const Partition& partition) const;
  void ForgetRowsBehindTop(Partition* partition);
  // Makes the rows of one sign, from `changes_`, a batch.
  absl::Status EmitChunk(Emitter& out);
  absl::Status WriteState();
  absl::Status RestoreRows(const std::vector<std::string>& rows,
                           const std::vector<int64_t>& counts);

  const GroupTopNPlan plan_;
  const bool input_changing_;
  const std::vector<int> all_columns_;
  const RowCodec codec_;
  OperatorContext* context_ = nullptr;
  std::optional<MemoryReservation> memory_;
  std::unique_ptr<SortKeyReader> reader_;
  SortKeyEncoder row_encoder_;

  GroupTable partition_table_;
  std::vector<Partition> partitions_;
  int64_t bytes_ = 0;
  int64_t num_rows_ = 0;

  // Partitions that changed in this epoch, with the first n rows they had before.
  std::map<uint32_t, TopRows> touched_;
  // Rows whose multiplicity changed since the last checkpoint, with what it is now.
  std::map<std::string, int64_t> dirty_;

  // What is being given out: rows with their number and weight.
  struct ChangedRow {
    std::string bytes;
    int64_t number;
    int64_t weight;
  };
  std::vector<ChangedRow> changes_;
  size_t next_change_ = 0;
  bool at_checkpoint_ = false;

  std::vector<uint32_t> row_partitions_;
  EncodedRows encoded_;
  EncodedRows row_order_;
};

}  // namespace millrace
