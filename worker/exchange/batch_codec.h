#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "arrow/type_fwd.h"
#include "common/types/batch.h"

namespace millrace {

// A batch as an Arrow IPC message. The body is `body`, one after another; the buffers are the
// batch's own, without a copy.
struct EncodedBatch {
  // IPC schema message; with the first batch only, else null.
  std::shared_ptr<arrow::Buffer> schema;
  std::shared_ptr<arrow::Buffer> metadata;
  // Each is as long as it must be on the wire; null buffers are not in it.
  std::vector<std::shared_ptr<arrow::Buffer>> body;
  int64_t body_size = 0;
  bool has_weights = false;
};

// Encodes the batches of one channel. Dictionaries are decoded first, so the columns' types never
// change on a channel.
class BatchEncoder {
 public:
  BatchEncoder();
  ~BatchEncoder();
  absl::StatusOr<EncodedBatch> Encode(const Batch& batch);

 private:
  // Types of the columns, without the weights; null before the first batch.
  std::shared_ptr<arrow::Schema> schema_;
};

// Puts the batches of one channel together again from their chunks. The body is received straight
// into the memory that the batch then owns.
class BatchDecoder {
 public:
  // What a frame says about its chunk.
  struct ChunkHeader {
    std::string schema;
    std::string metadata;
    uint64_t body_offset = 0;
    uint64_t body_size = 0;
    bool has_weights = false;
  };

  BatchDecoder();
  ~BatchDecoder();

  // Where the chunk's `size` bytes of body must be written. 08P01 if the chunk does not continue
  // what came before.
  absl::StatusOr<uint8_t*> BeginChunk(ChunkHeader header, uint64_t size);
  // The bytes are there. The batch, if it is complete.
  absl::StatusOr<std::optional<Batch>> EndChunk();

 private:
  absl::StatusOr<Batch> Decode();

  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::Schema> schema_with_weights_;
  std::string metadata_;
  std::shared_ptr<arrow::Buffer> body_;
  uint64_t body_size_ = 0;
  uint64_t received_ = 0;
  bool has_weights_ = false;
  bool in_batch_ = false;
};

// A batch as it goes to a client: an encapsulated IPC message (length, metadata, body), in parts
// that follow each other.
struct IpcMessageParts {
  std::vector<std::shared_ptr<arrow::Buffer>> parts;
  int64_t size = 0;
};
// Columns must agree with `schema`; no weights.
absl::StatusOr<IpcMessageParts> EncodeIpcMessage(const Batch& batch,
                                                 const std::shared_ptr<arrow::Schema>& schema);
absl::StatusOr<IpcMessageParts> EncodeIpcSchema(const arrow::Schema& schema);

}  // namespace millrace
