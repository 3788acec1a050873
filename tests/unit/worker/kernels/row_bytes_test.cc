#include "worker/kernels/row_bytes.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/operators/text_batch.h"
#include "worker/kernels/column_store.h"

namespace millrace {
namespace {

const Schema kSchema = TextSchema("int8 k, text t, bool b");
// Offset of the text, bigint, boolean.
constexpr int64_t kFixed = 4 + 8 + 1;

TEST(RowBytes, MeasuresRowsWithTheirTexts) {
  const Batch batch = TextBatch("1 abc t | 2 null f | 3 '' t | null abcdefg f", kSchema);
  const RowBytes bytes(batch, DictionaryBytes::kText);
  EXPECT_EQ(bytes.at(0), kFixed + 3);
  EXPECT_EQ(bytes.at(1), kFixed);
  EXPECT_EQ(bytes.at(3), kFixed + 7);
  EXPECT_EQ(bytes.max(), kFixed + 7);
  EXPECT_EQ(bytes.total_max(0, 4), 4 * kFixed + 10);
  EXPECT_EQ(bytes.total_max(1, 2), 2 * kFixed);
  EXPECT_EQ(RowBytes(batch.Slice(3, 1), DictionaryBytes::kText).at(0), kFixed + 7);
}

TEST(RowBytes, ADictionaryCountsAsItsCodesOrAsItsText) {
  const Batch batch =
      TextBatchWithDictionaries("1 abc t | 2 abc t | 3 null t | 4 defgh t", kSchema);
  EXPECT_EQ(RowBytes(batch, DictionaryBytes::kCodes).at(3), kFixed);
  EXPECT_EQ(RowBytes(batch, DictionaryBytes::kCodes).max(), kFixed);
  const RowBytes text(batch, DictionaryBytes::kText);
  EXPECT_EQ(text.at(0), kFixed + 3);
  EXPECT_EQ(text.at(2), kFixed);
  EXPECT_EQ(text.at(3), kFixed + 5);
  EXPECT_GE(text.max(), kFixed + 5);
  EXPECT_GE(text.total_max(0, 4), 4 * kFixed + 11);
}

TEST(RowBytes, CutsABatchByBytes) {
  // Rows of 6, 6, 6, 20 and 1 MiB.
  std::string rows;
  for (const int mib : {6, 6, 6, 20, 1}) {
    absl::StrAppend(&rows, rows.empty() ? "" : " | ", "1 ", std::string(mib << 20, 'x'), " t");
  }
  for (const Batch& batch : {TextBatch(rows, kSchema), TextBatchWithDictionaries(rows, kSchema)}) {
    EXPECT_EQ(RowsWithinBatch(batch, 0, 2), 2);
    EXPECT_EQ(RowsWithinBatch(batch, 0, 5), 2);
    EXPECT_EQ(RowsWithinBatch(batch, 2, 3), 1);
    EXPECT_EQ(RowsWithinBatch(batch, 3, 2), 1);
    EXPECT_EQ(RowsWithinBatch(batch, 4, 1), 1);
    EXPECT_EQ(RowsWithinBatch(batch.Slice(2, 3), 0, 3), 1);
    ColumnStore store({kSchema[0].type, kSchema[1].type, kSchema[2].type});
    store.Append(batch);
    EXPECT_EQ(store.RowsWithinBatch({0, 1, 2}), 2u);
    EXPECT_EQ(store.RowsWithinBatch({3, 4}), 1u);
    EXPECT_EQ(store.RowsWithinBatch({4, kNoRow, 0, 1, 2}), 4u);
    EXPECT_EQ(store.row_bytes_max(), kFixed + (20 << 20));
    EXPECT_EQ(store.RowBytes(kNoRow), kFixed);
  }
}

}  // namespace
}  // namespace millrace
