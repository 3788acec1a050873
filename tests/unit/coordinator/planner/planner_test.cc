#include "coordinator/planner/planner.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "coordinator/planner/explain.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

using F = AggregateFunction;

std::string ExplainedBatch(const LogicalPtr& query, const PlanOptions& options) {
  const absl::StatusOr<v1::PhysicalPlan> plan = PlanQuery(query, options);
  return plan.ok() ? ExplainText(*plan) : std::string(plan.status().message());
}

// Sources have no known size, so that plans show no estimates.
LogicalPtr Files(const std::string& name) {
  return Scan(SourceOf(name, {{name + "a", Int()}, {name + "b", Int()}, {name + "c", Text()}}));
}

std::string Parallel(const LogicalPtr& query) {
  PlanOptions options;
  options.parallelism = 4;
  return ExplainedBatch(query, options);
}

std::string InOneTask(const LogicalPtr& query) { return ExplainedBatch(query, PlanOptions()); }

LogicalPtr JoinOn(JoinType type, const LogicalPtr& left, const LogicalPtr& right,
                  const std::string& left_column, const std::string& right_column) {
  return NewJoin(type, left, right,
                 Eq(Col(left, right, left_column), Col(left, right, right_column)));
}

TEST(PlannerTest, AFilteredScanIsOneFragment) {
  const LogicalPtr s = Files("s");
  EXPECT_EQ(Parallel(Pick(NewFilter(s, Op(">", Col(s, "sb"), Lit(1))), {"sa"})),
            "Fragment 0: 4 tasks, result\n"
            "  Project [sa]\n"
            "    Scan [s (file); columns: sa, sb; filter: sb > 1]\n");
}

TEST(PlannerTest, AggregatesInTwoPhases) {
  const LogicalPtr s = Files("s");
  EXPECT_EQ(Parallel(NewAggregate(s, {0}, {CountStar(), Aggregate(F::kMax, 1, Int())})),
            "Fragment 1: 4 tasks, result\n"
            "  HashAggregate [final; keys: sa; aggregates: count, max]\n"
            "    Exchange [from fragment 0]\n"
            "Fragment 0: 4 tasks, hash by sa to fragment 1\n"
            "  HashAggregate [partial; keys: sa; aggregates: count(*), max(sb)]\n"
            "    Scan [s (file); columns: sa, sb]\n");
  EXPECT_EQ(Parallel(NewAggregate(s, {}, {CountStar()})),
            "Fragment 1: 1 task, result\n"
            "  HashAggregate [final; aggregates: count] ~1 rows\n"
            "    Exchange [from fragment 0]\n"
            "Fragment 0: 4 tasks, single to fragment 1\n"
            "  HashAggregate [partial; aggregates: count(*)]\n"
            "    Scan [s (file); columns: sa]\n");
}

TEST(PlannerTest, DistinctAggregatesSeeTheirWholeGroup) {
  const LogicalPtr s = Files("s");
  EXPECT_EQ(Parallel(NewAggregate(s, {0}, {CountStar(), Aggregate(F::kCount, 1, Int(), true)})),
            "Fragment 1: 4 tasks, result\n"
            "  HashAggregate [keys: sa; aggregates: count(*), count(distinct sb)]\n"
            "    Exchange [from fragment 0]\n"
            "Fragment 0: 4 tasks, hash by sa to fragment 1\n"
            "  Scan [s (file); columns: sa, sb]\n");
}

TEST(PlannerTest, OneTaskNeedsNoExchange) {
  const LogicalPtr s = Files("s");
  const LogicalPtr join = JoinOn(JoinType::kInner, s, Files("t"), "sa", "ta");
  EXPECT_EQ(InOneTask(NewSort(NewAggregate(join, {1}, {CountStar()}), {Asc(MakeColumn(1, Int()))})),
            "Fragment 0: 1 task, result\n"
            "  Sort [count]\n"
            "    HashAggregate [keys: sb; aggregates: count(*)]\n"
            "      Project [sb]\n"
            "        HashJoin [inner; on: sa = ta]\n"
            "          Scan [s (file); columns: sa, sb]\n"
            "          Scan [t (file); columns: ta]\n");
}

TEST(PlannerTest, JoinsSpreadBothSides) {
  EXPECT_EQ(Parallel(JoinOn(JoinType::kLeft, Files("s"), Files("t"), "sa", "tb")),
            "Fragment 2: 4 tasks, result\n"
            "  HashJoin [left; on: sa = tb]\n"
            "    Exchange [from fragment 0]\n"
            "    Exchange [from fragment 1]\n"
            "Fragment 1: 4 tasks, hash by tb to fragment 2\n"
            "  Scan [t (file); columns: ta, tb, tc]\n"
            "Fragment 0: 4 tasks, hash by sa to fragment 2\n"
            "  Scan [s (file); columns: sa, sb, sc]\n");
}

