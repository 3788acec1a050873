#include "coordinator/planner/shared_subplans.h"

#include <string>
#include <vector>

#include "coordinator/planner/explain.h"
#include "coordinator/planner/planner.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

LogicalPtr Clicks() {
  return Scan(SourceOf("clicks", {{"k", Int()}, {"url", Text()}, {"ts", Time()}}, 2));
}

LogicalPtr Users() { return Scan(SourceOf("users", {{"u", Int()}, {"country", Text()}})); }

LogicalPtr CountBy(const LogicalPtr& input, const std::string& key) {
  return NewAggregate(input, {At(input, key)}, {CountStar()});
}

LogicalPtr Where(const LogicalPtr& input, ExprPtr predicate) {
  return NewFilter(input, std::move(predicate));
}

v1::PhysicalPlan PlanOf(const std::vector<LogicalPtr>& queries, uint32_t parallelism = 2) {
  PlanOptions options;
  options.parallelism = parallelism;
  options.num_shards = 8;
  std::vector<StreamQuery> stream;
  for (size_t i = 0; i < queries.size(); ++i) {
    stream.push_back({queries[i], ViewSinkTarget{i + 1, "v" + std::to_string(i + 1)}, false,
                      static_cast<uint32_t>(i)});
  }
  return PlanStream(stream, options).value();
}

std::string Explained(const std::vector<LogicalPtr>& queries, uint32_t parallelism = 2) {
  return ExplainText(PlanOf(queries, parallelism));
}

