#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "arrow/type_fwd.h"
#include "common/types/batch.h"
#include "common/types/sql_type.h"
#include "worker/kernels/flat_vector.h"

namespace millrace {

// Rows as bytes, one behind the other. Reused from batch to batch.
struct EncodedRows {
  FlatVector<char> bytes;
  // num_rows + 1 positions in `bytes`.
  FlatVector<int64_t> offsets;

  int64_t num_rows() const { return offsets.empty() ? 0 : offsets.size() - 1; }
  std::string_view row(int64_t i) const {
    return {bytes.data() + offsets[i], static_cast<size_t>(offsets[i + 1] - offsets[i])};
  }
};

// Whether equal values must have equal bytes (keys), or every bit is kept (stored rows).
enum class CodecUse { kKey, kStorage };

// Turns rows of given types into bytes and back: one bit per column for NULL, fixed-width values as
// they lie in memory, then length and bytes of each text. The form is written to disk: a change
// needs a new format version of the state.
class RowCodec {
 public:
  RowCodec(std::vector<SqlType> types, CodecUse use);

  // Encodes all rows of the columns (one for each type, in order); replaces what `out` held.
  void Encode(const Batch& batch, absl::Span<const int> columns, EncodedRows* out) const;
  // The columns of the encoded rows. Fails with XX001 if a row has another form.
  absl::Status Decode(absl::Span<const std::string_view> rows,
                      std::vector<std::shared_ptr<arrow::Array>>* columns) const;

  const std::vector<SqlType>& types() const { return types_; }

 private:
  std::vector<SqlType> types_;
  const CodecUse use_;
  // Position of each fixed-width column; text columns follow in order behind `fixed_bytes_`.
  std::vector<int> positions_;
  int null_bytes_ = 0;
  int fixed_bytes_ = 0;
};

}  // namespace millrace
