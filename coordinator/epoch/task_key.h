#pragma once

#include <compare>
#include <cstdint>

namespace millrace {

// Names a task within an attempt.
struct TaskKey {
  uint32_t fragment = 0;
  uint32_t task_index = 0;
  friend auto operator<=>(const TaskKey&, const TaskKey&) = default;
};

}  // namespace millrace
