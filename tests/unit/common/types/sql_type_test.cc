#include "common/types/sql_type.h"

#include "arrow/type.h"
#include "common/types/value.h"
#include "millrace/v1/types.pb.h"
#include "tests/support/status_matchers.h"

namespace millrace {
namespace {

TEST(SqlType, HasPostgresNames) {
  EXPECT_EQ(TypeName(SqlType::Of(TypeId::kInt64)), "bigint");
  EXPECT_EQ(TypeName(SqlType::Numeric(12, 2)), "numeric(12,2)");
  EXPECT_EQ(TypeName(SqlType::Numeric(0, 16)), "numeric");
  EXPECT_EQ(TypeName(SqlType{TypeId::kVarchar, 5, 0}), "character varying(5)");
  EXPECT_EQ(TypeName(SqlType::Of(TypeId::kTimestampTz)), "timestamp with time zone");
  EXPECT_EQ(ShortTypeName(TypeId::kChar), "bpchar");
}

TEST(SqlType, SurvivesArrowAndProto) {
  for (int id = 1; id <= static_cast<int>(TypeId::kInterval); ++id) {
    SqlType type = SqlType::Of(static_cast<TypeId>(id));
    if (type.is_numeric()) type = SqlType::Numeric(38, 7);
    SCOPED_TRACE(TypeName(type));
    const auto back = FromArrowType(*ToArrowType(type));
    ASSERT_OK(back);
    // varchar and char look like text in a file.
    EXPECT_EQ(*back, type.is_string() ? SqlType::Of(TypeId::kText) : type);
    v1::SqlType proto;
    ToProto(type, &proto);
    EXPECT_EQ(FromProto(proto), type);
  }
}

TEST(SqlType, TakesForeignArrowTypes) {
  EXPECT_EQ(FromArrowType(*arrow::uint8())->id, TypeId::kInt16);
  EXPECT_EQ(FromArrowType(*arrow::uint32())->id, TypeId::kInt64);
  EXPECT_EQ(*FromArrowType(*arrow::uint64()), SqlType::Numeric(20, 0));
  EXPECT_EQ(FromArrowType(*arrow::dictionary(arrow::int8(), arrow::utf8()))->id, TypeId::kText);
  EXPECT_EQ(FromArrowType(*arrow::timestamp(arrow::TimeUnit::NANO))->id, TypeId::kTimestamp);
  EXPECT_EQ(FromArrowType(*arrow::timestamp(arrow::TimeUnit::MILLI, "Asia/Tokyo"))->id,
            TypeId::kTimestampTz);
  EXPECT_ERROR(FromArrowType(*arrow::list(arrow::int8())), SqlState::kFeatureNotSupported, "list");
  EXPECT_ERROR(FromArrowType(*arrow::decimal256(60, 2)), SqlState::kFeatureNotSupported, "decimal");
}

TEST(Value, SurvivesProto) {
  const Value values[] = {
      Value::Null(SqlType::Of(TypeId::kDate)),
      {SqlType::Of(TypeId::kBoolean), false},
      {SqlType::Of(TypeId::kInt64), int64_t{-1}},
      {SqlType::Of(TypeId::kFloat64), -0.5},
      {SqlType::Numeric(0, 3), -(static_cast<__int128>(1) << 100)},
      {SqlType::Of(TypeId::kText), std::string("é\0x", 4)},
      {SqlType::Of(TypeId::kInterval), IntervalParts{-1, 2, -3}},
  };
  for (const Value& value : values) {
    v1::Value proto;
    ToProto(value, &proto);
    EXPECT_EQ(FromProto(proto), value);
  }
}

}  // namespace
}  // namespace millrace
