#include "worker/connectors/datagen/datagen_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_split.h"
#include "arrow/array.h"
#include "common/file_format/split_enumeration.h"
#include "common/storage/local_file_system.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/source_contract.h"
#include "worker/connectors/factory/connector_factory.h"

namespace millrace {
namespace {

const Schema kColumns = {
    {"id", SqlType::Of(TypeId::kInt64)},  {"s", SqlType::Of(TypeId::kInt16)},
    {"f", SqlType::Of(TypeId::kFloat64)}, {"n", SqlType::Numeric(10, 2)},
    {"t", SqlType::Of(TypeId::kText)},    {"b", SqlType::Of(TypeId::kBoolean)},
    {"d", SqlType::Of(TypeId::kDate)},    {"ts", SqlType::Of(TypeId::kTimestamp)},
    {"u", SqlType::Of(TypeId::kUuid)},    {"h", SqlType::Of(TypeId::kTime)}};

class DatagenSourceTest : public testing::Test {
 protected:
  std::unique_ptr<Source> MakeSource(const OptionMap& options) {
    v1::ScanNode node;
    node.set_connector("datagen");
    node.mutable_options()->insert(options.begin(), options.end());
    for (const Field& field : kColumns) {
      node.add_projection(static_cast<uint32_t>(node.columns_size()));
      ToProto(field, node.add_columns());
    }
    auto source = CreateSource(node, file_system_);
    EXPECT_TRUE(source.ok()) << source.status();
    return *std::move(source);
  }
  std::vector<std::string> Rows(const OptionMap& options, uint64_t begin, uint64_t end) {
    v1::Split split;
    split.mutable_datagen()->set_begin_row(begin);
    split.mutable_datagen()->set_end_row(end);
    return *ReadSplit(*MakeSource(options), split, kColumns);
  }
  // One column of rows [0, num_rows).
  std::vector<std::string> Column(const OptionMap& options, size_t column, uint64_t num_rows) {
    std::vector<std::string> values;
    for (const std::string& row : Rows(options, 0, num_rows)) {
      values.push_back(std::vector<std::string>(absl::StrSplit(row, '|'))[column]);
    }
    return values;
  }

  LocalFileSystem file_system_;
};

TEST_F(DatagenSourceTest, PassesTheSourceContract) {
  DatagenOptions options;
  options.rows = 30;
  CheckSourceContract({[&] { return MakeSource({{"n.null_share", "0.3"}}); },
                       MakeDatagenSplits(options, SplitMode::kWholeFiles), kColumns});
}

TEST_F(DatagenSourceTest, RowsDoNotDependOnHowTheyAreCut) {
  std::vector<std::string> pieces = Rows({}, 0, 7);
  for (std::string& row : Rows({}, 7, 20)) pieces.push_back(std::move(row));
  EXPECT_EQ(pieces, Rows({}, 0, 20));
  EXPECT_NE(Rows({{"seed", "2"}}, 0, 20), pieces);
}

TEST_F(DatagenSourceTest, ValuesKeepToTheirRange) {
  const OptionMap options = {{"id.min", "-3"},  {"id.max", "3"},        {"n.min", "1"},
                             {"n.max", "2.50"}, {"t.cardinality", "4"}, {"t.null_share", "0.5"}};
  std::set<std::string> ids;
  for (const std::string& id : Column(options, 0, 1000)) ids.insert(id);
  EXPECT_EQ(ids, (std::set<std::string>{"-3", "-2", "-1", "0", "1", "2", "3"}));
  for (const std::string& n : Column(options, 3, 1000)) {
    EXPECT_GE(std::stod(n), 1);
    EXPECT_LE(std::stod(n), 2.5);
  }
  std::map<std::string, int> texts;
  for (const std::string& t : Column(options, 4, 1000)) ++texts[t];
  EXPECT_EQ(texts.size(), 5U);
  EXPECT_NEAR(texts["NULL"], 500, 80);
}

TEST_F(DatagenSourceTest, SequencesAndDisorder) {
  const OptionMap options = {{"id.kind", "sequence"},
                             {"id.min", "10"},
                             {"id.step", "2"},
                             {"ts.min", "2024-01-01"},
                             {"ts.step", "1 s"}};
  EXPECT_THAT(Column(options, 0, 3), testing::ElementsAre("10", "12", "14"));
  EXPECT_THAT(
      Column(options, 7, 3),
      testing::ElementsAre("2024-01-01 00:00:00", "2024-01-01 00:00:01", "2024-01-01 00:00:02"));
  OptionMap disordered = options;
  disordered["ts.disorder"] = "5 s";
  const std::vector<std::string> times = Column(disordered, 7, 100);
  EXPECT_FALSE(std::is_sorted(times.begin(), times.end()));
}

TEST_F(DatagenSourceTest, ZipfPrefersSmallRanks) {
  std::map<std::string, int> counts;
  for (const std::string& t : Column({{"t.cardinality", "100"}, {"t.zipf", "1.2"}}, 4, 5000)) {
    ++counts[t];
  }
  EXPECT_GT(counts["t_0"], 10 * std::max(1, counts["t_50"]));
}

}  // namespace
}  // namespace millrace