TEST(PlannerTest, AnAggregationByTheJoinsKeyNeedsNoExchange) {
  const LogicalPtr join = JoinOn(JoinType::kInner, Files("s"), Files("t"), "sa", "ta");
  EXPECT_EQ(Parallel(NewAggregate(join, {3, 1}, {CountStar()})),
            "Fragment 2: 4 tasks, result\n"
            "  HashAggregate [keys: ta, sb; aggregates: count(*)]\n"
            "    Project [sb, ta]\n"
            "      HashJoin [inner; on: sa = ta]\n"
            "        Exchange [from fragment 0]\n"
            "        Exchange [from fragment 1]\n"
            "Fragment 1: 4 tasks, hash by ta to fragment 2\n"
            "  Scan [t (file); columns: ta]\n"
            "Fragment 0: 4 tasks, hash by sa to fragment 2\n"
            "  Scan [s (file); columns: sa, sb]\n");
}

TEST(PlannerTest, ASmallSideIsBroadcast) {
  const LogicalPtr small = Scan(TableOf("n", {{"na", Int()}}, 25));
  EXPECT_EQ(Parallel(JoinOn(JoinType::kInner, small, Files("s"), "na", "sa")),
            "Fragment 1: 4 tasks, result\n"
            "  Project [na, sa, sb, sc]\n"
            "    HashJoin [inner; on: sa = na]\n"
            "      Scan [s (file); columns: sa, sb, sc]\n"
            "      Exchange [from fragment 0] ~25 rows\n"
            "Fragment 0: 4 tasks, broadcast to fragment 1\n"
            "  Scan [n (table); columns: na] ~25 rows\n");
}

TEST(PlannerTest, NotInSeesAllOfTheRightSide) {
  EXPECT_EQ(Parallel(JoinOn(JoinType::kNullAwareAnti, Files("s"), Files("t"), "sa", "ta")),
            "Fragment 1: 4 tasks, result\n"
            "  HashJoin [null_aware_anti; on: sa = ta]\n"
            "    Scan [s (file); columns: sa, sb, sc]\n"
            "    Exchange [from fragment 0]\n"
            "Fragment 0: 4 tasks, broadcast to fragment 1\n"
            "  Scan [t (file); columns: ta]\n");
}

TEST(PlannerTest, JoinsWithoutAnEqualityAreNestedLoops) {
  const LogicalPtr s = Files("s");
  const LogicalPtr t = Files("t");
  EXPECT_EQ(Parallel(NewJoin(JoinType::kInner, s, t, Op("<", Col(s, t, "sa"), Col(s, t, "ta")))),
            "Fragment 1: 4 tasks, result\n"
            "  NestedLoopJoin [inner; on: sa < ta]\n"
            "    Scan [s (file); columns: sa, sb, sc]\n"
            "    Exchange [from fragment 0]\n"
            "Fragment 0: 4 tasks, broadcast to fragment 1\n"
            "  Scan [t (file); columns: ta, tb, tc]\n");
  EXPECT_EQ(Parallel(NewJoin(JoinType::kFull, s, t, Op("<", Col(s, t, "sa"), Col(s, t, "ta")))),
            "Fragment 2: 1 task, result\n"
            "  NestedLoopJoin [full; on: sa < ta]\n"
            "    Exchange [from fragment 0]\n"
            "    Exchange [from fragment 1]\n"
            "Fragment 1: 4 tasks, single to fragment 2\n"
            "  Scan [t (file); columns: ta, tb, tc]\n"
            "Fragment 0: 4 tasks, single to fragment 2\n"
            "  Scan [s (file); columns: sa, sb, sc]\n");
}

TEST(PlannerTest, SortsMergeIntoOneTask) {
  const LogicalPtr s = Files("s");
  EXPECT_EQ(Parallel(NewSort(s, {Desc(Op("+", Col(s, "sa"), Col(s, "sb"))), Asc(Col(s, "sc"))})),
            "Fragment 1: 1 task, result\n"
            "  Project [sa, sb, sc]\n"
            "    Exchange [from fragment 0; merge: sort_key desc, sc]\n"
            "Fragment 0: 4 tasks, single to fragment 1\n"
            "  Sort [sort_key desc, sc]\n"
            "    Project [sa, sb, sc, sa + sb as sort_key]\n"
            "      Scan [s (file); columns: sa, sb, sc]\n");
}

