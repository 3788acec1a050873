#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "arrow/type_fwd.h"
#include "common/expr/evaluator.h"
#include "common/types/sql_type.h"

namespace millrace {

// A column of values during evaluation. A constant is an array of one row that stands for all rows.
struct Operand {
  std::shared_ptr<arrow::Array> array;
  bool is_constant = false;
  SqlType type;
  // For numeric: no value has more decimal digits than this; lets kernels choose narrower
  // arithmetic.
  int32_t max_digits = 38;
};

// What a kernel keeps between batches, such as a compiled pattern.
class KernelState {
 public:
  virtual ~KernelState() = default;
};

// The text of one array: its offsets have 32 bits.
inline constexpr int64_t kArrayTextBytesMax = int64_t{512} << 20;

// One call of a kernel.
struct KernelCall {
  absl::Span<const Operand> args;
  int64_t num_rows = 0;
  SqlType result_type;
  int32_t result_max_digits = 38;
  const EvalContext* context = nullptr;
  // Belongs to the node of the expression; empty at the first call.
  std::unique_ptr<KernelState>* state = nullptr;
  // More text than that, over all rows, is 54000.
  int64_t text_bytes_max = kArrayTextBytesMax;
};

// Computes one array of num_rows values of result_type. Arguments that are not constant have
// num_rows rows and no dictionary encoding. The first row that is an error ends the call.
using Kernel = absl::StatusOr<std::shared_ptr<arrow::Array>> (*)(const KernelCall& call);

}  // namespace millrace
