#include "coordinator/statistics/source_statistics.h"

#include "arrow/array/builder_primitive.h"
#include "arrow/io/file.h"
#include "arrow/table.h"
#include "gtest/gtest.h"
#include "millrace/v1/catalog.pb.h"
#include "parquet/arrow/writer.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

class SourceStatisticsTest : public ::testing::Test {
 protected:
  // A column `k` with the values begin … end − 1, in row groups of ten.
  void WriteParquet(const std::string& name, int64_t begin, int64_t end) {
    arrow::Int64Builder builder;
    for (int64_t value = begin; value < end; ++value) ASSERT_TRUE(builder.Append(value).ok());
    const auto schema = arrow::schema({arrow::field("k", arrow::int64())});
    const auto table = arrow::Table::Make(schema, {builder.Finish().ValueOrDie()});
    const auto file = arrow::io::FileOutputStream::Open(folder_.Path(name)).ValueOrDie();
    ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), file, 10).ok());
    ASSERT_TRUE(file->Close().ok());
  }

  v1::CatalogObject Source(const std::string& path) {
    v1::CatalogObject object;
    object.set_kind(v1::OBJECT_KIND_SOURCE);
    object.set_connector("file");
    (*object.mutable_options())["path"] = folder_.Path(path);
    v1::Field* column = object.add_columns();
    column->set_name("k");
    column->mutable_type()->set_id(v1::TYPE_ID_INT64);
    return object;
  }

  SourceStatistics Statistics(const std::string& allowed) {
    FileSystem& file_system = **FileSystemOf(allowed);
    return SourceStatistics(PathPolicy::Create(file_system, {allowed}, {}).value(), folder_.path());
  }

  const TempFolder folder_;
};

TEST_F(SourceStatisticsTest, FootersTellRowsAndRanges) {
  WriteParquet("a.parquet", 0, 25);
  WriteParquet("b.parquet", 100, 130);
  SourceStatistics statistics = Statistics(folder_.path());
  const TableStatistics found = statistics.Of(Source("*.parquet"));
  EXPECT_EQ(found.rows, 55u);
  EXPECT_EQ(found.distinct_max, (std::map<int, uint64_t>{{0, 130}}));
}

TEST_F(SourceStatisticsTest, AChangedFileIsReadAgain) {
  WriteParquet("a.parquet", 0, 25);
  SourceStatistics statistics = Statistics(folder_.path());
  EXPECT_EQ(statistics.Of(Source("a.parquet")).rows, 25u);
  WriteParquet("a.parquet", 0, 2500);
  EXPECT_EQ(statistics.Of(Source("a.parquet")).rows, 2500u);
}

TEST_F(SourceStatisticsTest, TextFilesAreGuessedFromTheirSize) {
  folder_.Write("a.csv", std::string(80000, '1'));
  SourceStatistics statistics = Statistics(folder_.path());
  const TableStatistics found = statistics.Of(Source("a.csv"));
  ASSERT_TRUE(found.rows.has_value());
  EXPECT_GT(*found.rows, 5000u);
  EXPECT_LT(*found.rows, 20000u);
}

TEST_F(SourceStatisticsTest, WhatCannotBeReadIsUnknown) {
  folder_.Write("a.parquet", "not parquet");
  SourceStatistics statistics = Statistics(folder_.path());
  EXPECT_FALSE(statistics.Of(Source("a.parquet")).rows.has_value());
  EXPECT_FALSE(statistics.Of(Source("missing.parquet")).rows.has_value());
}

TEST_F(SourceStatisticsTest, FilesOutsideTheAllowedFoldersAreNotLookedAt) {
  WriteParquet("a.parquet", 0, 25);
  folder_.Write("inside/b.csv", "");
  SourceStatistics statistics = Statistics(folder_.Path("inside"));
  EXPECT_NE(statistics.Of(Source("a.parquet")).rows, 25u);
}

TEST_F(SourceStatisticsTest, TablesCountTheirSegments) {
  WriteParquet("one.parquet", 0, 25);
  v1::CatalogObject table = Source("");
  table.set_kind(v1::OBJECT_KIND_TABLE);
  v1::TableSegment* segment = table.mutable_table_version()->add_segments();
  segment->set_path("one.parquet");
  segment->set_rows(25);
  SourceStatistics statistics = Statistics(folder_.path());
  EXPECT_EQ(statistics.Of(table).rows, 25u);
  EXPECT_EQ(statistics.Of(table).distinct_max.at(0), 25u);
  // A segment that cannot be read leaves its rows, but no ranges.
  table.mutable_table_version()->add_segments()->set_rows(5);
  EXPECT_EQ(statistics.Of(table).rows, 30u);
  EXPECT_TRUE(statistics.Of(table).distinct_max.empty());
}

}  // namespace
}  // namespace millrace
