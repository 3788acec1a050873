#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/worker/connectors/file/scan_fixture.h"
#include "worker/connectors/file/bad_row_log.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CsvSourceTest : public ScanFixture {
 protected:
  Scan TableOf(const std::string& csv, const Schema& columns, OptionMap options = {}) {
    options.emplace("path", folder_.Write("t.csv", csv));
    return Scan{options, columns, {}, nullptr};
  }
  Schema IdAndName() const { return {{"id", Type(TypeId::kInt64)}, {"name", Type(TypeId::kText)}}; }
};

TEST_F(CsvSourceTest, ReadsEveryType) {
  const Schema columns = {{"b", Type(TypeId::kBoolean)},    {"s", Type(TypeId::kInt16)},
                          {"i", Type(TypeId::kInt32)},      {"l", Type(TypeId::kInt64)},
                          {"f", Type(TypeId::kFloat32)},    {"d", Type(TypeId::kFloat64)},
                          {"n", SqlType::Numeric(12, 2)},   {"t", Type(TypeId::kText)},
                          {"y", Type(TypeId::kBytea)},      {"u", Type(TypeId::kUuid)},
                          {"day", Type(TypeId::kDate)},     {"time", Type(TypeId::kTime)},
                          {"ts", Type(TypeId::kTimestamp)}, {"tz", Type(TypeId::kTimestampTz)},
                          {"iv", Type(TypeId::kInterval)}};
  const Scan scan = TableOf(
      "true,-3,7,-9223372036854775808,0.5,-0,12.345,x,\\x0aff,"
      "123e4567-e89b-12d3-a456-426614174000,2024-02-29,12:34:56.5,2024-02-29T01:02:03.000004,"
      "2024-02-29 01:02:03+02,1 day 02:00\n"
      ",,,,,,,,,,,,,,\n",
      columns);
  EXPECT_THAT(
      *Read(scan),
      ElementsAre("t|-3|7|-9223372036854775808|0.5|-0|12.35|x|\\x0aff|"
                  "123e4567-e89b-12d3-a456-426614174000|2024-02-29|12:34:56.5|"
                  "2024-02-29 01:02:03.000004|2024-02-28 23:02:03+00|1 day 02:00:00",
                  "NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL"));
}

TEST_F(CsvSourceTest, ReadsQuotedFields) {
  const Scan scan =
      TableOf("1,\"a,b\"\n2,\"say \"\"hi\"\"\"\r\n\"3\",\"two\nlines\"\n4,\"\"\n5,ab\"c,d\"e\n",
              IdAndName());
  EXPECT_THAT(*Read(scan), ElementsAre("1|a,b", "2|say \"hi\"", "3|two\nlines", "4|", "5|abc,de"));
}

TEST_F(CsvSourceTest, EmptyUnquotedFieldsAndNullStringsAreNull) {
  const Scan scan = TableOf("1,\n2,NA\n3,\"NA\"\n-,x\n", IdAndName(), {{"null", "NA, -"}});
  EXPECT_THAT(*Read(scan), ElementsAre("1|NULL", "2|NULL", "3|NA", "NULL|x"));
}

TEST_F(CsvSourceTest, ReadsDosLineEndsByteOrderMarkBlankLinesAndMissingLastLineEnd) {
  const Scan scan = TableOf("\xEF\xBB\xBFid,name\r\n1,a\r\n\r\n2,b\r\n3,c", IdAndName());
  EXPECT_THAT(*Read(scan), ElementsAre("1|a", "2|b", "3|c"));
}

TEST_F(CsvSourceTest, BlankLinesOfOneColumnAreNull) {
  const Scan scan = TableOf("1\n\n3\n", {{"id", Type(TypeId::kInt64)}});
  EXPECT_THAT(*Read(scan), ElementsAre("1", "NULL", "3"));
}

TEST_F(CsvSourceTest, FindsFieldsByHeaderName) {
  Scan scan = TableOf("Name,extra,ID\na,x,1\nb,y,2\n", IdAndName());
  EXPECT_THAT(*Read(scan), ElementsAre("1|a", "2|b"));
  scan.projection = {1};
  EXPECT_THAT(*Read(scan), ElementsAre("a", "b"));
}

TEST_F(CsvSourceTest, FieldsFollowTheDeclarationWhereTheHeaderHasOtherNames) {
  const Scan scan = TableOf("nr,who\n1,a\n", IdAndName(), {{"header", "true"}});
  EXPECT_THAT(*Read(scan), ElementsAre("1|a"));
  const Scan unread = TableOf("nr,who\n1,a\n", IdAndName());
  const auto rows = Read(unread);
  EXPECT_ERROR(rows, SqlState::kInvalidTextRepresentation, "line 1");
  EXPECT_THAT(GetErrorDetail(rows.status()).hint, HasSubstr("header = true"));
  const auto found = Read(TableOf("id,name\nx,a\n", IdAndName()));
  EXPECT_ERROR(found, SqlState::kInvalidTextRepresentation, "line 2");
  EXPECT_THAT(GetErrorDetail(found.status()).hint, testing::Not(HasSubstr("header")));
}

