#include "coordinator/catalog/compaction.h"

#include <vector>

#include "coordinator/catalog/catalog.h"
#include "gtest/gtest.h"
#include "millrace/v1/catalog.pb.h"

namespace millrace {
namespace {

v1::TableVersion VersionOf(const std::vector<uint64_t>& rows) {
  std::vector<v1::TableSegment> segments;
  for (const uint64_t count : rows) segments.emplace_back().set_rows(count);
  v1::TableVersion version;
  AddSegments(segments, &version);
  return version;
}

std::string Chosen(const v1::TableVersion& version, uint64_t read_everywhere = UINT64_MAX) {
  const auto range = ChooseCompaction(version, read_everywhere);
  if (!range.has_value()) return "nothing";
  return std::to_string(range->first) + "+" + std::to_string(range->count);
}

TEST(CompactionTest, FewSegmentsStayAsTheyAre) {
  EXPECT_EQ(Chosen(VersionOf({})), "nothing");
  EXPECT_EQ(Chosen(VersionOf({1})), "nothing");
  EXPECT_EQ(Chosen(VersionOf(std::vector<uint64_t>(31, 1))), "nothing");
}

TEST(CompactionTest, ManySmallOnesBecomeOne) {
  EXPECT_EQ(Chosen(VersionOf(std::vector<uint64_t>(32, 1))), "0+32");
  std::vector<uint64_t> rows(40, 5);
  rows[7] = 700;
  EXPECT_EQ(Chosen(VersionOf(rows)), "0+40");
}

TEST(CompactionTest, ALargeOneIsNotWrittenAgainForSmallOnes) {
  std::vector<uint64_t> rows(33, 1);
  rows[0] = 1'000'000;
  EXPECT_EQ(Chosen(VersionOf(rows)), "1+32");
}

TEST(CompactionTest, SegmentsDoNotGrowBeyondTheirLimit) {
  EXPECT_EQ(Chosen(VersionOf(std::vector<uint64_t>(64, kSegmentRowsMax / 40))), "24+40");
  EXPECT_EQ(Chosen(VersionOf(std::vector<uint64_t>(64, kSegmentRowsMax))), "nothing");
}

TEST(CompactionTest, WhatSomeReaderLacksIsLeftAlone) {
  const v1::TableVersion version = VersionOf(std::vector<uint64_t>(64, 1));
  EXPECT_EQ(Chosen(version, 0), "nothing");
  EXPECT_EQ(Chosen(version, 31), "nothing");
  EXPECT_EQ(Chosen(version, 40), "0+40");
}

// A table of n single rows that is compacted whenever it should be: few segments, and each row is
// written again only some times.
TEST(CompactionTest, CostsGrowSlowly) {
  constexpr int kRows = 100'000;
  v1::TableVersion version;
  uint64_t rewritten = 0;
  int most = 0;
  for (int i = 0; i < kRows; ++i) {
    v1::TableSegment segment;
    segment.set_rows(1);
    AddSegments({segment}, &version);
    if (const auto range = ChooseCompaction(version, UINT64_MAX)) {
      v1::TableVersion next;
      for (int s = 0; s < range->first; ++s) *next.add_segments() = version.segments(s);
      v1::TableSegment* merged = next.add_segments();
      uint64_t rows = 0;
      for (int s = range->first; s < version.segments_size(); ++s)
        rows += version.segments(s).rows();
      merged->set_rows(rows);
      merged->set_begin_position(version.segments(range->first).begin_position());
      merged->set_end_position(EndPosition(version));
      rewritten += rows;
      version = std::move(next);
    }
    most = std::max(most, version.segments_size());
  }
  EXPECT_LT(most, 48);
  EXPECT_LT(rewritten, uint64_t{kRows} * 200);
}

}  // namespace
}  // namespace millrace
