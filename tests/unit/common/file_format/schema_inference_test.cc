#include "common/file_format/schema_inference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "arrow/api.h"
#include "arrow/io/file.h"
#include "common/storage/file_listing.h"
#include "common/storage/local_file_system.h"
#include "parquet/arrow/writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace millrace {
namespace {

class SchemaInferenceTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> Infer(OptionMap options) {
    MR_ASSIGN_OR_RETURN(const FileOptions parsed, ParseFileOptions(options));
    MR_ASSIGN_OR_RETURN(const auto files, ListFiles(file_system_, parsed.path));
    MR_ASSIGN_OR_RETURN(const Schema schema, InferFileSchema(file_system_, files, parsed));
    return absl::StrJoin(schema, ", ", [](std::string* out, const Field& field) {
      absl::StrAppend(out, field.name, " ", TypeName(field.type));
    });
  }
  std::string InferCsv(const std::string& csv, OptionMap options = {}) {
    options["path"] = folder_.Write("t.csv", csv);
    const auto schema = Infer(options);
    EXPECT_TRUE(schema.ok()) << schema.status();
    return *schema;
  }
  std::string InferJson(const std::string& json) {
    const auto schema = Infer({{"path", folder_.Write("t.json", json)}});
    EXPECT_TRUE(schema.ok()) << schema.status();
    return *schema;
  }

  TempFolder folder_;
  LocalFileSystem file_system_;
};

TEST_F(SchemaInferenceTest, CsvTypesFollowTheValues) {
  EXPECT_EQ(InferCsv("id,price,ok,day,ts,tz,name,none\n"
                     "1,1.5,true,2024-01-02,2024-01-02 03:04:05,2024-01-02T03:04:05Z,x,\n"
                     "-7,2,FALSE,2024-02-29,2024-01-02,2024-01-02 00:00:00+02,1,\n"
                     ",,,,,,,\n"),
            "id bigint, price double precision, ok boolean, day date, "
            "ts timestamp without time zone, tz timestamp with time zone, name text, none text");
}

TEST_F(SchemaInferenceTest, CsvValuesThatDoNotAgreeAreText) {
  EXPECT_EQ(InferCsv("a,b,c\n1,true,2024-01-02\nx,1,5\n"), "a text, b text, c text");
  EXPECT_EQ(InferCsv("a,b\n99999999999999999999,2024-13-01\n"), "a double precision, b text");
}

TEST_F(SchemaInferenceTest, CsvNullStringsSayNothing) {
  EXPECT_EQ(InferCsv("a\n1\nNA\n", {{"null", "NA"}}), "a bigint");
  EXPECT_EQ(InferCsv("a\n1\nNA\n"), "a text");
}

TEST_F(SchemaInferenceTest, CsvHeaderIsFoundByItsLook) {
  EXPECT_EQ(InferCsv("1,x\n2,y\n"), "column1 bigint, column2 text");
  EXPECT_EQ(InferCsv("a,b\nx,y\n"), "a text, b text");
  EXPECT_EQ(InferCsv("a,b\nx,y\n", {{"header", "false"}}), "column1 text, column2 text");
  EXPECT_EQ(InferCsv("2023,2024\n1,2\n", {{"header", "true"}}), "2023 bigint, 2024 bigint");
  EXPECT_EQ(InferCsv("a, a ,\"b \"\"c\"\"\",d\n1,2,3,4\n"),
            "a bigint, a_1 bigint, b \"c\" bigint, d bigint");
  EXPECT_EQ(InferCsv("\xEF\xBB\xBFid,name\r\n1,x\r\n"), "id bigint, name text");
}

TEST_F(SchemaInferenceTest, EmptyInputHasNoColumns) {
  EXPECT_EQ(InferCsv(""), "");
  EXPECT_EQ(*Infer({{"path", folder_.Path("none/")}, {"format", "parquet"}}), "");
  EXPECT_EQ(*Infer({{"path", folder_.Path("none/*.csv")}}), "");
  EXPECT_ERROR(Infer({{"path", folder_.Path("none.csv")}}), SqlState::kUndefinedFile, "none.csv");
}

TEST_F(SchemaInferenceTest, JsonKeysComeInOrderOfAppearance) {
  EXPECT_EQ(InferJson("{\"id\":1,\"x\":null,\"ts\":\"2024-01-02T03:04:05\"}\n"
                      "{\"id\":2,\"price\":1,\"ok\":true,\"tags\":[1],\"nr\":\"007\"}\n"
                      "\n"
                      "{\"price\":1.5,\"big\":18446744073709551615}"),
            "id bigint, x text, ts timestamp without time zone, price double precision, "
            "ok boolean, tags text, nr text, big double precision");
  EXPECT_ERROR(Infer({{"path", folder_.Write("t.json", "{\"a\":1}\n[1]\n")}}),
               SqlState::kInvalidTextRepresentation, "t.json line 2");
}

TEST_F(SchemaInferenceTest, ParquetBringsItsSchema) {
  const auto schema = arrow::schema(
      {arrow::field("a", arrow::int32()), arrow::field("B", arrow::large_utf8()),
       arrow::field("n", arrow::decimal128(12, 2)), arrow::field("u", arrow::uint32())});
  const std::string path = folder_.Path("t.parquet");
  const auto output = *arrow::io::FileOutputStream::Open(path);
  const auto table = *arrow::Table::MakeEmpty(schema);
  ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), output).ok());
  ASSERT_TRUE(output->Close().ok());
  EXPECT_EQ(*Infer({{"path", path}}), "a integer, B text, n numeric(12,2), u bigint");
  folder_.Write("bad.parquet", "x");
  EXPECT_ERROR(Infer({{"path", folder_.Path("bad.parquet")}}), SqlState::kDataCorrupted,
               "bad.parquet");
}

}  // namespace
}  // namespace millrace
