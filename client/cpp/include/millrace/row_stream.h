#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "millrace/error.h"

namespace millrace {

// Something worth telling that is no error.
struct Notice {
  std::string message;
  std::string hint;
};

// The rows of one result set, as Arrow batches, in the order in which the cluster sends them. Flow
// control reaches the cluster: who does not call Next stops the query, and after some minutes the
// cluster ends it. Used by one thread at a time, apart from Cancel. May outlive its connection.
class RowStream {
 public:
  // Cancels what still runs.
  ~RowStream();
  RowStream(const RowStream&) = delete;
  RowStream& operator=(const RowStream&) = delete;

  // Columns of every batch; null if the statements gave no rows. Names need not differ. Types:
  // docs/guides/use_the_cpp_client.md.
  const std::shared_ptr<arrow::Schema>& schema() const;
  // Waits for the next batch, which has at least one row; null at the end. After an error or the
  // end it gives the same again. A batch owns its memory and may outlive the stream.
  Result<std::shared_ptr<arrow::RecordBatch>> Next();
  // What the statements had to tell so far.
  const std::vector<Notice>& notices() const;

  // Ends the call: Next gives 57014, also one that waits. Thread-safe, may be called repeatedly.
  void Cancel();

 private:
  friend class Connection;
  class Call;
  explicit RowStream(std::unique_ptr<Call> call);

  std::unique_ptr<Call> call_;
};

}  // namespace millrace