TEST(PlannerTest, ALimitedSortIsATopN) {
  const LogicalPtr s = Files("s");
  EXPECT_EQ(Parallel(NewLimit(NewSort(s, {Desc(Col(s, "sa"))}), 10, 5)),
            "Fragment 1: 1 task, result\n"
            "  TopN [limit: 10; offset: 5; order: sa desc] ~10 rows\n"
            "    Exchange [from fragment 0]\n"
            "Fragment 0: 4 tasks, single to fragment 1\n"
            "  TopN [limit: 15; order: sa desc]\n"
            "    Scan [s (file); columns: sa, sb, sc]\n");
}

TEST(PlannerTest, ALimitStopsEveryTask) {
  EXPECT_EQ(Parallel(NewLimit(Files("s"), 10, 5)),
            "Fragment 1: 1 task, result\n"
            "  Limit [limit: 10; offset: 5] ~10 rows\n"
            "    Exchange [from fragment 0]\n"
            "Fragment 0: 4 tasks, single to fragment 1\n"
            "  Limit [limit: 15]\n"
            "    Scan [s (file); columns: sa, sb, sc]\n");
}

TEST(PlannerTest, UnionsRunInTheirInputsTasks) {
  const LogicalPtr s = Files("s");
  const LogicalPtr one = NewValues(s->output, {{Lit(1), Lit(2), Lit("x")}});
  EXPECT_EQ(Parallel(NewUnionAll({s, Files("t"), one})),
            "Fragment 1: 4 tasks, result\n"
            "  UnionAll\n"
            "    Scan [s (file); columns: sa, sb, sc]\n"
            "    Scan [t (file); columns: ta, tb, tc]\n"
            "    Exchange [from fragment 0] ~1 rows\n"
            "Fragment 0: 1 task, round robin to fragment 1\n"
            "  Values [rows: 1] ~1 rows\n");
}

TEST(PlannerTest, OverIsSpreadByItsPartition) {
  const LogicalPtr s = Files("s");
  OverCall sum;
  sum.aggregate = Aggregate(F::kSum, 1, SqlType::Numeric(0, 0));
  sum.type = sum.aggregate->type;
  sum.frame.unit = FrameUnit::kRows;
  sum.frame.start = FrameBoundKind::kPreceding;
  sum.frame.start_offset = Value{Int(), int64_t{9}};
  EXPECT_EQ(Parallel(NewOver(s, {0}, {Asc(Col(s, "sb"))}, {sum})),
            "Fragment 1: 4 tasks, result\n"
            "  Over [sum(sb) rows 9 preceding .. current row; partition: sa; order: sb]\n"
            "    Exchange [from fragment 0]\n"
            "Fragment 0: 4 tasks, hash by sa to fragment 1\n"
            "  Scan [s (file); columns: sa, sb, sc]\n");
}

TEST(PlannerTest, ABoundedRowNumberIsATopNPerGroup) {
  const LogicalPtr s = Files("s");
  const LogicalPtr over = RowNumber(s, {0}, {Desc(Col(s, "sb"))});
  const LogicalPtr top = NewFilter(over, Op("<=", Col(over, "row_number"), Lit(3)));
  EXPECT_EQ(Parallel(top),
            "Fragment 1: 4 tasks, result\n"
            "  GroupTopN [limit: 3; partition: sa; order: sb desc; with number]\n"
            "    Exchange [from fragment 0]\n"
            "Fragment 0: 4 tasks, hash by sa to fragment 1\n"
            "  GroupTopN [limit: 3; partition: sa; order: sb desc]\n"
            "    Scan [s (file); columns: sa, sb, sc]\n");
  EXPECT_EQ(Parallel(Pick(top, {"sa", "sc"})),
            "Fragment 1: 4 tasks, result\n"
            "  Project [sa, sc]\n"
            "    GroupTopN [limit: 3; partition: sa; order: sb desc]\n"
            "      Exchange [from fragment 0]\n"
            "Fragment 0: 4 tasks, hash by sa to fragment 1\n"
            "  GroupTopN [limit: 3; partition: sa; order: sb desc]\n"
            "    Scan [s (file); columns: sa, sb, sc]\n");
}

TEST(PlannerTest, SelectWithoutFromRunsInOneTask) {
  EXPECT_EQ(Parallel(NewProject(NewOneRow(), {Op("+", Lit(1), Lit(2))}, {"x"})),
            "Fragment 0: 1 task, result\n"
            "  Values [rows: 1] ~1 rows\n");
}

TEST(PlannerTest, ResultsBearTheNamesOfTheQuery) {
  const LogicalPtr s = Files("s");
  const auto plan = PlanQuery(WithNames(s, {"x", "y", "z"}), PlanOptions());
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->result().fields_size(), 3);
  EXPECT_EQ(plan->result().fields(0).name(), "x");
  EXPECT_EQ(plan->result().fields(2).name(), "z");
}

