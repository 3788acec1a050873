#include "worker/connectors/file/parquet_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "arrow/api.h"
#include "arrow/io/file.h"
#include "common/types/text_parse.h"
#include "parquet/arrow/writer.h"
#include "tests/unit/worker/connectors/file/scan_fixture.h"
#include "worker/connectors/file/file_scan.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ParquetSourceTest : public ScanFixture {
 protected:
  // A file with one column for each array, and `row_group_rows` rows in each row group.
  std::string WriteFile(
      const std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>>& columns,
      int64_t row_group_rows = 1000) {
    arrow::FieldVector fields;
    arrow::ArrayVector arrays;
    for (const auto& [name, array] : columns) {
      fields.push_back(arrow::field(name, array->type()));
      arrays.push_back(array);
    }
    const std::string path = folder_.Path("t.parquet");
    const auto output = *arrow::io::FileOutputStream::Open(path);
    const auto table = arrow::Table::Make(arrow::schema(fields), arrays);
    const auto properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
    const arrow::Status status =
        parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), output, row_group_rows,
                                   parquet::default_writer_properties(), properties);
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_TRUE(output->Close().ok());
    return path;
  }
  template <typename Builder, typename T>
  static std::shared_ptr<arrow::Array> ArrayOf(const std::shared_ptr<arrow::DataType>& type,
                                               const std::vector<T>& values,
                                               bool with_null = false) {
    Builder builder(type, arrow::default_memory_pool());
    for (const T& value : values) EXPECT_TRUE(builder.Append(value).ok());
    if (with_null) {
      EXPECT_TRUE(builder.AppendNull().ok());
    }
    return *builder.Finish();
  }
  static std::shared_ptr<arrow::Array> Int64s(int64_t begin, int64_t end) {
    std::vector<int64_t> values;
    for (int64_t i = begin; i < end; ++i) values.push_back(i);
    return ArrayOf<arrow::Int64Builder>(arrow::int64(), values);
  }
  static std::shared_ptr<arrow::Array> Texts(const std::vector<std::string>& values) {
    arrow::StringBuilder builder;
    for (const std::string& value : values) EXPECT_TRUE(builder.Append(value).ok());
    return *builder.Finish();
  }
  Scan TableOf(const Schema& columns) {
    return Scan{{{"path", folder_.Path("t.parquet")}}, columns, {}, nullptr};
  }
  static ExprPtr Compare(const std::string& function, int column, Value constant) {
    auto call = std::make_shared<Expr>();
    call->kind = ExprKind::kCall;
    call->type = SqlType::Of(TypeId::kBoolean);
    call->function = function;
    call->args = {MakeColumn(column, constant.type), MakeLiteral(constant)};
    return call;
  }
};

TEST_F(ParquetSourceTest, ReadsProjectedColumnsByName) {
  WriteFile({{"a", Int64s(0, 3)}, {"B", Texts({"x", "y", "z"})}, {"c", Int64s(10, 13)}});
  Scan scan = TableOf(
      {{"c", Type(TypeId::kInt64)}, {"b", Type(TypeId::kText)}, {"a", Type(TypeId::kInt64)}});
  EXPECT_THAT(*Read(scan), ElementsAre("10|x|0", "11|y|1", "12|z|2"));
  scan.projection = {2, 0};
  EXPECT_THAT(*Read(scan), ElementsAre("0|10", "1|11", "2|12"));
}