TEST_F(CsvSourceTest, ConvertsOnlyProjectedColumns) {
  Scan scan = TableOf("oops,a\noops,b\n", IdAndName());
  scan.projection = {1};
  EXPECT_THAT(*Read(scan), ElementsAre("a", "b"));
}

TEST_F(CsvSourceTest, ErrorNamesFileLineColumnAndValue) {
  const Scan scan = TableOf("1,a\n2,\"b\nb\"\nabc,c\n", IdAndName());
  EXPECT_ERROR(Read(scan), SqlState::kInvalidTextRepresentation,
               "t.csv line 4, column \"id\": invalid input syntax for type bigint: \"abc\"");
}

TEST_F(CsvSourceTest, FirstBadRowInFileOrderIsReported) {
  const Schema columns = {{"a", Type(TypeId::kInt64)}, {"b", Type(TypeId::kInt64)}};
  const Scan scan = TableOf("1,1\n1,x\ny,1\n", columns);
  EXPECT_ERROR(Read(scan), SqlState::kInvalidTextRepresentation, "line 2, column \"b\"");
}

TEST_F(CsvSourceTest, RefusesValuesOutOfRangeAndTooLong) {
  EXPECT_ERROR(Read(TableOf("40000\n", {{"s", Type(TypeId::kInt16)}})),
               SqlState::kNumericOutOfRange, "40000");
  EXPECT_ERROR(Read(TableOf("1000\n", {{"n", SqlType::Numeric(3, 0)}})),
               SqlState::kNumericOutOfRange, "");
  EXPECT_ERROR(Read(TableOf("abcd\n", {{"v", SqlType{TypeId::kVarchar, 3, 0}}})),
               SqlState::kStringDataRightTruncation, "character varying(3)");
  EXPECT_ERROR(Read(TableOf("a\xFF\n", {{"t", Type(TypeId::kText)}})),
               SqlState::kCharacterNotInRepertoire, "UTF8");
  EXPECT_THAT(*Read(TableOf("\xC3\xA4\xC3\xB6 \n", {{"v", SqlType{TypeId::kVarchar, 2, 0}}})),
              ElementsAre("\xC3\xA4\xC3\xB6"));
}

TEST_F(CsvSourceTest, WrongNumberOfFieldsIsAnError) {
  EXPECT_ERROR(Read(TableOf("1,a\n2\n", IdAndName())), SqlState::kBadCopyFileFormat,
               "line 2: missing data for column \"name\"");
  EXPECT_ERROR(Read(TableOf("1,a,b\n", IdAndName())), SqlState::kBadCopyFileFormat,
               "extra data after last expected column");
  EXPECT_ERROR(Read(TableOf("1,\"a\n2,b\n", IdAndName())), SqlState::kBadCopyFileFormat,
               "unterminated quoted field");
}

TEST_F(CsvSourceTest, BadRowsAreSkippedAndCounted) {
  const Scan scan = TableOf("1,a\nx,b\n3\n4,d,e\n5,e\n", IdAndName(), {{"bad_rows", "skip"}});
  EXPECT_THAT(*Read(scan), ElementsAre("1|a", "5|e"));
  EXPECT_EQ(bad_rows_, 3U);
  EXPECT_THAT(kept_rows_, IsEmpty());
}

TEST_F(CsvSourceTest, BadRowsAreKeptWithPlaceAndReason) {
  const Scan scan = TableOf("1,a\nx,b\n3\n", IdAndName(), {{"bad_rows", "keep"}});
  EXPECT_THAT(*Read(scan), ElementsAre("1|a"));
  ASSERT_EQ(kept_rows_.size(), 2U);
  EXPECT_EQ(kept_rows_[0].line, 2U);
  EXPECT_EQ(kept_rows_[0].text, "x,b");
  EXPECT_THAT(kept_rows_[0].reason, HasSubstr("column \"id\": invalid input syntax"));
  EXPECT_EQ(kept_rows_[1].line, 3U);
  EXPECT_EQ(kept_rows_[1].path, folder_.Path("t.csv"));
}

TEST_F(CsvSourceTest, EverySplitSizeGivesTheSameRows) {
  std::string csv = "id,name\n";
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    absl::StrAppend(&csv, i, ",\"name, ", i, "\"\r\n");
    expected.push_back(absl::StrCat(i, "|name, ", i));
  }
  for (int split_bytes = 1; split_bytes < 70; ++split_bytes) {
    SCOPED_TRACE(split_bytes);
    const Scan scan = TableOf(csv, IdAndName(), {{"split_size", absl::StrCat(split_bytes)}});
    const auto rows = Read(scan);
    ASSERT_OK(rows);
    ASSERT_EQ(*rows, expected);
  }
}

