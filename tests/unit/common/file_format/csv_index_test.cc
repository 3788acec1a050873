#include "common/file_format/csv_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace millrace {
namespace {

using testing::ElementsAre;

// The fields of all complete rows, quotes and all.
std::vector<std::vector<std::string>> Index(const std::string& csv,
                                            const CsvDialect& dialect = {}) {
  const std::string padded = csv + std::string(64, '\0');
  CsvIndex index;
  IndexCsv(absl::string_view(padded).substr(0, csv.size()), dialect, &index);
  std::vector<std::vector<std::string>> rows;
  for (size_t row = 0; row < index.num_rows(); ++row) {
    auto& fields = rows.emplace_back();
    for (size_t column = 0; column < index.num_fields(row); ++column) {
      fields.emplace_back(CsvField(padded, index, row, column));
    }
  }
  return rows;
}

// The same by a loop over characters.
std::vector<std::vector<std::string>> IndexSlowly(const std::string& csv) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> fields;
  std::string field;
  bool quoted = false;
  for (const char c : csv) {
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == ',' || c == '\n')) {
      if (c == '\n' && !field.empty() && field.back() == '\r') field.pop_back();
      fields.push_back(std::exchange(field, ""));
      if (c == '\n') rows.push_back(std::exchange(fields, {}));
    } else {
      field.push_back(c);
    }
  }
  return rows;
}

TEST(CsvIndexTest, FindsFieldsAndRows) {
  EXPECT_THAT(Index("a,b\nc,\n"), ElementsAre(ElementsAre("a", "b"), ElementsAre("c", "")));
  EXPECT_THAT(Index("a\r\n\n,b\r\nrest"),
              ElementsAre(ElementsAre("a"), ElementsAre(""), ElementsAre("", "b")));
  EXPECT_TRUE(Index("").empty());
  EXPECT_TRUE(Index("no line end").empty());
}

TEST(CsvIndexTest, QuotesHideDelimitersAndLineEnds) {
  EXPECT_THAT(Index("\"a,b\n\",c\nd,\"\"\"\"\n"),
              ElementsAre(ElementsAre("\"a,b\n\"", "c"), ElementsAre("d", "\"\"\"\"")));
  EXPECT_TRUE(Index("\"open,\n\n").empty());
}

TEST(CsvIndexTest, TakesOtherDelimitersAndQuotes) {
  CsvDialect dialect;
  dialect.delimiter = '|';
  dialect.quote = '\'';
  EXPECT_THAT(Index("a,b|'c|d'\n", dialect), ElementsAre(ElementsAre("a,b", "'c|d'")));
}

TEST(CsvIndexTest, AgreesWithTheSimpleWayOnRandomText) {
  std::mt19937 random(7);
  const std::string alphabet = "ab,,\n\"\r";
  for (int round = 0; round < 500; ++round) {
    std::string csv;
    const size_t length = random() % 400;
    while (csv.size() < length) {
      // Long stretches too, so that state crosses blocks.
      csv.append(1 + (random() % 8 == 0 ? random() % 100 : 0),
                 alphabet[random() % alphabet.size()]);
    }
    ASSERT_EQ(Index(csv), IndexSlowly(csv)) << csv;
  }
}

TEST(CsvIndexTest, UnquotesValues) {
  std::string value;
  const std::pair<const char*, const char*> cases[] = {{"\"a\"", "a"},
                                                       {"\"\"", ""},
                                                       {"\"a\"\"b\"", "a\"b"},
                                                       {"a\"b,c\"d", "ab,cd"},
                                                       {"plain", "plain"}};
  for (const auto& [field, expected] : cases) {
    Unquote(field, CsvDialect(), &value);
    EXPECT_EQ(value, expected) << field;
  }
}

TEST(CsvIndexTest, EscapeCharacterOfItsOwn) {
  CsvDialect dialect;
  dialect.escape = '\\';
  // Outside of quotes it is nothing special.
  std::string text = R"("a\",b,",\"x\\",c\
"\x",d
)";
  const size_t size = text.size();
  text.append(64, '\0');
  CsvIndex index;
  IndexCsv(absl::string_view(text).substr(0, size), dialect, &index);
  ASSERT_EQ(index.num_rows(), 2);
  ASSERT_EQ(index.num_fields(0), 3);
  std::string value;
  Unquote(CsvField(text, index, 0, 0), dialect, &value);
  EXPECT_EQ(value, R"(a",b,)");
  Unquote(CsvField(text, index, 0, 1), dialect, &value);
  EXPECT_EQ(value, R"(\x\)");
  EXPECT_EQ(CsvField(text, index, 0, 2), "c\\");
  Unquote(CsvField(text, index, 1, 0), dialect, &value);
  EXPECT_EQ(value, "\\x");
}

TEST(CsvIndexTest, AnotherNullStringLeavesEmptyFieldsAlone) {
  CsvDialect dialect;
  dialect.null_strings = {"NA"};
  dialect.empty_is_null = false;
  EXPECT_FALSE(IsCsvNull("", dialect));
  EXPECT_TRUE(IsCsvNull("NA", dialect));
}

TEST(CsvIndexTest, NullIsEmptyOrANullString) {
  CsvDialect dialect;
  dialect.null_strings = {"NA"};
  EXPECT_TRUE(IsCsvNull("", dialect));
  EXPECT_TRUE(IsCsvNull("NA", dialect));
  EXPECT_FALSE(IsCsvNull("\"NA\"", dialect));
  EXPECT_FALSE(IsCsvNull("\"\"", dialect));
}

}  // namespace
}  // namespace millrace
