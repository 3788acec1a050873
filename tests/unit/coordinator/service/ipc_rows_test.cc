#include "coordinator/service/ipc_rows.h"

#include <string>
#include <vector>

#include "arrow/api.h"
#include "arrow/io/memory.h"
#include "arrow/ipc/reader.h"
#include "gtest/gtest.h"
#include "millrace/v1/types.pb.h"

namespace millrace {
namespace {

class CollectingSink final : public ResultSink {
 public:
  absl::Status WriteSchema(const v1::Schema& columns, std::string ipc_message) override {
    schema = columns;
    messages.push_back(std::move(ipc_message));
    return absl::OkStatus();
  }
  absl::Status WriteBatch(std::string ipc_message, uint64_t count) override {
    messages.push_back(std::move(ipc_message));
    rows += count;
    return absl::OkStatus();
  }
  absl::Status Notice(absl::string_view, absl::string_view) override { return absl::OkStatus(); }
  void Progress(uint64_t) override {}
  bool drops_rows() const override { return false; }

  v1::Schema schema;
  std::vector<std::string> messages;
  uint64_t rows = 0;
};

std::shared_ptr<arrow::Table> Read(const std::vector<std::string>& messages) {
  std::string stream;
  for (const std::string& message : messages) stream += message;
  auto reader = arrow::ipc::RecordBatchStreamReader::Open(
      std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(stream)));
  EXPECT_TRUE(reader.ok()) << reader.status();
  auto table = (*reader)->ToTable();
  EXPECT_TRUE(table.ok()) << table.status();
  return *table;
}

TEST(IpcRowsTest, TextRowsCanBeReadByArrow) {
  CollectingSink sink;
  ASSERT_TRUE(WriteTextRows({{"a", "b"}, {{"1", "x"}, {"2", ""}}}, sink).ok());
  EXPECT_EQ(sink.rows, 2);
  EXPECT_EQ(sink.schema.fields(1).name(), "b");
  const auto table = Read(sink.messages);
  ASSERT_EQ(table->num_rows(), 2);
  EXPECT_EQ(table->column(0)->GetScalar(1).ValueOrDie()->ToString(), "2");
}

TEST(IpcRowsTest, NoRowsAreASchemaAlone) {
  CollectingSink sink;
  ASSERT_TRUE(WriteTextRows({{"a"}, {}}, sink).ok());
  EXPECT_EQ(sink.messages.size(), 1);
  EXPECT_EQ(Read(sink.messages)->num_rows(), 0);
}

TEST(IpcRowsTest, CountOfASinkThatIsNoBigintIsADefect) {
  CollectingSink sink;
  ASSERT_TRUE(WriteTextRows({{"a"}, {{"1"}}}, sink).ok());
  EXPECT_FALSE(ReadCount(sink.messages).ok());
  EXPECT_FALSE(ReadCount({"garbage"}).ok());
}

}  // namespace
}  // namespace millrace