TEST_F(CsvSourceTest, FilesWithQuotedLineEndsAreNotCut) {
  std::string csv;
  for (int i = 0; i < 50; ++i) absl::StrAppend(&csv, i, ",\"a\nb\"\n");
  const Scan scan = TableOf(csv, IdAndName(), {{"split_size", "16"}});
  EXPECT_EQ(Splits(scan)->size(), 1U);
  EXPECT_EQ(Read(scan)->size(), 50U);
}

TEST_F(CsvSourceTest, QuotedLineEndAcrossRangesBehindTheSampleIsAnErrorNotAWrongRow) {
  std::string csv;
  while (csv.size() < (size_t{1} << 20) + 4096) csv += "1,abcdefgh\n";
  const size_t quoted_at = csv.size();
  csv += "2,\"first\nsecond,3\nthird\"\n";
  csv += "4,end\n";
  // A range ends within the quoted field.
  Scan scan = TableOf(csv, IdAndName(), {{"split_size", absl::StrCat(quoted_at + 6)}});
  ASSERT_EQ(Splits(scan)->size(), 2U);
  const auto rows = Read(scan);
  EXPECT_ERROR(rows, SqlState::kBadCopyFileFormat, "line break lies across two ranges");
  EXPECT_THAT(GetErrorDetail(rows.status()).hint, HasSubstr("multiline = true"));
  scan.options["multiline"] = "true";
  const auto whole = Read(scan);
  ASSERT_OK(whole);
  EXPECT_EQ(whole->back(), "4|end");
  EXPECT_EQ((*whole)[whole->size() - 2], "2|first\nsecond,3\nthird");
}

TEST_F(CsvSourceTest, PassesTheSourceContract) {
  std::string csv = "id,name\n";
  for (int i = 0; i < 40; ++i) absl::StrAppend(&csv, i, i % 7 == 0 ? "," : ",x", "\n");
  CheckContract(TableOf(csv, IdAndName()));
  CheckContract(TableOf(csv, IdAndName(), {{"split_size", "37"}}));
}

TEST_F(CsvSourceTest, PassesTheSourceContractWithBadRows) {
  std::string csv;
  for (int i = 0; i < 40; ++i) {
    absl::StrAppend(&csv, i % 5 == 1 ? "bad" : absl::StrCat(i), i % 6 == 2 ? "" : ",x", "\n");
  }
  CheckContract(TableOf(csv, IdAndName(), {{"bad_rows", "skip"}}));
  CheckContract(TableOf(csv, IdAndName(), {{"bad_rows", "skip"}, {"split_size", "50"}}));
}

TEST_F(CsvSourceTest, PositionCountsRowsAndBadRows) {
  const Scan scan = TableOf("1,a\nx,b\n3\n4,d\n", IdAndName(), {{"bad_rows", "skip"}});
  auto source = *MakeSource(scan);
  ASSERT_OK(ReadSplit(*source, Splits(scan)->front(), OutputOf(scan)));
  EXPECT_EQ(source->Position().rows(), 4U);
  EXPECT_EQ(source->Position().bad_rows(), 2U);
  EXPECT_TRUE(source->Position().ended());
}

TEST_F(CsvSourceTest, FileThatChangedSinceTheSplitWasMadeIsAnError) {
  const Scan scan = TableOf("1,a\n", IdAndName());
  const auto splits = Splits(scan);
  folder_.Write("t.csv", "1,a\n2,b\n");
  EXPECT_ERROR((*MakeSource(scan))->Open(splits->front()), SqlState::kObjectNotInPrerequisiteState,
               "has changed");
}

