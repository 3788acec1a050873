#include "worker/connectors/file/file_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arrow/api.h"
#include "tests/support/sink_contract.h"
#include "tests/unit/worker/connectors/file/scan_fixture.h"
#include "worker/connectors/file/column_builder.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// A batch from texts, one string vector a row; "NULL" is NULL.
Batch BatchOf(const Schema& schema, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::shared_ptr<arrow::Array>> columns;
  for (size_t column = 0; column < schema.size(); ++column) {
    const auto builder = *ColumnBuilder::Create(schema[column].type);
    for (const auto& row : rows) {
      EXPECT_TRUE(builder->Reserve(1, static_cast<int64_t>(row[column].size())).ok());
      if (row[column] == "NULL") {
        builder->AppendNull();
      } else {
        EXPECT_TRUE(builder->AppendText(row[column])) << row[column];
      }
    }
    columns.push_back(*builder->Finish());
  }
  return Batch(std::move(columns), static_cast<int64_t>(rows.size()));
}

class FileSinkTest : public ScanFixture {
 protected:
  static Schema IdAndName() {
    return {{"id", SqlType::Of(TypeId::kInt64)}, {"name", SqlType::Of(TypeId::kText)}};
  }
  std::unique_ptr<Sink> MakeSink(const OptionMap& options, const Schema& columns,
                                 uint32_t task_index = 0) {
    v1::FileSinkNode node;
    node.set_object_id(5);
    node.mutable_options()->insert(options.begin(), options.end());
    for (const Field& field : columns) ToProto(field, node.add_columns());
    auto sink = CreateSink(node, SinkTask{{"c0ffee00", 7}, 2, task_index}, file_system_);
    EXPECT_TRUE(sink.ok()) << sink.status();
    return *std::move(sink);
  }
  // Writes, prepares and commits; returns the final paths.
  std::vector<std::string> WriteFiles(const OptionMap& options, const Schema& columns,
                                      const std::vector<Batch>& batches) {
    const auto sink = MakeSink(options, columns);
    EXPECT_TRUE(WriteAll(*sink, batches).ok());
    const auto staged = sink->Prepare(0);
    EXPECT_TRUE(staged.ok()) << staged.status();
    EXPECT_TRUE(CommitStagedFiles(file_system_, *staged).ok());
    std::vector<std::string> paths;
    for (const v1::StagedFile& file : *staged) paths.push_back(file.final_path());
    return paths;
  }
};

TEST_F(FileSinkTest, WritesCsvAsPostgreSqlWould) {
  const Schema schema = {{"id", Type(TypeId::kInt64)},
                         {"a b", Type(TypeId::kText)},
                         {"ok", Type(TypeId::kBoolean)},
                         {"n", SqlType::Numeric(5, 2)},
                         {"ts", Type(TypeId::kTimestamp)}};
  const auto paths = WriteFiles({{"path", folder_.path()}, {"format", "csv"}}, schema,
                                {BatchOf(schema, {{"1", "plain", "true", "1.5", "2024-01-02"},
                                                  {"NULL", "", "false", "NULL", "NULL"},
                                                  {"3", "a,\"b\"\nc", "NULL", "-2", "NULL"}})});
  ASSERT_THAT(paths, ElementsAre(folder_.Path("part-c0ffee00-7-5-0-0-0.csv")));
  EXPECT_EQ(TempFolder::Read(paths[0]),
            "id,a b,ok,n,ts\n"
            "1,plain,t,1.50,2024-01-02 00:00:00\n"
            ",\"\",f,,\n"
            "3,\"a,\"\"b\"\"\nc\",,-2.00,\n");
}

