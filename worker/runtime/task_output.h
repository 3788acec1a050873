#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "worker/runtime/stream_message.h"
#include "worker/runtime/task_input.h"

namespace millrace {

// Bytes that a task has given to others.
struct SentBytes {
  uint64_t local = 0;
  uint64_t remote = 0;
};

// What the sending end of an exchange has sent; a row counts once for each task that gets it.
struct SentCounts {
  uint32_t exchange = 0;
  uint64_t rows = 0;
  SentBytes bytes;
};

// Where the rows of a task's root go: channels of an exchange, or the result. Called only from the
// task's thread.
class TaskOutput {
 public:
  virtual ~TaskOutput() = default;
  // Always takes the message; call it with a batch only while full() is false, so that what waits
  // here stays bounded.
  virtual absl::Status Send(StreamMessage message) = 0;
  // True while something waits for credit.
  virtual bool full() const = 0;
  // Sends what credit now allows. The task is woken when more of what waits can go.
  virtual absl::Status Pump() = 0;
  // The task has nothing else to do: rows held back to make bigger batches should go, if their
  // receivers have nothing.
  virtual absl::Status FlushPartial() = 0;
  // True when nothing waits here any more; asked after EndOfStream.
  virtual bool drained() const = 0;
  // True when nobody wants rows from here any more.
  virtual bool closed() const = 0;
  // Drops whatever waits. May be called twice.
  virtual void Close(CloseReason reason) = 0;
  virtual SentBytes sent_bytes() const = 0;
  // Absent unless this is the end of an exchange.
  virtual std::optional<SentCounts> sent() const { return std::nullopt; }
};

}  // namespace millrace
