#include "worker/kernels/hash.h"

#include <set>

#include "gtest/gtest.h"
#include "tests/support/operators/text_batch.h"

namespace millrace {
namespace {

std::vector<uint64_t> Hash(const Batch& batch, std::vector<int> columns) {
  std::vector<uint64_t> hashes;
  HashRows(batch, columns, &hashes);
  return hashes;
}

TEST(HashRows, DoesNotDependOnRepresentation) {
  const Schema schema = TextSchema("text v, int4 k");
  const char* rows = "a 1 | b 2 | null 3 | '' 4 | a 1";
  const auto plain = Hash(TextBatch(rows, schema), {0, 1});
  EXPECT_EQ(plain, Hash(TextBatchWithDictionaries(rows, schema), {0, 1}));
  EXPECT_EQ(plain[0], plain[4]);
  EXPECT_EQ(std::set<uint64_t>(plain.begin(), plain.end()).size(), 4u);
  // A slice hashes as the rows that it shows.
  const Batch slice = TextBatchWithDictionaries(rows, schema).Slice(1, 2);
  EXPECT_EQ(Hash(slice, {0, 1}), (std::vector<uint64_t>{plain[1], plain[2]}));
}

TEST(HashRows, IntegersOfAnyWidthAgree) {
  const auto narrow = Hash(TextBatch("-5 | 7 | null", TextSchema("int2 a")), {0});
  EXPECT_EQ(narrow, Hash(TextBatch("-5 | 7 | null", TextSchema("int4 a")), {0}));
  EXPECT_EQ(narrow, Hash(TextBatch("-5 | 7 | null", TextSchema("int8 a")), {0}));
}

TEST(HashRows, FloatsByValue) {
  const auto hashes = Hash(TextBatch("0 | -0 | nan | -nan", TextSchema("float8 a")), {0});
  EXPECT_EQ(hashes[0], hashes[1]);
  EXPECT_EQ(hashes[2], hashes[3]);
  EXPECT_NE(hashes[0], hashes[2]);
}

TEST(HashRows, OrderOfColumnsMatters) {
  const Batch batch = TextBatch("1 2 | 2 1", TextSchema("int8 a, int8 b"));
  const auto hashes = Hash(batch, {0, 1});
  EXPECT_NE(hashes[0], hashes[1]);
  EXPECT_EQ(hashes[0], Hash(batch, {1, 0})[1]);
}

// The numbers on disk: they must never change under one version.
TEST(HashRows, VersionOneIsFixed) {
  const Batch batch =
      TextBatch("42 millrace 1.5 | null null null", TextSchema("int8 a, text b, float8 c"));
  EXPECT_EQ(kHashVersion, 1u);
  EXPECT_EQ(Hash(batch, {0})[0], 5177257227441060291u);
  EXPECT_EQ(Hash(batch, {1})[0], 17977392411532222144u);
  EXPECT_EQ(Hash(batch, {0, 1, 2})[0], 15199699025900897981u);
  EXPECT_EQ(Hash(batch, {0, 1, 2})[1], 15046307271646175770u);
}

TEST(PartitionOf, CoversAllPartitionsEvenly) {
  std::vector<int> counts(7, 0);
  for (uint64_t i = 0; i < 70000; ++i) ++counts[PartitionOf(FirstHash(i), 7)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

}  // namespace
}  // namespace millrace
