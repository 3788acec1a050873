#include "common/file_format/split_enumeration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/storage/file_listing.h"
#include "common/storage/local_file_system.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/split.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// "path[begin,end)" and "path[group+groups]".
std::vector<std::string> AsText(const std::vector<v1::Split>& splits) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < splits.size(); ++i) {
    EXPECT_EQ(splits[i].id(), i);
    const v1::FileSplit& file = splits[i].file();
    texts.push_back(
        file.format() == "parquet"
            ? absl::StrCat(file.path(), "[", file.first_row_group(), "+", file.num_row_groups(),
                           "]")
            : absl::StrCat(file.path(), "[", file.begin_byte(), ",", file.end_byte(), ")"));
  }
  return texts;
}

FileLayout TextFile(const std::string& path, uint64_t size, bool may_cut = true) {
  return FileLayout{FileInfo{path, size, 77}, may_cut, {}};
}

TEST(SplitEnumerationTest, CutsTextFilesIntoRanges) {
  FileOptions options;
  options.split_bytes = 10;
  const auto splits =
      MakeFileSplits({TextFile("a", 25), TextFile("b", 10), TextFile("c", 11, false)}, options,
                     SplitMode::kRanges);
  EXPECT_THAT(AsText(splits), ElementsAre("a[0,10)", "a[10,20)", "a[20,25)", "b[0,10)", "c[0,0)"));
  EXPECT_EQ(splits[0].file().size_bytes(), 25U);
  EXPECT_EQ(splits[0].file().mtime_micros(), 77);
}

TEST(SplitEnumerationTest, EventTimeScansTakeWholeFiles) {
  FileOptions options;
  options.split_bytes = 10;
  EXPECT_THAT(AsText(MakeFileSplits({TextFile("a", 25)}, options, SplitMode::kWholeFiles)),
              ElementsAre("a[0,0)"));
  options.format = FileFormat::kParquet;
  const FileLayout parquet{FileInfo{"p", 1, 1}, true, {1 << 20, 1 << 20, 5}};
  EXPECT_THAT(AsText(MakeFileSplits({parquet}, options, SplitMode::kWholeFiles)),
              ElementsAre("p[0+3]"));
}

TEST(SplitEnumerationTest, SmallRowGroupsShareASplit) {
  FileOptions options;
  options.format = FileFormat::kParquet;
  const FileLayout parquet{
      FileInfo{"p", 1, 1}, true, {122'880, 122'880, 122'880, 1'000'000, 1'000'000, 3}};
  EXPECT_THAT(AsText(MakeFileSplits({parquet}, options, SplitMode::kRanges)),
              ElementsAre("p[0+2]", "p[2+1]", "p[3+1]", "p[4+1]", "p[5+1]"));
  EXPECT_TRUE(MakeFileSplits({FileLayout{}}, options, SplitMode::kRanges).empty());
}

class EnumerateTest : public testing::Test {
 protected:
  std::vector<std::string> Enumerate(const OptionMap& options) {
    const auto parsed = ParseFileOptions(options);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    const auto files = ListFiles(file_system_, parsed->path);
    const auto splits = EnumerateFileSplits(file_system_, *files, *parsed, SplitMode::kRanges);
    EXPECT_TRUE(splits.ok()) << splits.status();
    std::vector<std::string> texts = AsText(*splits);
    for (std::string& text : texts) text = text.substr(folder_.path().size() + 1);
    return texts;
  }

  TempFolder folder_;
  LocalFileSystem file_system_;
};

TEST_F(EnumerateTest, LooksAtTextFilesBeforeItCutsThem) {
  folder_.Write("a.csv", "1,2\n3,4\n5,6\n");
  folder_.Write("b.csv", "1,\"x\ny\"\n3,4\n");
  folder_.Write("c.csv", "1,\"xy\"\n3,4\n");
  folder_.Write("d.csv.gz", "not looked at");
  folder_.Write("e.csv", "");
  EXPECT_THAT(Enumerate({{"path", folder_.Path("*")}, {"format", "csv"}, {"split_size", "8"}}),
              ElementsAre("a.csv[0,8)", "a.csv[8,12)", "b.csv[0,0)", "c.csv[0,8)", "c.csv[8,11)",
                          "d.csv.gz[0,0)"));
  EXPECT_THAT(
      Enumerate({{"path", folder_.Path("a.csv")}, {"split_size", "8"}, {"multiline", "on"}}),
      ElementsAre("a.csv[0,0)"));
}

v1::TableSegment* AddSegment(uint64_t rows, v1::TableVersion* version) {
  const auto position = static_cast<uint64_t>(version->segments_size());
  v1::TableSegment* segment = version->add_segments();
  segment->set_path(absl::StrCat("s", position, ".parquet"));
  segment->set_rows(rows);
  segment->set_size_bytes(10 * rows);
  segment->set_begin_position(position);
  segment->set_end_position(position + 1);
  return segment;
}

TEST(TableSplitsTest, CoverEverySegmentToItsEnd) {
  v1::TableVersion version;
  AddSegment(1, &version);
  AddSegment(5 * kParquetRowGroupRows + 1, &version);
  AddSegment(2 * kParquetRowGroupRows, &version);
  std::vector<std::string> found;
  for (const v1::Split& split : MakeTableSplits("/d", version)) {
    EXPECT_EQ(split.id(), found.size());
    EXPECT_TRUE(split.file().immutable());
    found.push_back(absl::StrCat(split.file().path(), "[", split.file().first_row_group(), "+",
                                 split.file().num_row_groups(), ")"));
  }
  EXPECT_THAT(found, ElementsAre("/d/s0.parquet[0+0)", "/d/s1.parquet[0+2)", "/d/s1.parquet[2+2)",
                                 "/d/s1.parquet[4+0)", "/d/s2.parquet[0+0)"));
  EXPECT_THAT(MakeTableSplits("/d", v1::TableVersion()), IsEmpty());
}

TEST(TableSplitsTest, ALogIsReadFromItsPosition) {
  v1::TableVersion version;
  AddSegment(3, &version)->set_end_position(7);
  version.mutable_segments(0)->set_begin_position(0);
  AddSegment(1, &version)->set_begin_position(7);
  version.mutable_segments(1)->set_end_position(8);
  EXPECT_EQ(MakeTableSplits("/d", version, 0).size(), 2);
  const std::vector<v1::Split> splits = MakeTableSplits("/d", version, 7);
  ASSERT_EQ(splits.size(), 1);
  EXPECT_EQ(splits[0].file().path(), "/d/s1.parquet");
  EXPECT_THAT(MakeTableSplits("/d", version, 8), IsEmpty());
}

TEST(DatagenSplitsTest, CoverAllRowsOnce) {
  DatagenOptions options;
  for (const uint64_t rows : {uint64_t{0}, uint64_t{1}, uint64_t{9}, uint64_t{1'000'000}}) {
    options.rows = rows;
    for (const SplitMode mode : {SplitMode::kRanges, SplitMode::kWholeFiles}) {
      uint64_t next = 0;
      for (const v1::Split& split : MakeDatagenSplits(options, mode)) {
        EXPECT_EQ(split.datagen().begin_row(), next);
        EXPECT_GT(split.datagen().end_row(), next);
        next = split.datagen().end_row();
      }
      EXPECT_EQ(next, rows);
    }
    EXPECT_LE(MakeDatagenSplits(options, SplitMode::kWholeFiles).size(), 8U);
  }
  options.rows.reset();
  EXPECT_EQ(MakeDatagenSplits(options, SplitMode::kRanges).size(), 1U);
}

}  // namespace
}  // namespace millrace