TEST_F(FileSinkTest, WritesJsonLines) {
  const Schema schema = {{"id", Type(TypeId::kInt32)},
                         {"t", Type(TypeId::kText)},
                         {"b", Type(TypeId::kBoolean)},
                         {"f", Type(TypeId::kFloat64)},
                         {"ts", Type(TypeId::kTimestamp)}};
  const auto paths =
      WriteFiles({{"path", folder_.path()}, {"format", "json"}}, schema,
                 {BatchOf(schema, {{"1", "a\"\\\n\x01", "true", "1.5", "2024-01-02 03:04:05"},
                                   {"NULL", "NULL", "NULL", "NaN", "NULL"}})});
  EXPECT_EQ(TempFolder::Read(paths[0]),
            "{\"id\":1,\"t\":\"a\\\"\\\\\\n\\u0001\",\"b\":true,\"f\":1.5,"
            "\"ts\":\"2024-01-02T03:04:05\"}\n"
            "{\"id\":null,\"t\":null,\"b\":null,\"f\":\"NaN\",\"ts\":null}\n");
}

TEST_F(FileSinkTest, EveryFormatReadsBackAsWritten) {
  const Schema schema = {{"b", Type(TypeId::kBoolean)},    {"i", Type(TypeId::kInt32)},
                         {"f", Type(TypeId::kFloat64)},    {"n", SqlType::Numeric(12, 2)},
                         {"w", SqlType::Numeric(0, 16)},   {"t", Type(TypeId::kText)},
                         {"y", Type(TypeId::kBytea)},      {"u", Type(TypeId::kUuid)},
                         {"d", Type(TypeId::kDate)},       {"h", Type(TypeId::kTime)},
                         {"ts", Type(TypeId::kTimestamp)}, {"tz", Type(TypeId::kTimestampTz)},
                         {"v", Type(TypeId::kInterval)}};
  const Batch batch =
      BatchOf(schema, {{"true", "-1", "0.1", "12.34", "99999999999999999999.5", "x", "\\x00ff",
                        "123e4567-e89b-12d3-a456-426614174000", "1969-12-31", "23:59:59.999999",
                        "0001-01-01 00:00:00", "2024-02-29 12:00:00+05", "1 year 2 days 03:00:00"},
                       std::vector<std::string>(13, "NULL")});
  for (const OptionMap& extra :
       {OptionMap{{"format", "csv"}}, OptionMap{{"format", "json"}},
        OptionMap{{"format", "parquet"}}, OptionMap{{"format", "csv"}, {"compression", "gzip"}},
        OptionMap{{"format", "json"}, {"compression", "zstd"}},
        OptionMap{{"format", "parquet"}, {"compression", "zstd"}}}) {
    SCOPED_TRACE(testing::PrintToString(extra));
    const TempFolder folder;
    OptionMap options = extra;
    options["path"] = folder.path();
    WriteFiles(options, schema, {batch});
    const auto rows = Read(Scan{options, schema, {}, nullptr});
    ASSERT_OK(rows);
    EXPECT_EQ(*rows, RowsAsText(batch, schema));
  }
}

TEST_F(FileSinkTest, DictionariesAreWrittenAsText) {
  arrow::StringDictionary32Builder builder;
  for (const char* value : {"a", "b", "a"}) ASSERT_TRUE(builder.Append(value).ok());
  const Batch batch({*builder.Finish()}, 3);
  const Schema schema = {{"t", Type(TypeId::kText)}};
  for (const char* format : {"csv", "parquet"}) {
    const TempFolder folder;
    const OptionMap options = {{"path", folder.path()}, {"format", format}};
    WriteFiles(options, schema, {batch});
    EXPECT_THAT(*Read(Scan{options, schema, {}, nullptr}), ElementsAre("a", "b", "a"));
  }
}

TEST_F(FileSinkTest, BeginsNewFilesAfterRowsPerFile) {
  const Schema schema = {{"id", Type(TypeId::kInt64)}};
  const Batch batch = BatchOf(schema, {{"1"}, {"2"}, {"3"}, {"4"}, {"5"}});
  const OptionMap options = {{"path", folder_.path()}, {"format", "csv"}, {"rows_per_file", "2"}};
  EXPECT_THAT(WriteFiles(options, schema, {batch}), SizeIs(3));
  EXPECT_THAT(*Read(Scan{options, schema, {}, nullptr}), ElementsAre("1", "2", "3", "4", "5"));
}

