#include "tests/unit/common/expr/expr_builders.h"

// The results were compared with PostgreSQL 15.

namespace millrace {
namespace {

std::string CallText(const char* name, std::vector<ExprPtr> args) {
  return Eval(Fn(name, std::move(args)));
}

TEST(TextKernels, CountAndChangeCase) {
  EXPECT_EQ(CallText("length", {Quoted("h\xC3\xA9llo")}), "5");
  EXPECT_EQ(CallText("octet_length", {Quoted("h\xC3\xA9llo")}), "6");
  EXPECT_EQ(CallText("upper", {Quoted("h\xC3\xA9llo")}), "H\xC3\x89LLO");
  EXPECT_EQ(CallText("initcap", {Quoted("hello wORLD foo-bar x1y")}), "Hello World Foo-Bar X1y");
  EXPECT_EQ(CallText("reverse", {Quoted("a\xC3\xA9z")}),
            "z\xC3\xA9"
            "a");
  EXPECT_EQ(CallText("ascii", {Quoted("\xC3\xA9")}), "233");
  EXPECT_EQ(CallText("chr", {Int(233)}), "\xC3\xA9");
  EXPECT_EQ(CallText("chr", {Int(0)}), "ERROR 54000");
  EXPECT_EQ(CallText("repeat", {Quoted("ab"), Int(-1)}), "");
  EXPECT_EQ(CallText("repeat", {Quoted("ab"), Int(2147483647)}), "ERROR 54000");
}

TEST(TextKernels, CutAndFill) {
  EXPECT_EQ(CallText("substr", {Quoted("abcdef"), Int(-1), Int(4)}), "ab");
  EXPECT_EQ(CallText("substr", {Quoted("abc"), Int(2147483647), Int(2147483647)}), "");
  EXPECT_EQ(CallText("substr", {Quoted("abc"), Int(2), Int(-1)}), "ERROR 22011");
  EXPECT_EQ(CallText("left", {Quoted("abcdef"), Int(-2)}), "abcd");
  EXPECT_EQ(CallText("right", {Quoted("abcdef"), Int(-2)}), "cdef");
  EXPECT_EQ(CallText("lpad", {Quoted("hi"), Int(5), Quoted("xy")}), "xyxhi");
  EXPECT_EQ(CallText("rpad", {Quoted("hello"), Int(2)}), "he");
  EXPECT_EQ(CallText("btrim", {Quoted("xyabcyx"), Quoted("xy")}), "abc");
  EXPECT_EQ(CallText("overlay", {Quoted("abcdef"), Quoted("XX"), Int(2), Int(4)}), "aXXf");
  EXPECT_EQ(CallText("split_part", {Quoted("a,b,c"), Quoted(","), Int(-1)}), "c");
  EXPECT_EQ(CallText("split_part", {Quoted("a"), Quoted(","), Int(0)}), "ERROR 22023");
}

TEST(TextKernels, FindAndReplace) {
  EXPECT_EQ(CallText("strpos", {Quoted("h\xC3\xA9llo"), Quoted("l")}), "3");
  EXPECT_EQ(CallText("position", {Quoted("abc"), Quoted("")}), "1");
  EXPECT_EQ(CallText("replace", {Quoted("abcabc"), Quoted("b"), Quoted("xx")}), "axxcaxxc");
  EXPECT_EQ(CallText("translate", {Quoted("12345"), Quoted("143"), Quoted("ax")}), "a2x5");
  EXPECT_EQ(Eval(Op("~~", Quoted("a_c"), Fn("like_escape", {Quoted("a#_c"), Quoted("#")}))), "t");
}

TEST(TextKernels, TakeAnyArguments) {
  EXPECT_EQ(CallText("concat", {Quoted("a"), Int(1), Null(), Number("2.50"), MakeBoolean(true)}),
            "a12.50t");
  EXPECT_EQ(CallText("concat_ws", {Quoted(","), Quoted("a"), Null(), Int(3)}), "a,3");
  EXPECT_EQ(CallText("concat_ws", {Cast(Null(), T(TypeId::kText)), Quoted("a")}), "NULL");
  EXPECT_EQ(CallText("format",
                     {Quoted("Hello %s, %1$s %I %L|%-4s|"), Quoted("W"), Quoted("Foo"), Null()}),
            "ERROR 22023");
  EXPECT_EQ(
      CallText("format", {Quoted("%s %I %L|%4s|%%"), Quoted("W"), Quoted("Foo"), Null(), Int(7)}),
      "W \"Foo\" NULL|   7|%");
  EXPECT_EQ(CallText("num_nulls", {Int(1), Null(), Null()}), "2");
}

TEST(TextKernels, EncodeAndQuote) {
  EXPECT_EQ(CallText("md5", {Quoted("abc")}), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(CallText("to_hex", {Int(-1)}), "ffffffff");
  EXPECT_EQ(CallText("quote_literal", {Quoted("a'b")}), "'a''b'");
  EXPECT_EQ(CallText("quote_ident", {Quoted("Abc")}), "\"Abc\"");
  EXPECT_EQ(CallText("encode", {Cast(Quoted("\\xdead"), T(TypeId::kBytea)), Quoted("hex")}),
            "dead");
  EXPECT_EQ(CallText("decode", {Quoted("YWJj"), Quoted("base64")}), "\\x616263");
  EXPECT_EQ(CallText("decode", {Quoted("abc"), Quoted("hex")}), "ERROR 22023");
}

}  // namespace
}  // namespace millrace
