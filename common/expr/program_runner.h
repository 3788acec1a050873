#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/expr/kernel.h"
#include "common/expr/program.h"
#include "common/expr/row_choice.h"
#include "common/expr/truth.h"
#include "common/types/batch.h"

namespace millrace {

// Rows that a program is evaluated on: a batch, or some rows of one. Columns are gathered when
// first needed.
class Frame {
 public:
  // `batch` must outlive the frame.
  Frame(const Batch& batch, int num_nodes)
      : batch_(&batch), num_rows_(batch.num_rows()), values_(static_cast<size_t>(num_nodes)) {}
  // The rows `rows` of `parent`, whose batch it shares.
  Frame(const Frame& parent, const std::vector<int32_t>& rows);

  int64_t num_rows() const { return num_rows_; }
  absl::StatusOr<std::shared_ptr<arrow::Array>> Column(int index);
  // Values of shared nodes that have been computed.
  std::optional<Operand>& value(int node) { return values_[node]; }

 private:
  const Batch* batch_;
  int64_t num_rows_;
  bool is_selection_ = false;
  std::vector<int32_t> rows_;
  std::vector<std::shared_ptr<arrow::Array>> gathered_;
  std::vector<std::optional<Operand>> values_;
};

// What a node gives for some rows of a frame.
struct RowValues {
  Operand operand;
  // One row for each of them, or (false) one for each row of the frame.
  bool dense = false;
};

// Evaluates the nodes of a program. Not thread-safe.
class ProgramRunner {
 public:
  ProgramRunner(Program program, const EvalContext& context);

  const Program& program() const { return program_; }
  int num_nodes() const { return static_cast<int>(program_.nodes.size()); }
  const SqlType& type(int node) const { return program_.nodes[node].type; }

  // What is evaluated from now on may make `bytes` of text altogether, results in between counted
  // too; what would make more fails with 54000.
  void AllowText(int64_t bytes) {
    text_allowed_ = bytes;
    text_made_ = 0;
    constant_failed_ = false;
  }
  // What has failed since then is a value without columns: fewer rows do not help.
  bool constant_failed() const { return constant_failed_; }
  // Bytes of text made since then.
  int64_t text_made() const { return text_made_; }

  // The value of a node for all rows of the frame, of which there is at least one.
  absl::StatusOr<Operand> Evaluate(int node, Frame* frame);
  // The value for `rows` only: no error of another row comes out. Cheap nodes are computed for the
  // whole frame, which costs less than gathering rows, and again for the rows alone only if that
  // fails.
  absl::StatusOr<RowValues> EvaluateRows(int node, const std::vector<int32_t>& rows, Frame* frame);
  // A constant for `num_rows` rows.
  absl::StatusOr<std::shared_ptr<arrow::Array>> Repeat(const Operand& constant, int64_t num_rows);

 private:
  // What a node keeps between batches.
  struct NodeState {
    std::unique_ptr<KernelState> kernel_state;
    std::optional<Operand> constant;
    // The last dictionary that was evaluated as a whole, and the result.
    std::shared_ptr<arrow::ArrayData> dictionary;
    std::shared_ptr<arrow::Array> dictionary_result;
  };

  absl::StatusOr<Operand> Compute(int node, Frame* frame);
  absl::StatusOr<Operand> ComputeKernel(int node, Frame* frame);
  absl::StatusOr<Operand> RunKernel(int node, std::vector<Operand> args, int64_t num_rows);
  absl::StatusOr<std::shared_ptr<arrow::Array>> CallKernel(int node, absl::Span<const Operand> args,
                                                           int64_t num_rows);
  absl::StatusOr<std::optional<Operand>> RunOnDictionary(int node, const std::vector<Operand>& args,
                                                         int64_t num_rows);
  absl::StatusOr<Operand> ComputeLogic(int node, Frame* frame);
  absl::StatusOr<Operand> ComputeNot(int node, Frame* frame);
  absl::StatusOr<Operand> ComputeIsTest(int node, Frame* frame);
  absl::StatusOr<Operand> ComputeDistinct(int node, Frame* frame);
  absl::StatusOr<Operand> ComputeCoalesce(int node, Frame* frame);
  absl::StatusOr<Operand> ComputeNullIf(int node, Frame* frame);
  absl::StatusOr<Operand> ComputeExtremum(int node, Frame* frame);
  absl::StatusOr<Operand> ComputeCase(int node, Frame* frame);
  absl::StatusOr<TruthColumn> EvaluateTruth(int node, Frame* frame);
  // The comparison of a kDistinct or kExtremum node.
  absl::StatusOr<TruthColumn> Compare(int node, const Operand& left, const Operand& right,
                                      int64_t num_rows);
  absl::StatusOr<Operand> Choose(int node, int64_t num_rows, std::vector<RowChoice> choices);
  Operand MakeOperand(int node, std::shared_ptr<arrow::Array> array) const;
  // How much text the next array may have, and that `array` was made.
  int64_t text_bytes_max() const {
    return std::clamp<int64_t>(text_allowed_ - text_made_, 0, kArrayTextBytesMax);
  }
  void CountText(const arrow::Array& array);
  // The operand without a dictionary.
  absl::Status DecodeOperand(Operand* operand);

  Program program_;
  EvalContext context_;
  int64_t text_allowed_ = INT64_MAX;
  int64_t text_made_ = 0;
  bool constant_failed_ = false;
  std::vector<NodeState> states_;
};

}  // namespace millrace