TEST_F(CsvSourceTest, ReadsStringsLargerThanABlock) {
  const std::string large(size_t{3} << 20, 'x');
  const Scan scan = TableOf(absl::StrCat("1,", large, "\n2,b\n"), IdAndName());
  const auto rows = Read(scan);
  ASSERT_OK(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ((*rows)[0].size(), large.size() + 2);
  EXPECT_EQ((*rows)[1], "2|b");
}

TEST_F(CsvSourceTest, CountsRowsWithoutColumns) {
  Scan scan = TableOf("1,a\n2,b\n", IdAndName());
  v1::ScanNode node;
  node.set_connector("file");
  node.mutable_options()->insert(scan.options.begin(), scan.options.end());
  for (const Field& field : scan.columns) ToProto(field, node.add_columns());
  auto source = *CreateSource(node, file_system_);
  ASSERT_OK(source->Open(Splits(scan)->front()));
  Batch batch;
  ASSERT_OK(source->Poll(PollBudget(), &batch));
  EXPECT_EQ(batch.num_rows(), 2);
  EXPECT_EQ(batch.num_columns(), 0);
}

TEST_F(CsvSourceTest, EmptyFilesHaveNoRows) {
  EXPECT_THAT(*Read(TableOf("", IdAndName())), IsEmpty());
  EXPECT_THAT(*Read(TableOf("id,name\n", IdAndName())), IsEmpty());
}

TEST_F(CsvSourceTest, KeptRowsAreTextWhateverTheFileHolds) {
  const Scan scan = TableOf("1\xFF,a\n2," + std::string(3000, 'x') + ",y\n", IdAndName(),
                            {{"bad_rows", "keep"}, {"header", "false"}});
  EXPECT_THAT(*Read(scan), IsEmpty());
  ASSERT_EQ(kept_rows_.size(), 2U);
  EXPECT_EQ(kept_rows_[0].text, "1\\xFF,a");
  EXPECT_EQ(kept_rows_[0].position, 0U);
  EXPECT_THAT(kept_rows_[0].reason, HasSubstr("\\xFF"));
  EXPECT_EQ(kept_rows_[1].position, 5U);
  EXPECT_EQ(kept_rows_[1].text.size(), BadRowLog::kTextBytesMax + std::string("…").size());
  EXPECT_ERROR(Read(TableOf("1\xFF,a\n", IdAndName(), {{"header", "false"}})),
               SqlState::kInvalidTextRepresentation, "\\xFF");
}

TEST_F(CsvSourceTest, HeaderOfAnotherTableIsAnError) {
  const auto rows = Read(TableOf("a,b,c\n", IdAndName(), {{"header", "true"}}));
  EXPECT_ERROR(rows, SqlState::kBadCopyFileFormat, "does not name the column \"id\"");
  EXPECT_THAT(GetErrorDetail(rows.status()).hint, HasSubstr("a, b, c"));
}

// Opens the split again, as the scan does after each look at a file that grows.
class FollowedCsvTest : public CsvSourceTest {
 protected:
  void Begin(const std::string& text) {
    scan_ = TableOf(text, IdAndName(), {{"follow", "true"}});
    source_ = *MakeSource(scan_);
    split_.mutable_file()->set_path(folder_.Path("t.csv"));
    split_.mutable_file()->set_follow(true);
  }
  absl::StatusOr<std::vector<std::string>> Look() {
    MR_RETURN_IF_ERROR(source_->Open(split_));
    std::vector<std::string> rows;
    while (true) {
      Batch batch;
      MR_ASSIGN_OR_RETURN(const PollResult result, source_->Poll({}, &batch));
      for (std::string& row : RowsAsText(batch, IdAndName())) rows.push_back(std::move(row));
      EXPECT_NE(result, PollResult::kEnd);
      if (result == PollResult::kIdle && batch.num_rows() == 0) break;
    }
    *split_.mutable_resume() = source_->Position();
    return rows;
  }

  Scan scan_;
  std::unique_ptr<Source> source_;
  v1::Split split_;
};

TEST_F(FollowedCsvTest, ReadsLinesWhenTheirLineFeedIsThere) {
  Begin("");
  EXPECT_THAT(*Look(), IsEmpty());
  folder_.Write("t.csv", "id,na");
  EXPECT_THAT(*Look(), IsEmpty());
  folder_.Write("t.csv", "id,name\n1,a\n2,");
  EXPECT_THAT(*Look(), ElementsAre("1|a"));
  EXPECT_THAT(*Look(), IsEmpty());
  folder_.Write("t.csv", "id,name\n1,a\n2,\"b\nc");
  EXPECT_THAT(*Look(), IsEmpty());
  folder_.Write("t.csv", "id,name\n1,a\n2,\"b\nc\"\n3,d\n");
  EXPECT_THAT(*Look(), ElementsAre("2|b\nc", "3|d"));
  EXPECT_EQ(split_.resume().rows(), 3U);
}

TEST_F(FollowedCsvTest, CutAndReplacedFilesAreErrors) {
  Begin("id,name\n1,a\n2,b\n");
  EXPECT_THAT(*Look(), ElementsAre("1|a", "2|b"));
  folder_.Write("t.csv", "id,name\n1,a\n");
  EXPECT_ERROR(Look(), SqlState::kObjectNotInPrerequisiteState, "cut short");
  folder_.Write("t.csv", "id,name\n7,a\n8,b\n9,c\n");
  EXPECT_ERROR(Look(), SqlState::kObjectNotInPrerequisiteState, "replaced");
  ASSERT_OK(file_system_.Remove(folder_.Path("t.csv")));
  EXPECT_ERROR(Look(), SqlState::kUndefinedFile, "t.csv");
}

}  // namespace
}  // namespace millrace