TEST_F(FileSinkTest, NamesAreFixedByClusterJobSinkTaskAndEpoch) {
  const Schema schema = {{"id", Type(TypeId::kInt64)}};
  const auto sink = MakeSink({{"path", folder_.path()}, {"format", "csv"}}, schema, 3);
  ASSERT_OK(sink->Open());
  for (const uint64_t epoch : {11, 12}) {
    ASSERT_OK(sink->Write(BatchOf(schema, {{"1"}})));
    const auto staged = sink->Prepare(epoch);
    ASSERT_OK(staged);
    ASSERT_THAT(*staged, SizeIs(1));
    EXPECT_EQ(staged->front().final_path(),
              folder_.Path(absl::StrCat("part-c0ffee00-7-5-3-", epoch, "-0.csv")));
    EXPECT_EQ(staged->front().rows(), 1U);
    EXPECT_EQ(FileNameOf(staged->front().staged_path()).rfind("_staging-c0ffee00-7-2-", 0), 0U);
  }
  // An epoch without rows has nothing to commit.
  EXPECT_THAT(*sink->Prepare(13), IsEmpty());
}

TEST_F(FileSinkTest, SingleFileIsReplacedAsAWholeAndExistsWithoutRows) {
  const std::string path = folder_.Write("x.csv", "old");
  const OptionMap options = {{"path", path}};
  const auto sink = MakeSink(options, IdAndName());
  ASSERT_OK(sink->Open());
  const auto staged = sink->Prepare(0);
  ASSERT_OK(staged);
  EXPECT_EQ(TempFolder::Read(path), "old");
  ASSERT_OK(CommitStagedFiles(file_system_, *staged));
  EXPECT_EQ(TempFolder::Read(path), "id,name\n");
  EXPECT_THAT(folder_.Names(), ElementsAre("x.csv"));
}

TEST_F(FileSinkTest, RefusesWhatAFileCannotTake) {
  const Batch rows = BatchOf(IdAndName(), {{"1", "a"}});
  arrow::Int64Builder weights;
  ASSERT_TRUE(weights.Append(-1).ok());
  const auto changing = MakeSink({{"path", folder_.path()}, {"format", "csv"}}, IdAndName());
  ASSERT_OK(changing->Open());
  EXPECT_ERROR(changing->Write(rows.WithWeights(
                   std::static_pointer_cast<arrow::Int64Array>(*weights.Finish()))),
               SqlState::kFeatureNotSupported, "cannot take back rows");
  const auto stream = MakeSink({{"path", folder_.Path("x.csv")}}, IdAndName());
  ASSERT_OK(WriteAll(*stream, {rows}));
  EXPECT_ERROR(stream->Prepare(4), SqlState::kFeatureNotSupported, "stream to a single file");
  EXPECT_ERROR(MakeSink({{"path", folder_.Path("*.csv")}}, IdAndName())->Open(),
               SqlState::kInvalidParameterValue, "pattern");
  EXPECT_ERROR(
      MakeSink({{"path", folder_.Path("x.csv")}, {"rows_per_file", "1"}}, IdAndName())->Open(),
      SqlState::kInvalidParameterValue, "rows_per_file");
}

TEST_F(FileSinkTest, PassesTheSinkContract) {
  for (const auto& [format, compression] :
       {std::pair("csv", "none"), std::pair("csv", "gzip"), std::pair("json", "none"),
        std::pair("json", "zstd"), std::pair("parquet", "zstd")}) {
    SCOPED_TRACE(format);
    SinkContract contract;
    contract.make = [&, sink_format = format, sink_compression = compression](
                        FileSystem& file_system, const std::string& folder) {
      v1::FileSinkNode node;
      node.mutable_options()->insert({{"path", folder},
                                      {"format", sink_format},
                                      {"compression", sink_compression},
                                      {"rows_per_file", "2"}});
      for (const Field& field : IdAndName()) ToProto(field, node.add_columns());
      return *CreateSink(node, SinkTask{{"", 1}, 1, 0}, file_system);
    };
    contract.batches = {BatchOf(IdAndName(), {{"1", "a"}, {"2", "b"}, {"3", "NULL"}})};
    CheckSinkContract(contract);
  }
}