int CountOf(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(SharedSubplansTest, TwoViewsReadTheirSourceOnce) {
  EXPECT_EQ(Explained({CountBy(Clicks(), "k"), CountBy(Clicks(), "url")}),
            "Streaming, 8 shards\n"
            "Fragment 4: 2 tasks, step 2, sink\n"
            "  ViewSink [v2; key: url] changing\n"
            "    HashAggregate [final; keys: url; aggregates: count; emit: changes] changing\n"
            "      Exchange [from fragment 3]\n"
            "Fragment 3: 2 tasks, step 2, hash by url to fragment 4\n"
            "  HashAggregate [partial; keys: url; aggregates: count(*)]\n"
            "    Project [url]\n"
            "      Exchange [from fragment 0]\n"
            "Fragment 2: 2 tasks, step 1, sink\n"
            "  ViewSink [v1; key: k] changing\n"
            "    HashAggregate [final; keys: k; aggregates: count; emit: changes] changing\n"
            "      Exchange [from fragment 1]\n"
            "Fragment 1: 2 tasks, step 1, hash by k to fragment 2\n"
            "  HashAggregate [partial; keys: k; aggregates: count(*)]\n"
            "    Project [k]\n"
            "      Exchange [from fragment 0]\n"
            "Fragment 0: 2 tasks, shared by steps 1, 2, forward to fragment 1, forward to "
            "fragment 3\n"
            "  Scan [clicks (file); columns: k, url; watermark: ts - 5000000 us]\n");
}

TEST(SharedSubplansTest, ConditionsOfAllStayInTheScan) {
  const auto over = [](int64_t k, const std::string& url) {
    const LogicalPtr clicks = Clicks();
    return CountBy(
        Where(clicks, And({Op(">", Col(clicks, "k"), Lit(1)), Eq(Col(clicks, "url"), Lit(url)),
                           Op("<", Col(clicks, "k"), Lit(k))})),
        "k");
  };
  const std::string text = Explained({over(10, "a"), over(10, "b")});
  EXPECT_EQ(CountOf(text, "Scan ["), 1) << text;
  EXPECT_NE(text.find("filter: (k > 1) AND (k < 10)"), std::string::npos) << text;
  EXPECT_NE(text.find("Filter [url = 'a']"), std::string::npos) << text;
  EXPECT_NE(text.find("Filter [url = 'b']"), std::string::npos) << text;
}

TEST(SharedSubplansTest, AJoinThatTwoViewsAggregateIsComputedOnce) {
  const auto joined = [] {
    const LogicalPtr clicks = Clicks();
    const LogicalPtr users = Users();
    return NewJoin(JoinType::kInner, clicks, users,
                   Eq(Col(clicks, users, "k"), Col(clicks, users, "u")));
  };
  const LogicalPtr first = CountBy(Pick(joined(), {"url", "country"}), "country");
  const LogicalPtr pairs = Pick(joined(), {"url", "country"});
  const LogicalPtr second = NewAggregate(pairs, {0, 1}, {CountStar()});
  const std::string text = Explained({second, NewAggregate(pairs, {1, 0}, {CountStar()})});
  EXPECT_EQ(CountOf(text, "HashJoin ["), 1) << text;
  EXPECT_EQ(CountOf(text, "Scan ["), 2) << text;
  // Columns that only one of them needs keep the joins apart, but not the scans.
  EXPECT_EQ(CountOf(Explained({first, second}), "Scan ["), 2);
}

TEST(SharedSubplansTest, AViewOverAnothersQueryTakesItsChanges) {
  const LogicalPtr counts = CountBy(Clicks(), "k");
  const LogicalPtr above = Where(counts, Op(">", Col(counts, "count"), Lit(5)));
  const std::string text = Explained({counts, above});
  EXPECT_EQ(CountOf(text, "[final;"), 1) << text;
  EXPECT_NE(text.find("shared by steps 1, 2, forward to fragment"), std::string::npos) << text;
}

TEST(SharedSubplansTest, EqualViewsAreOneQueryWithTwoSinks) {
  const std::string text = Explained({CountBy(Clicks(), "k"), CountBy(Clicks(), "k")});
  EXPECT_EQ(CountOf(text, "ViewSink ["), 2) << text;
  EXPECT_EQ(CountOf(text, "[partial;"), 1) << text;
}

TEST(SharedSubplansTest, RowsThatAreOnlySpreadGoStraightFromTheScan) {
  const std::string text = Explained({Pick(Clicks(), {"k", "url"}), Pick(Clicks(), {"k", "url"})});
  EXPECT_NE(text.find("hash by k, url to fragment 1, hash by k, url to fragment 2"),
            std::string::npos)
      << text;
}

TEST(SharedSubplansTest, TopNPerGroupOfOneInputReadsItOnce) {
  const auto top = [](int64_t n) {
    const LogicalPtr clicks = Clicks();
    const LogicalPtr numbered = RowNumber(clicks, {0}, {Desc(Col(clicks, "ts"))});
    return Where(numbered, Op("<=", MakeColumn(3, Int()), Lit(n)));
  };
  EXPECT_EQ(CountOf(Explained({top(1), top(3)}), "Scan ["), 1);
}

TEST(SharedSubplansTest, VolatileConditionsAreNotShared) {
  const auto some = [] {
    return CountBy(Where(Clicks(), Op("<", Random(), MakeLiteral(Value{Float(), 0.5}))), "k");
  };
  const std::string text = Explained({some(), some()});
  EXPECT_EQ(CountOf(text, "Scan ["), 1) << text;
  EXPECT_EQ(CountOf(text, "Filter ["), 2) << text;
}

TEST(SharedSubplansTest, OtherEmissionIsAnotherAggregation) {
  const LogicalPtr windowed = Tumble(Clicks(), "ts", WindowKind::kTumble);
  const LogicalPtr counts = NewAggregate(windowed, {At(windowed, "window_end")}, {CountStar()});
  PlanOptions options;
  options.parallelism = 2;
  options.num_shards = 8;
  const v1::PhysicalPlan plan = PlanStream({{counts, ViewSinkTarget{1, "v1"}, false, 0},
                                            {counts, ViewSinkTarget{2, "v2"}, true, 1}},
                                           options)
                                    .value();
  const std::string text = ExplainText(plan);
  EXPECT_EQ(CountOf(text, "[final;"), 2) << text;
  EXPECT_EQ(CountOf(text, "Window ["), 1) << text;
  EXPECT_FALSE(ViewTraitsOf(plan, 1).append_only);
  EXPECT_TRUE(ViewTraitsOf(plan, 2).append_only);
}

TEST(SharedSubplansTest, ScansAreKnownForEachView) {
  const v1::PhysicalPlan plan =
      PlanOf({CountBy(Clicks(), "k"), CountBy(Users(), "country"), CountBy(Clicks(), "url")});
  EXPECT_EQ(ScansFeeding(plan, 1), ScansFeeding(plan, 3));
  EXPECT_EQ(ScansFeeding(plan, 1).size(), 1);
  EXPECT_NE(ScansFeeding(plan, 1), ScansFeeding(plan, 2));
  EXPECT_TRUE(ScansFeeding(plan, 4).empty());
}

TEST(SharedSubplansTest, OneTaskSharesToo) {
  EXPECT_EQ(CountOf(Explained({CountBy(Clicks(), "k"), CountBy(Clicks(), "url")}, 1), "Scan ["), 1);
}

}  // namespace
}  // namespace millrace
