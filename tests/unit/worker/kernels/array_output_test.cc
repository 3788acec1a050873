#include "worker/kernels/array_output.h"

#include "arrow/array.h"
#include "arrow/type.h"
#include "gtest/gtest.h"

namespace millrace {
namespace {

// Nobody reads it: it is refused by its length.
std::string_view HugeText() {
  static constexpr char kByte = 'x';
  // Volatile, so that the compiler does not warn of reading behind the byte.
  volatile size_t length = static_cast<size_t>(kTextOutputBytesMax) + 1;
  return {&kByte, length};
}

TEST(TextOutput, CollectsTextsAndMakesTheLastOneLonger) {
  TextOutput out(3);
  out.Append("ab");
  out.Extend("cd");
  out.AppendNull();
  out.Append("");
  const auto array = out.Finish(arrow::utf8());
  EXPECT_EQ(array->ToString(), "[\n  \"abcd\",\n  null,\n  \"\"\n]");
  EXPECT_FALSE(TakeTextOverflow());
}

TEST(TextOutput, TextBeyondTheOffsetsBecomesNullAndIsTold) {
  TextOutput out(2);
  out.Append("ab");
  out.Append(HugeText());
  EXPECT_TRUE(TakeTextOverflow());
  EXPECT_FALSE(TakeTextOverflow());
  const auto array = out.Finish(arrow::utf8());
  EXPECT_EQ(array->ToString(), "[\n  \"ab\",\n  null\n]");
}

TEST(TextOutput, ATextThatWouldGrowBeyondTheOffsetsStaysAsItIsAndThatIsTold) {
  TextOutput out(1);
  out.Append("ab");
  out.Extend(HugeText());
  EXPECT_TRUE(TakeTextOverflow());
  EXPECT_EQ(out.size_bytes(), 2);
}

}  // namespace
}  // namespace millrace
