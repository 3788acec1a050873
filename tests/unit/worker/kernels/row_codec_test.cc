#include "worker/kernels/row_codec.h"

#include <numeric>

#include "gtest/gtest.h"
#include "tests/support/operators/text_batch.h"

namespace millrace {
namespace {

TEST(RowCodec, BringsEveryTypeBack) {
  const Schema schema = TextSchema(
      "bool a, int2 b, int4 c, int8 d, float4 e, float8 f, numeric(2) g, text h, date i, "
      "timestamp j, interval k, bytea l");
  const std::string rows =
      "t 1 2 3 0.5 -0.25 1.50 text 5 6 1:2:3 raw | null null null null null null null null null "
      "null null null | f -1 -2 -3 nan inf -0.01 '' -5 -6 0:0:-1 ''";
  for (const bool dictionaries : {false, true}) {
    const Batch batch =
        dictionaries ? TextBatchWithDictionaries(rows, schema) : TextBatch(rows, schema);
    std::vector<SqlType> types;
    for (const Field& field : schema) types.push_back(field.type);
    const RowCodec codec(types, CodecUse::kStorage);
    std::vector<int> all(schema.size());
    std::iota(all.begin(), all.end(), 0);
    EncodedRows encoded;
    codec.Encode(batch, all, &encoded);
    ASSERT_EQ(encoded.num_rows(), 3);
    std::vector<std::shared_ptr<arrow::Array>> columns;
    ASSERT_TRUE(codec.Decode({encoded.row(2), encoded.row(1), encoded.row(0)}, &columns).ok());
    const std::vector<std::string> back = RowsOf(Batch(std::move(columns), 3));
    const std::vector<std::string> expected = RowsOf(batch);
    EXPECT_EQ(back, (std::vector<std::string>{expected[2], expected[1], expected[0]}));
  }
}

TEST(RowCodec, RefusesTornRows) {
  const RowCodec codec({SqlType::Of(TypeId::kInt64), SqlType::Of(TypeId::kText)},
                       CodecUse::kStorage);
  const Batch batch = TextBatch("1 hello", TextSchema("int8 a, text b"));
  EncodedRows encoded;
  codec.Encode(batch, {0, 1}, &encoded);
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (size_t length = 0; length < encoded.row(0).size(); ++length) {
    EXPECT_FALSE(codec.Decode({encoded.row(0).substr(0, length)}, &columns).ok()) << length;
  }
}

}  // namespace
}  // namespace millrace