TEST(PlannerTest, ATableSinkCountsItsRows) {
  PlanOptions options;
  options.parallelism = 2;
  options.step = 7;
  options.target = TableSinkTarget{5, {{"x", Int()}}, "staging/5"};
  const LogicalPtr s = Files("s");
  EXPECT_EQ(ExplainedBatch(Pick(s, {"sa"}), options),
            "Fragment 1: 1 task, result\n"
            "  HashAggregate [final; aggregates: count] ~1 rows\n"
            "    Exchange [from fragment 0] ~2 rows\n"
            "Fragment 0: 2 tasks, single to fragment 1\n"
            "  TableSink [object 5] ~2 rows\n"
            "    Scan [s (file); columns: sa]\n");
  const auto plan = PlanQuery(Pick(s, {"sa"}), options);
  ASSERT_EQ(plan->result().fields_size(), 1);
  EXPECT_EQ(plan->result().fields(0).type().id(), v1::TYPE_ID_INT64);
  EXPECT_EQ(plan->fragments(0).step(), 7u);
}

TEST(PlannerTest, AnOrderedFileSinkWritesInOneTask) {
  PlanOptions options;
  options.parallelism = 2;
  options.target = FileSinkTarget{6, "out", "file", {{"path", "out/"}}, {{"x", Int()}}};
  const LogicalPtr s = Files("s");
  const LogicalPtr picked = Pick(s, {"sa"});
  EXPECT_EQ(ExplainedBatch(NewSort(picked, {Asc(Col(picked, "sa"))}), options),
            "Fragment 1: 1 task, result\n"
            "  HashAggregate [final; aggregates: count] ~1 rows\n"
            "    FileSink [out] ~1 rows\n"
            "      Exchange [from fragment 0; merge: sa]\n"
            "Fragment 0: 2 tasks, single to fragment 1\n"
            "  Sort [sa]\n"
            "    Scan [s (file); columns: sa]\n");
}

TEST(PlannerTest, ASingleFileIsWrittenByOneTask) {
  PlanOptions options;
  options.parallelism = 2;
  FileSinkTarget target{6, "out", "file", {{"path", "out.csv"}}, {{"x", Int()}}};
  target.single_file = true;
  options.target = target;
  EXPECT_EQ(ExplainedBatch(Pick(Files("s"), {"sa"}), options),
            "Fragment 1: 1 task, result\n"
            "  HashAggregate [final; aggregates: count] ~1 rows\n"
            "    FileSink [out] ~1 rows\n"
            "      Exchange [from fragment 0]\n"
            "Fragment 0: 2 tasks, single to fragment 1\n"
            "  Scan [s (file); columns: sa]\n");
}

TEST(PlannerTest, SizesAreAskedForOnceAndOnlyForJoins) {
  PlanOptions options;
  int asked = 0;
  options.statistics = [&](const v1::CatalogObject&) {
    ++asked;
    return TableStatistics{100, {}};
  };
  const LogicalPtr s = Files("s");
  EXPECT_TRUE(PlanQuery(NewAggregate(s, {0}, {CountStar()}), options).ok());
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(PlanQuery(JoinOn(JoinType::kInner, s, Files("t"), "sa", "ta"), options).ok());
  EXPECT_EQ(asked, 2);
}

// A file that is in no catalog: named in the query.
LogicalPtr NamedFile(const std::string& name) {
  std::shared_ptr<v1::CatalogObject> object =
      SourceOf(name, {{name + "a", Int()}, {name + "b", Int()}});
  object->clear_id();
  (*object->mutable_options())["path"] = absl::StrCat("/in/", name, ".parquet");
  return Scan(std::move(object));
}

TEST(PlannerTest, FilesThatAreNamedInTheQueryHaveSizesOfTheirOwn) {
  PlanOptions options;
  options.parallelism = 2;
  std::vector<std::string> asked;
  options.statistics = [&](const v1::CatalogObject& object) {
    asked.push_back(object.name());
    return TableStatistics{object.name() == "s" ? 10'000 : 100, {}};
  };
  const LogicalPtr join = JoinOn(JoinType::kInner, NamedFile("s"), NamedFile("t"), "sa", "ta");
  EXPECT_THAT(ExplainedBatch(join, options),
              testing::AllOf(testing::HasSubstr("Scan [s (file); columns: sa, sb] ~10000 rows\n"),
                             testing::HasSubstr("Scan [t (file); columns: ta, tb] ~100 rows\n")));
  EXPECT_THAT(asked, testing::UnorderedElementsAre("s", "t"));
}

}  // namespace
}  // namespace millrace
