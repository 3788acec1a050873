#include "tests/unit/common/expr/expr_builders.h"

// The results were compared with PostgreSQL 15.

namespace millrace {
namespace {

std::string Call(const char* name, std::vector<ExprPtr> args) {
  return Eval(Fn(name, std::move(args)));
}

TEST(MathKernels, RoundByTheTypesRules) {
  EXPECT_EQ(Call("round", {Number("2.5")}), "3");
  EXPECT_EQ(Call("round", {Number("-2.5")}), "-3");
  EXPECT_EQ(Call("round", {Real(2.5)}), "2");
  EXPECT_EQ(Call("round", {Number("1.2345"), Int(2)}), "1.23");
  EXPECT_EQ(Call("round", {Number("1234.5"), Int(-2)}), "1200");
  EXPECT_EQ(Call("trunc", {Number("-1.999"), Int(2)}), "-1.99");
  EXPECT_EQ(Call("ceil", {Number("-1.2")}), "-1");
  EXPECT_EQ(Call("floor", {Number("-1.2")}), "-2");
}

TEST(MathKernels, CheckTheirDomains) {
  EXPECT_EQ(Call("sqrt", {Real(-1)}), "ERROR 2201F");
  EXPECT_EQ(Call("ln", {Real(0)}), "ERROR 2201E");
  EXPECT_EQ(Call("asin", {Real(2)}), "ERROR 22003");
  EXPECT_EQ(Call("power", {Real(0), Real(-1)}), "ERROR 2201F");
  EXPECT_EQ(Call("exp", {Real(1000)}), "ERROR 22003");
  EXPECT_EQ(Call("mod", {Int(1), Int(0)}), "ERROR 22012");
  EXPECT_EQ(Call("width_bucket", {Real(5), Real(0), Real(10), Int(0)}), "ERROR 2201G");
}

TEST(MathKernels, ComputeNumericsToAllDigits) {
  EXPECT_EQ(Call("exp", {Number("1.0")}), "2.7182818284590452");
  EXPECT_EQ(Call("power", {Number("1.5"), Int(40)}), "11057332.3209400121422732");
  EXPECT_EQ(Call("log", {Number("2.0"), Number("8.0")}), "3.0000000000000000");
  EXPECT_EQ(Call("div", {Number("-7.5"), Int(2)}), "-3");
  EXPECT_EQ(Call("gcd", {Int(12), Int(18)}), "6");
  EXPECT_EQ(Call("lcm", {Int(2147483647), Int(2)}), "ERROR 22003");
  EXPECT_EQ(Call("width_bucket", {Number("5.35"), Number("0.024"), Number("10.06"), Int(5)}), "3");
}

TEST(Arithmetic, ReportsOverflowOfEveryWidth) {
  const auto of = [](const char* text, TypeId id) { return Cast(Quoted(text), T(id)); };
  EXPECT_EQ(Eval(Op("+", of("32767", TypeId::kInt16), of("1", TypeId::kInt16))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("-", of("-32768", TypeId::kInt16))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("*", Int(2147483647), Int(2))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("/", Int(-2147483648), Int(-1))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("%", Int(-2147483648), Int(-1))), "0");
  const ExprPtr lowest = of("-9223372036854775808", TypeId::kInt64);
  EXPECT_EQ(Eval(Op("-", lowest, BigInt(1))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("*", lowest, BigInt(-1))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("*", Real(1e300), Real(1e300))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("*", Real(1e-300), Real(1e-300))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("/", Real(1), Real(0))), "ERROR 22012");
  EXPECT_EQ(Eval(Op("+", of("Infinity", TypeId::kFloat64), Real(1))), "Infinity");
  EXPECT_EQ(Eval(Op("-", of("Infinity", TypeId::kFloat64), of("Infinity", TypeId::kFloat64))),
            "NaN");
}

TEST(Arithmetic, NeverGivesAWrongDigitOfNumerics) {
  const std::string nines(38, '9');
  EXPECT_EQ(Eval(Op("+", Number(nines), Int(1))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("-", Number("-" + nines), Int(1))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("*", Number(nines), Int(2))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("*", Number("12345678901234567890"), Number("98765432109876543"))),
            "1219326311370217949644871231852004270");
  // 20 + 20 digits behind the point are too many: rounded to 36, and refused where nothing is left.
  const std::string one = "1." + std::string(20, '0');
  EXPECT_EQ(Eval(Op("*", Number(one), Number(one))), "1." + std::string(36, '0'));
  const std::string tiny = "0.00000000000000000001";
  EXPECT_EQ(Eval(Op("*", Number(tiny), Number(tiny))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("/", Number(nines), Number("0.1"))), "ERROR 22003");
  EXPECT_EQ(Eval(Op("/", Number("1"), Int(3))), "0.33333333333333333333");
  EXPECT_EQ(Eval(Op("/", Number("2"), Int(-3))), "-0.66666666666666666667");
  EXPECT_EQ(Eval(Op("/", Number("12345678901234567890.5"), Number("0.3"))),
            "41152263004115226301.7");
  EXPECT_EQ(Eval(Op("%", Number("-7.5"), Int(2))), "-1.5");
  EXPECT_EQ(Eval(Op("=", Number("1.50"), Number("1.5"))), "t");
  EXPECT_EQ(Eval(Op("<", Number(nines), Number("0." + std::string(38, '9')))), "f");
}

TEST(Arithmetic, OrdersNaN) {
  const ExprPtr nan = Cast(Quoted("NaN"), T(TypeId::kFloat64));
  EXPECT_EQ(Eval(Op("=", nan, nan)), "t");
  EXPECT_EQ(Eval(Op(">", nan, Real(1e308))), "t");
  EXPECT_EQ(Eval(Op("<", nan, nan)), "f");
  EXPECT_EQ(Eval(Op(">=", Real(1), nan)), "f");
}

TEST(Casts, RoundAndCheck) {
  const SqlType int4 = T(TypeId::kInt32);
  EXPECT_EQ(Eval(Cast(Real(2.5), int4)), "2");
  EXPECT_EQ(Eval(Cast(Number("2.5"), int4)), "3");
  EXPECT_EQ(Eval(Cast(Fn("power", {Real(2), Int(31)}), int4)), "ERROR 22003");
  EXPECT_EQ(Eval(Cast(Fn("power", {Real(2), Int(63)}), T(TypeId::kInt64))), "ERROR 22003");
  EXPECT_EQ(Eval(Cast(Op("+", Number("999.99"), Number("0.01")), SqlType::Numeric(5, 2))),
            "ERROR 22003");
  EXPECT_EQ(Eval(Cast(Fn("sqrt", {Real(2)}), SqlType::Numeric(10, 3))), "1.414");
  EXPECT_EQ(Eval(Cast(Op("*", Number("1.1"), Number("1.1")), T(TypeId::kFloat64))), "1.21");
  EXPECT_EQ(Eval(Cast(Op("=", Int(1), Int(1)), T(TypeId::kText))), "true");
}

}  // namespace
}  // namespace millrace