TEST_F(ParquetSourceTest, ConvertsWidthsAndUnits) {
  const auto nanos = arrow::timestamp(arrow::TimeUnit::NANO);
  const auto millis = arrow::timestamp(arrow::TimeUnit::MILLI, "Europe/Vienna");
  WriteFile(
      {{"u8", ArrayOf<arrow::UInt8Builder, uint8_t>(arrow::uint8(), {1, 255}, true)},
       {"u64", ArrayOf<arrow::UInt64Builder, uint64_t>(arrow::uint64(), {1, UINT64_MAX}, true)},
       {"i32", ArrayOf<arrow::Int32Builder, int32_t>(arrow::int32(), {-1, 7}, true)},
       {"ns", ArrayOf<arrow::TimestampBuilder, int64_t>(nanos, {1'500, 86'400'000'000'000}, true)},
       {"ms", ArrayOf<arrow::TimestampBuilder, int64_t>(millis, {1, 2'000}, true)},
       {"f", ArrayOf<arrow::FloatBuilder, float>(arrow::float32(), {0.5, -1}, true)}});
  const Scan scan = TableOf({{"u8", Type(TypeId::kInt16)},
                             {"u64", SqlType::Numeric(20, 0)},
                             {"i32", SqlType::Numeric(5, 1)},
                             {"ns", Type(TypeId::kTimestamp)},
                             {"ms", Type(TypeId::kTimestampTz)},
                             {"f", Type(TypeId::kFloat64)}});
  EXPECT_THAT(
      *Read(scan),
      ElementsAre("1|1|-1.0|1970-01-01 00:00:00.000001|1970-01-01 00:00:00.001+00|0.5",
                  "255|18446744073709551615|7.0|1970-01-02 00:00:00|1970-01-01 00:00:02+00|-1",
                  "NULL|NULL|NULL|NULL|NULL|NULL"));
}

TEST_F(ParquetSourceTest, RescalesDecimals) {
  const auto type = arrow::decimal128(10, 3);
  WriteFile({{"n", ArrayOf<arrow::Decimal128Builder, arrow::Decimal128>(
                       type, {arrow::Decimal128(12345), arrow::Decimal128(-2500)}, true)}});
  EXPECT_THAT(*Read(TableOf({{"n", SqlType::Numeric(10, 3)}})),
              ElementsAre("12.345", "-2.500", "NULL"));
  EXPECT_THAT(*Read(TableOf({{"n", SqlType::Numeric(38, 16)}})),
              ElementsAre("12.3450000000000000", "-2.5000000000000000", "NULL"));
  EXPECT_THAT(*Read(TableOf({{"n", SqlType::Numeric(4, 2)}})),
              ElementsAre("12.35", "-2.50", "NULL"));
  EXPECT_ERROR(Read(TableOf({{"n", SqlType::Numeric(1, 0)}})), SqlState::kNumericOutOfRange,
               "column \"n\"");
}

TEST_F(ParquetSourceTest, RangeErrorsAndWrongTypesNameTheColumn) {
  WriteFile({{"a", Int64s(40'000, 40'002)}, {"t", Texts({"abc", "d"})}});
  EXPECT_ERROR(Read(TableOf({{"a", Type(TypeId::kInt16)}})), SqlState::kNumericOutOfRange,
               "column \"a\"");
  EXPECT_ERROR(Read(TableOf({{"t", Type(TypeId::kInt64)}})), SqlState::kDatatypeMismatch,
               "is text, the table declares it as bigint");
  EXPECT_ERROR(Read(TableOf({{"t", SqlType{TypeId::kVarchar, 2, 0}}})),
               SqlState::kStringDataRightTruncation, "character varying(2)");
  const auto missing = Read(TableOf({{"tt", Type(TypeId::kText)}}));
  EXPECT_ERROR(missing, SqlState::kUndefinedColumn, "has no column \"tt\"");
  EXPECT_THAT(GetErrorDetail(missing.status()).hint, HasSubstr("\"t\""));
}

TEST_F(ParquetSourceTest, LowCardinalityTextComesAsDictionary) {
  std::vector<std::string> few;
  std::vector<std::string> many;
  for (int i = 0; i < 20'000; ++i) {
    few.push_back(i % 3 == 0 ? "a" : "b");
    many.push_back(absl::StrCat("value number ", i));
  }
  WriteFile({{"few", Texts(few)}, {"many", Texts(many)}}, 20'000);
  const Scan scan = TableOf({{"few", Type(TypeId::kText)}, {"many", Type(TypeId::kText)}});
  auto source = *MakeSource(scan);
  ASSERT_OK(source->Open(Splits(scan)->front()));
  Batch batch;
  ASSERT_OK(source->Poll(PollBudget(), &batch));
  EXPECT_EQ(batch.column(0)->type()->ToString(),
            "dictionary<values=string, indices=int32, ordered=0>");
  EXPECT_EQ(batch.column(1)->type_id(), arrow::Type::STRING);
  const auto rows = Read(scan);
  ASSERT_EQ(rows->size(), 20'000U);
  EXPECT_EQ((*rows)[19'998], "a|value number 19998");
}

// The dictionary is too large to be copied into every batch of the usual size.
TEST_F(ParquetSourceTest, BatchesShareALargeDictionary) {
  constexpr int kValues = 2'000;
  std::vector<std::string> texts;
  for (int i = 0; i < 10 * kValues; ++i) {
    texts.push_back(absl::StrCat("a value with the number ", i % kValues));
  }
  WriteFile({{"t", Texts(texts)}}, 10 * kValues);
  const Scan scan = TableOf({{"t", Type(TypeId::kText)}});
  auto source = *MakeSource(scan);
  ASSERT_OK(source->Open(Splits(scan)->front()));
  const arrow::ArrayData* dictionary = nullptr;
  int num_batches = 0;
  while (true) {
    Batch batch;
    auto polled = source->Poll(PollBudget(), &batch);
    ASSERT_OK(polled);
    if (*polled == PollResult::kEnd) break;
    EXPECT_LE(batch.num_rows(), kTargetBatchRows);
    ASSERT_EQ(batch.column(0)->type_id(), arrow::Type::DICTIONARY);
    const arrow::ArrayData* own = batch.column(0)->data()->dictionary.get();
    EXPECT_TRUE(dictionary == nullptr || dictionary == own);
    dictionary = own;
    ++num_batches;
  }
  EXPECT_EQ(num_batches, 3);
  EXPECT_EQ((*Read(scan))[19'999], "a value with the number 1999");
}

TEST_F(ParquetSourceTest, ReadsOtherStringLayouts) {
  arrow::LargeStringBuilder large_builder;
  ASSERT_TRUE(large_builder.AppendValues({"l1", "l2"}).ok());
  arrow::StringViewBuilder view_builder;
  ASSERT_TRUE(view_builder.Append("v1").ok());
  ASSERT_TRUE(view_builder.Append("a string that is longer than twelve bytes").ok());
  arrow::StringDictionaryBuilder dictionary_builder;
  ASSERT_TRUE(dictionary_builder.Append("d1").ok());
  ASSERT_TRUE(dictionary_builder.Append("d1").ok());
  WriteFile({{"large", *large_builder.Finish()},
             {"view", *view_builder.Finish()},
             {"dict", *dictionary_builder.Finish()}});
  EXPECT_THAT(*Read(TableOf({{"large", Type(TypeId::kText)},
                             {"view", Type(TypeId::kText)},
                             {"dict", Type(TypeId::kText)}})),
              ElementsAre("l1|v1|d1", "l2|a string that is longer than twelve bytes|d1"));
}

TEST_F(ParquetSourceTest, NestedColumnsAreRefusedOnlyIfRead) {
  arrow::ListBuilder lists(arrow::default_memory_pool(), std::make_shared<arrow::Int64Builder>());
  ASSERT_TRUE(lists.Append().ok());
  WriteFile({{"list", *lists.Finish()}, {"a", Int64s(0, 1)}});
  Scan scan = TableOf({{"list", Type(TypeId::kText)}, {"a", Type(TypeId::kInt64)}});
  EXPECT_ERROR(Read(scan), SqlState::kFeatureNotSupported, "list");
  scan.projection = {1};
  EXPECT_THAT(*Read(scan), ElementsAre("0"));
}

TEST_F(ParquetSourceTest, SkipsRowGroupsThatTheFilterRefutes) {
  WriteFile({{"a", Int64s(0, 100)}}, 10);
  Scan scan = TableOf({{"a", Type(TypeId::kInt64)}});
  scan.filter = Compare("ge(int8,int8)", 0, Value{Type(TypeId::kInt64), int64_t{75}});
  const auto rows = Read(scan);
  ASSERT_OK(rows);
  // The source leaves out whole row groups; the scan operator does the rest.
  EXPECT_EQ(rows->front(), "70");
  EXPECT_EQ(rows->size(), 30U);
  CheckContract(scan);
}

TEST_F(ParquetSourceTest, RowGroupsThatAreSkippedAreAStepOfTheirOwn) {
  WriteFile({{"a", Int64s(0, 100)}}, 10);
  Scan scan = TableOf({{"a", Type(TypeId::kInt64)}});
  scan.filter = Compare("ge(int8,int8)", 0, Value{Type(TypeId::kInt64), int64_t{75}});
  auto source = *MakeSource(scan);
  ASSERT_OK(source->Open(Splits(scan)->front()));
  PollBudget one;
  one.rows_max = 1;
  std::vector<uint64_t> rows;
  for (int i = 0; i < 3; ++i) {
    Batch batch;
    ASSERT_OK(source->Poll(one, &batch));
    rows.push_back(source->Position().rows());
  }
  EXPECT_THAT(rows, ElementsAre(70, 71, 72));
}

TEST_F(ParquetSourceTest, StatisticsRespectUnitsAndNaN) {
  const auto nanos = arrow::timestamp(arrow::TimeUnit::NANO);
  WriteFile({{"ts", ArrayOf<arrow::TimestampBuilder, int64_t>(nanos, {5'000'999, 7'000'000})},
             {"f", ArrayOf<arrow::DoubleBuilder, double>(arrow::float64(), {1.0, NAN})}});
  Scan scan = TableOf({{"ts", Type(TypeId::kTimestamp)}, {"f", Type(TypeId::kFloat64)}});
  const auto rows_with = [&](const std::string& function, int column, Value constant) {
    scan.filter = Compare(function, column, std::move(constant));
    return Read(scan)->size();
  };
  const auto micros = [&](int64_t value) { return Value{Type(TypeId::kTimestamp), value}; };
  EXPECT_EQ(rows_with("eq(timestamp,timestamp)", 0, micros(5'000)), 2U);
  EXPECT_EQ(rows_with("lt(timestamp,timestamp)", 0, micros(5'000)), 0U);
  EXPECT_EQ(rows_with("gt(timestamp,timestamp)", 0, micros(7'000)), 0U);
  const Value five{Type(TypeId::kFloat64), 5.0};
  EXPECT_EQ(rows_with("gt(float8,float8)", 1, five), 2U) << "NaN is greater than all else";
  EXPECT_EQ(rows_with("eq(float8,float8)", 1, five), 0U);
}

TEST_F(ParquetSourceTest, CountsRowsWithoutReading) {
  WriteFile({{"a", Int64s(0, 100)}}, 30);
  v1::ScanNode node;
  node.set_connector("file");
  node.mutable_options()->insert({"path", folder_.Path("t.parquet")});
  ToProto(Field{"a", Type(TypeId::kInt64)}, node.add_columns());
  const Scan scan = TableOf({{"a", Type(TypeId::kInt64)}});
  CheckSourceContract({[&] { return *CreateSource(node, file_system_); }, *Splits(scan), {}});
  auto source = *CreateSource(node, file_system_);
  EXPECT_EQ(ReadSplit(*source, Splits(scan)->front(), {})->size(), 100U);
}

TEST_F(ParquetSourceTest, PassesTheSourceContract) {
  std::vector<std::string> names;
  for (int i = 0; i < 50; ++i) names.push_back(i % 2 == 0 ? "even" : "odd");
  WriteFile({{"a", Int64s(0, 50)}, {"t", Texts(names)}}, 7);
  CheckContract(TableOf({{"a", Type(TypeId::kInt64)}, {"t", Type(TypeId::kText)}}));
}

TEST_F(ParquetSourceTest, DamagedFilesAreErrors) {
  folder_.Write("t.parquet", "this is not a Parquet file at all");
  EXPECT_ERROR(Read(TableOf({{"a", Type(TypeId::kInt64)}})), SqlState::kDataCorrupted, "t.parquet");
  folder_.Write("t.parquet", "");
  EXPECT_ERROR(Read(TableOf({{"a", Type(TypeId::kInt64)}})), SqlState::kDataCorrupted, "t.parquet");
  const std::string path = WriteFile({{"a", Int64s(0, 5000)}});
  std::string bytes = TempFolder::Read(path);
  folder_.Write("t.parquet", bytes.substr(0, bytes.size() / 2));
  EXPECT_ERROR(Read(TableOf({{"a", Type(TypeId::kInt64)}})), SqlState::kDataCorrupted, "t.parquet");
  for (size_t i = 4; i < 104; ++i) bytes[i] = '\xFF';
  folder_.Write("t.parquet", bytes);
  EXPECT_ERROR(Read(TableOf({{"a", Type(TypeId::kInt64)}})), SqlState::kDataCorrupted, "t.parquet");
}

TEST_F(ParquetSourceTest, NanosecondsBeforeTheEpochPassTheirOwnFilter) {
  const auto nanos = arrow::timestamp(arrow::TimeUnit::NANO);
  WriteFile({{"ts", ArrayOf<arrow::TimestampBuilder, int64_t>(nanos, {-1'500, -500})}});
  Scan scan = TableOf({{"ts", Type(TypeId::kTimestamp)}});
  const std::vector<std::string> rows = *Read(scan);
  for (const std::string& row : rows) {
    SCOPED_TRACE(row);
    int64_t micros = 0;
    ASSERT_TRUE(ParseTimestamp(row, &micros)) << row;
    scan.filter = Compare("eq(timestamp,timestamp)", 0, Value{Type(TypeId::kTimestamp), micros});
    EXPECT_EQ(Read(scan)->size(), 2U) << "the row group is skipped";
  }
}

}  // namespace
}  // namespace millrace
