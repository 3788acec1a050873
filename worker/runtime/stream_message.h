#pragma once

#include <variant>

#include "common/types/batch.h"
#include "worker/operators/operator.h"

namespace millrace {

// No message follows on this stream.
struct EndOfStream {};

// What flows between operators and through channels, in order.
using StreamMessage = std::variant<Batch, Watermark, Barrier, EndOfStream>;

}  // namespace millrace
