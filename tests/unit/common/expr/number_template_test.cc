#include "common/expr/number_template.h"

#include "tests/unit/common/expr/expr_builders.h"

namespace millrace {
namespace {

std::string ToChar(const char* number, const char* form) {
  return Eval(Fn("to_char", {Number(number), Quoted(form)}));
}

TEST(NumberTemplate, FormatsAsPostgres) {
  EXPECT_EQ(ToChar("485", "999"), " 485");
  EXPECT_EQ(ToChar("-485", "999"), "-485");
  EXPECT_EQ(ToChar("1485", "9,999"), " 1,485");
  EXPECT_EQ(ToChar("148.5", "999.999"), " 148.500");
  EXPECT_EQ(ToChar("148.5", "FM999.999"), "148.5");
  EXPECT_EQ(ToChar("148.5", "FM999.990"), "148.500");
  EXPECT_EQ(ToChar("-0.1", "99.99"), "  -.10");
  EXPECT_EQ(ToChar("12", "9990999.9"), "    0012.0");
  EXPECT_EQ(ToChar("1234567", "999"), " ###");
  EXPECT_EQ(ToChar("0", "FM9.9"), "0.");
  EXPECT_EQ(ToChar("1000000", "FM999,999,999"), "1,000,000");
}

TEST(NumberTemplate, PlacesSigns) {
  EXPECT_EQ(ToChar("-485", "999S"), "485-");
  EXPECT_EQ(ToChar("-485", "9SG99"), "4-85");
  EXPECT_EQ(ToChar("485", "999MI"), "485 ");
  EXPECT_EQ(ToChar("-485", "999PR"), "<485>");
  EXPECT_EQ(ToChar("485", "PL999"), "+ 485");
  EXPECT_EQ(ToChar("5", "S9"), "+5");
}

TEST(NumberTemplate, KnowsSpecialForms) {
  EXPECT_EQ(ToChar("482", "999th"), " 482nd");
  EXPECT_EQ(ToChar("485", "RN"), "        CDLXXXV");
  EXPECT_EQ(ToChar("485", "FMrn"), "cdlxxxv");
  EXPECT_EQ(ToChar("12.4", "99V999"), " 12400");
  EXPECT_EQ(ToChar("0.0004859", "9.99EEEE"), " 4.86e-04");
  EXPECT_EQ(ToChar("485", "\"Good number:\"999"), "Good number: 485");
}

TEST(NumberTemplate, RefusesContradictions) {
  EXPECT_EQ(ToChar("1", "9.9.9"), "ERROR 42601");
  EXPECT_EQ(ToChar("1", "SPR9"), "ERROR 42601");
}

TEST(NumberTemplate, ReadsNumbers) {
  const auto number = [](const char* text, const char* form) {
    return Eval(Fn("to_number", {Quoted(text), Quoted(form)}));
  };
  EXPECT_EQ(number("12,454.8-", "99G999D9S"), "-12454.8");
  EXPECT_EQ(number("<12>", "99PR"), "-12");
  EXPECT_EQ(number("abc", "999"), "ERROR 22P02");
}

}  // namespace
}  // namespace millrace
