#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/operators/operator.h"
#include "worker/runtime/task_input.h"
#include "worker/runtime/task_output.h"

namespace millrace {

// Where a node of a chain puts its rows: input `input` of operator `index`, or the task's outputs.
struct ChainTarget {
  static constexpr int kOutputs = -1;
  int index = kOutputs;
  InputIndex input = 0;
};

struct ChainOperator {
  // Sets of inputs are bits of a word.
  static constexpr int kInputsMax = 31;

  uint32_t node_id = 0;
  std::unique_ptr<Operator> op;
  int num_inputs = 1;
  ChainTarget target;
};

struct ChainInput {
  uint32_t node_id = 0;
  std::unique_ptr<TaskInput> input;
  ChainTarget target;
};

// A fragment's operator tree as one task runs it.
struct Chain {
  // Inputs before the operators that read them; the root, if there is any operator, is the last.
  std::vector<ChainOperator> operators;
  std::vector<ChainInput> inputs;
  // Each gets every row of the root.
  std::vector<std::unique_ptr<TaskOutput>> outputs;
};

}  // namespace millrace
