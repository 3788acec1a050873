#include "common/connector_spec/file_options.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

TEST(FileOptionsTest, FormatFollowsTheName) {
  const std::pair<const char*, FileFormat> cases[] = {
      {"a.csv", FileFormat::kCsv},           {"a.CSV.gz", FileFormat::kCsv},
      {"d/*.parquet", FileFormat::kParquet}, {"a.jsonl", FileFormat::kJson},
      {"a.ndjson.zst", FileFormat::kJson},   {"a.tsv", FileFormat::kCsv}};
  for (const auto& [path, format] : cases) {
    SCOPED_TRACE(path);
    const auto options = ParseFileOptions({{"path", path}});
    ASSERT_OK(options);
    EXPECT_EQ(options->format, format);
  }
  const auto unknown = ParseFileOptions({{"path", "folder/"}});
  EXPECT_ERROR(unknown, SqlState::kInvalidParameterValue, "cannot tell the format of \"folder/\"");
  EXPECT_OK(ParseFileOptions({{"path", "folder/"}, {"format", "JSON"}}));
}

TEST(FileOptionsTest, ReadsCsvOptions) {
  const auto options = ParseFileOptions({{"connector", "file"},
                                         {"path", "a.csv"},
                                         {"header", "off"},
                                         {"delimiter", "\\t"},
                                         {"quote", "'"},
                                         {"null", "NA, -"},
                                         {"bad_rows", "keep"},
                                         {"split_size", "1 MiB"},
                                         {"order_by", "mtime"},
                                         {"rows_per_second", "2.5"}});
  ASSERT_OK(options);
  EXPECT_EQ(options->header, CsvHeader::kNo);
  EXPECT_EQ(options->csv.delimiter, '\t');
  EXPECT_EQ(options->csv.quote, '\'');
  EXPECT_EQ(options->csv.null_strings, (std::vector<std::string>{"NA", "-"}));
  EXPECT_EQ(options->bad_rows, BadRows::kKeep);
  EXPECT_EQ(options->split_bytes, 1U << 20);
  EXPECT_EQ(options->order_by, FileOrder::kModificationTime);
  EXPECT_EQ(options->rows_per_second, 2.5);
  EXPECT_EQ(ParseFileOptions({{"path", "a.tsv"}})->csv.delimiter, '\t');
  EXPECT_EQ(ParseFileOptions({{"path", "a.tbl"}})->csv.delimiter, '|');
  EXPECT_EQ(ParseFileOptions({{"path", "a.csv"}})->header, CsvHeader::kAuto);
}

TEST(FileOptionsTest, UnknownOptionNamesTheNearest) {
  const auto options = ParseFileOptions({{"path", "a.csv"}, {"delimeter", ";"}});
  EXPECT_ERROR(options, SqlState::kInvalidParameterValue,
               "unknown option \"delimeter\" of connector \"file\"");
  EXPECT_EQ(GetErrorDetail(options.status()).hint, "did you mean \"delimiter\"?");
}

TEST(FileOptionsTest, AMisspelledNameExplainsWhatIsMissing) {
  const auto misspelled = ParseFileOptions({{"pth", "a.csv"}, {"format", "csv"}});
  EXPECT_ERROR(misspelled, SqlState::kInvalidParameterValue,
               "unknown option \"pth\" of connector \"file\"");
  EXPECT_EQ(GetErrorDetail(misspelled.status()).hint, "did you mean \"path\"?");
  const auto another = ParseFileOptions({{"delimeter", ";"}, {"format", "csv"}});
  EXPECT_ERROR(another, SqlState::kInvalidParameterValue, "needs the option \"path\"");
}

TEST(FileOptionsTest, WrongValuesAreErrors) {
  const std::pair<OptionMap, const char*> cases[] = {
      {{{"format", "csv"}}, "needs the option \"path\""},
      {{{"path", "a.csv"}, {"header", "maybe"}}, "\"header\": \"maybe\""},
      {{{"path", "a.csv"}, {"delimiter", "ab"}}, "\"delimiter\": \"ab\""},
      {{{"path", "a.csv"}, {"delimiter", "\""}}, "must differ"},
      {{{"path", "a.csv"}, {"quote", "\n"}}, "line ends"},
      {{{"path", "a.csv"}, {"format", "orc"}}, "\"format\": \"orc\""},
      {{{"path", "a.csv"}, {"bad_rows", "drop"}}, "\"bad_rows\""},
      {{{"path", "a.csv"}, {"rows_per_file", "-1"}}, "\"rows_per_file\""},
      {{{"path", "a.csv"}, {"rows_per_second", "nan"}}, "\"rows_per_second\""},
      {{{"path", "a.csv"}, {"split_size", "0"}}, "\"split_size\""},
      {{{"path", "a.csv"}, {"compression", "snappy"}}, "does not go with"},
      {{{"path", "a.parquet"}, {"compression", "bzip2"}}, "does not go with"},
      {{{"path", "a.json"}, {"header", "true"}}, "is for format 'csv' only"}};
  for (const auto& [options, message] : cases) {
    EXPECT_ERROR(ParseFileOptions(options), SqlState::kInvalidParameterValue, message);
  }
}

TEST(FileOptionsTest, OptionsOfTheLanguageThatAreNotServedSaySo) {
  EXPECT_ERROR(ParseFileOptions({{"path", "a.csv"}, {"partition_by", "x"}}),
               SqlState::kFeatureNotSupported, "partition_by");
}

TEST(FileOptionsTest, TellsSingleFilesFromFolders) {
  const auto single = [](const char* path) {
    return ParseFileOptions({{"path", path}, {"format", "csv"}})->names_single_file();
  };
  EXPECT_TRUE(single("a/x.csv"));
  EXPECT_TRUE(single("x.csv.gz"));
  EXPECT_FALSE(single("a/"));
  EXPECT_FALSE(single("out"));
  EXPECT_FALSE(single("a/*.csv"));
  EXPECT_FALSE(single("x.csv/"));
  EXPECT_TRUE(ParseFileOptions({{"path", "out"}, {"format", "csv"}, {"single_file", "true"}})
                  ->names_single_file());
  EXPECT_FALSE(
      ParseFileOptions({{"path", "x.csv"}, {"single_file", "false"}})->names_single_file());
}

TEST(ConnectorOptionsTest, ChecksTheConnectorsName) {
  EXPECT_OK(ValidateDefinition({{"connector", "file"}, {"path", "a.csv"}}, {}));
  EXPECT_OK(ValidateDefinition({{"connector", "blackhole"}}, {}));
  EXPECT_ERROR(ValidateDefinition({{"path", "a.csv"}}, {}), SqlState::kInvalidParameterValue,
               "\"connector\" is missing");
  EXPECT_ERROR(ValidateDefinition({{"connector", "postgres"}}, {}), SqlState::kFeatureNotSupported,
               "postgres");
  EXPECT_ERROR(ValidateDefinition({{"connector", "print"}}, {}), SqlState::kFeatureNotSupported,
               "print");
  const absl::Status unknown = ValidateDefinition({{"connector", "flie"}}, {});
  EXPECT_ERROR(unknown, SqlState::kInvalidParameterValue, "flie");
  EXPECT_EQ(GetErrorDetail(unknown).hint, "did you mean \"file\"?");
  EXPECT_ERROR(ValidateDefinition({{"connector", "blackhole"}, {"path", "x"}}, {}),
               SqlState::kInvalidParameterValue, "unknown option \"path\"");
}

}  // namespace
}  // namespace millrace