TEST_F(FileSinkTest, ClustersWriteIntoOneFolderAtTheSameMoment) {
  const Schema schema = {{"id", SqlType::Of(TypeId::kInt64)}};
  v1::FileSinkNode node;
  node.set_object_id(5);
  node.mutable_options()->insert({{"path", folder_.path()}, {"format", "csv"}});
  ToProto(schema[0], node.add_columns());
  std::vector<std::unique_ptr<Sink>> sinks;
  for (const char* cluster : {"a", "b"}) {
    sinks.push_back(*CreateSink(node, SinkTask{{cluster, 7}, 1, 0}, file_system_));
    ASSERT_OK(
        WriteAll(*sinks.back(), {BatchOf(schema, {{cluster == std::string("a") ? "0" : "1"}})}));
  }
  for (const auto& sink : sinks) {
    const auto staged = sink->Prepare(0);
    ASSERT_OK(staged);
    ASSERT_OK(CommitStagedFiles(file_system_, *staged));
  }
  EXPECT_EQ(TempFolder::Read(folder_.Path("part-a-7-5-0-0-0.csv")), "id\n0\n");
  EXPECT_EQ(TempFolder::Read(folder_.Path("part-b-7-5-0-0-0.csv")), "id\n1\n");
}

// Nobody looks at a segment before a version names it, so nothing has to be renamed.
TEST_F(FileSinkTest, TableSinkPreparesDurableSegmentsThatReadBack) {
  SinkContract contract;
  contract.make = [&](FileSystem& file_system, const std::string& folder) {
    v1::TableSinkNode node;
    node.set_object_id(9);
    node.set_staging_path(folder);
    for (const Field& field : IdAndName()) ToProto(field, node.add_columns());
    return *CreateTableSink(node, SinkTask{{"", 1}, 1, 0}, file_system);
  };
  contract.batches = {BatchOf(IdAndName(), {{"1", "a"}, {"2", "NULL"}})};
  CheckAbort(contract);
  CheckFailures(contract);

  RecordingFileSystem recorder(file_system_);
  const auto sink = contract.make(recorder, folder_.path());
  ASSERT_OK(WriteAll(*sink, contract.batches));
  const auto staged = sink->Prepare(0);
  ASSERT_OK(staged);
  ASSERT_EQ(staged->size(), 1);
  const std::string path = staged->front().final_path();
  EXPECT_EQ(staged->front().staged_path(), path);
  EXPECT_GT(recorder.Find(absl::StrCat("sync ", path)),
            recorder.FindLast(absl::StrCat("write ", path)));
  EXPECT_THAT(recorder.calls().back(), testing::StartsWith("sync-folder "));
  v1::ScanNode scan;
  scan.set_connector("table");
  for (const Field& field : IdAndName()) ToProto(field, scan.add_columns());
  scan.add_projection(0);
  scan.add_projection(1);
  v1::Split split;
  split.mutable_file()->set_path(staged->front().final_path());
  EXPECT_THAT(*ReadSplit(**CreateSource(scan, file_system_), split, IdAndName()),
              ElementsAre("1|a", "2|NULL"));
}

TEST_F(FileSinkTest, BlackholeTakesEverything) {
  const auto sink = MakeSink({{"connector", "blackhole"}}, IdAndName());
  ASSERT_OK(WriteAll(*sink, {BatchOf(IdAndName(), {{"1", "a"}})}));
  EXPECT_THAT(*sink->Prepare(0), IsEmpty());
  EXPECT_TRUE(sink->Close().ok());
}

}  // namespace
}  // namespace millrace
