#include "common/base/status.h"
#include "coordinator/planner/explain.h"
#include "coordinator/planner/planner.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/planner/logical_fixture.h"

namespace millrace {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using StreamFixture = AggregateFunction;

PlanOptions ViewOptions() {
  PlanOptions options;
  options.parallelism = 2;
  options.streaming = true;
  options.num_shards = 8;
  options.target = ViewSinkTarget{9, "v"};
  return options;
}

PlanOptions OnCloseOptions() {
  PlanOptions options = ViewOptions();
  options.emit_on_window_close = true;
  return options;
}

PlanOptions FileOptions() {
  PlanOptions options = ViewOptions();
  options.target = FileSinkTarget{6, "out", "file", {{"path", "out/"}}, {}};
  return options;
}

std::string Explained(const LogicalPtr& query, const PlanOptions& options = ViewOptions()) {
  const absl::StatusOr<v1::PhysicalPlan> plan = PlanQuery(query, options);
  if (plan.ok()) return ExplainText(*plan);
  const ErrorDetail detail = GetErrorDetail(plan.status());
  return std::string(SqlStateCode(detail.state)) + ": " + std::string(plan.status().message()) +
         "\nHINT: " + detail.hint;
}

ViewTraits TraitsOf(const LogicalPtr& query, const PlanOptions& options = ViewOptions()) {
  return ViewTraitsOf(PlanQuery(query, options).value(), 9);
}

// Clicks with a watermark on ts; `late` has none.
LogicalPtr Clicks(const std::string& name = "clicks", bool watermark = true) {
  return Scan(SourceOf(name, {{"k", Int()}, {"url", Text()}, {"ts", Time()}}, watermark ? 2 : -1));
}

// count(*) of one-minute windows by these columns.
LogicalPtr Windowed(const LogicalPtr& input, const std::vector<std::string>& keys,
                    WindowKind window = WindowKind::kTumble) {
  const LogicalPtr windowed = Tumble(input, "ts", window);
  std::vector<int> columns;
  for (const std::string& key : keys) columns.push_back(At(windowed, key));
  return NewAggregate(windowed, columns, {CountStar()});
}

TEST(PlannerStreamingTest, RowsThatOnlyGrowAreKeptWhole) {
  const LogicalPtr clicks = Clicks();
  const LogicalPtr query = Pick(NewFilter(clicks, Op(">", Col(clicks, "k"), Lit(1))), {"k", "url"});
  EXPECT_EQ(Explained(query),
            "Streaming, 8 shards\n"
            "Fragment 1: 2 tasks, sink\n"
            "  ViewSink [v; key: the whole row]\n"
            "    Exchange [from fragment 0]\n"
            "Fragment 0: 2 tasks, hash by k, url to fragment 1\n"
            "  Scan [clicks (file); columns: k, url; filter: k > 1; watermark: ts - 5000000 us]\n");
  EXPECT_TRUE(TraitsOf(query).append_only);
  EXPECT_TRUE(TraitsOf(query).key.empty());
}

// Else a view's rows would not move with their shards when the parallelism changes.
TEST(PlannerStreamingTest, RowsOfAViewLieWithTheShardThatTheyWereSpreadBy) {
  const auto shard_columns = [](const LogicalPtr& query) {
    const v1::PhysicalPlan plan = PlanQuery(query, ViewOptions()).value();
    const auto& columns = plan.fragments().rbegin()->root().view_sink().shard_columns();
    return std::vector<uint32_t>(columns.begin(), columns.end());
  };
  const LogicalPtr clicks = Clicks();
  EXPECT_EQ(shard_columns(Pick(clicks, {"k", "url"})), (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(shard_columns(NewAggregate(clicks, {0}, {CountStar()})), std::vector<uint32_t>{0});
  // One task has all.
  EXPECT_EQ(shard_columns(NewAggregate(clicks, {}, {CountStar()})), std::vector<uint32_t>());
}

TEST(PlannerStreamingTest, AggregatesChangeAndAreUniqueByTheirKeys) {
  const LogicalPtr query = NewAggregate(Clicks(), {0}, {CountStar()});
  EXPECT_EQ(Explained(query),
            "Streaming, 8 shards\n"
            "Fragment 1: 2 tasks, sink\n"
            "  ViewSink [v; key: k] changing\n"
            "    HashAggregate [final; keys: k; aggregates: count; emit: changes] changing\n"
            "      Exchange [from fragment 0]\n"
            "Fragment 0: 2 tasks, hash by k to fragment 1\n"
            "  HashAggregate [partial; keys: k; aggregates: count(*)]\n"
            "    Scan [clicks (file); columns: k; watermark: ts - 5000000 us]\n");
  EXPECT_FALSE(TraitsOf(query).append_only);
  EXPECT_EQ(TraitsOf(query).key, std::vector<uint32_t>{0});
}

TEST(PlannerStreamingTest, WindowsCloseByTheirEnd) {
  const LogicalPtr query = Windowed(Clicks(), {"window_start", "window_end", "url"});
  EXPECT_EQ(Explained(query, OnCloseOptions()),
            "Streaming, 8 shards\n"
            "Fragment 1: 2 tasks, sink\n"
            "  ViewSink [v; key: window_start, window_end, url]\n"
            "    HashAggregate [final; keys: window_start, window_end, url; aggregates: count; "
            "emit: on window close; window end: window_end]\n"
            "      Exchange [from fragment 0]\n"
            "Fragment 0: 2 tasks, hash by window_start, window_end, url to fragment 1\n"
            "  HashAggregate [partial; keys: window_start, window_end, url; aggregates: count(*); "
            "window end: window_end]\n"
            "    Project [url, window_start, window_end]\n"
            "      Window [tumble; time: ts; size: 60000000 us]\n"
            "        Scan [clicks (file); columns: url, ts; watermark: ts - 5000000 us]\n");
  EXPECT_TRUE(TraitsOf(query, OnCloseOptions()).append_only);
}

TEST(PlannerStreamingTest, AWindowsStartIsEnoughToCloseIt) {
  const LogicalPtr query = Windowed(Clicks(), {"url", "window_start"});
  EXPECT_EQ(Explained(query, OnCloseOptions()),
            "Streaming, 8 shards\n"
            "Fragment 2: 2 tasks, sink\n"
            "  ViewSink [v; key: url, window_start]\n"
            "    Exchange [from fragment 1]\n"
            "Fragment 1: 2 tasks, hash by url, window_start to fragment 2\n"
            "  Project [url, window_start, count]\n"
            "    HashAggregate [final; keys: url, window_start, window_end; aggregates: count; "
            "emit: on window close; window end: window_end]\n"
            "      Exchange [from fragment 0]\n"
            "Fragment 0: 2 tasks, hash by url, window_start, window_end to fragment 1\n"
            "  HashAggregate [partial; keys: url, window_start, window_end; aggregates: count(*); "
            "window end: window_end]\n"
            "    Project [url, window_start, window_start + interval '00:01:00' as window_end]\n"
            "      Project [url, window_start]\n"
            "        Window [tumble; time: ts; size: 60000000 us]\n"
            "          Scan [clicks (file); columns: url, ts; watermark: ts - 5000000 us]\n");
  EXPECT_EQ(TraitsOf(query, OnCloseOptions()).key, (std::vector<uint32_t>{0, 1}));
}

TEST(PlannerStreamingTest, CumulatingWindowsNeedTheirEnd) {
  const LogicalPtr query = Windowed(Clicks(), {"window_start"}, WindowKind::kCumulate);
  EXPECT_EQ(Explained(query, OnCloseOptions()).substr(0, 6), "0A000:");
}

TEST(PlannerStreamingTest, ClosingNeedsAWatermark) {
  const LogicalPtr query = Windowed(Clicks("c", false), {"window_start", "window_end"});
  EXPECT_EQ(Explained(query, OnCloseOptions()),
            "55000: EMIT ON WINDOW CLOSE needs a source with a watermark\n"
            "HINT: declare it where the source is defined: WATERMARK FOR ts AS ts - INTERVAL '5' "
            "SECOND");
  EXPECT_EQ(Explained(query).substr(0, 9), "Streaming");
}

TEST(PlannerStreamingTest, ClosingNeedsAWindow) {
  const LogicalPtr query = NewAggregate(Clicks(), {0}, {CountStar()});
  EXPECT_EQ(Explained(query, OnCloseOptions()).substr(0, 6), "0A000:");
}

TEST(PlannerStreamingTest, AWindowOverWindowsThatChangeTakesRowsBack) {
  const LogicalPtr counts = Windowed(Clicks(), {"window_end", "url"});
  const LogicalPtr query = NewAggregate(counts, {0}, {Aggregate(StreamFixture::kMax, 2, Int())});
  EXPECT_EQ(Explained(query),
            "Streaming, 8 shards\n"
            "Fragment 2: 2 tasks, sink\n"
            "  ViewSink [v; key: window_end] changing\n"
            "    HashAggregate [keys: window_end; aggregates: max(count); emit: changes; window "
            "end: window_end] changing\n"
            "      Exchange [from fragment 1] changing\n"
            "Fragment 1: 2 tasks, hash by window_end to fragment 2\n"
            "  Project [window_end, count] changing\n"
            "    HashAggregate [final; keys: window_end, url; aggregates: count; emit: changes; "
            "window end: window_end] changing\n"
            "      Exchange [from fragment 0]\n"
            "Fragment 0: 2 tasks, hash by window_end, url to fragment 1\n"
            "  HashAggregate [partial; keys: window_end, url; aggregates: count(*); window end: "
            "window_end]\n"
            "    Project [url, window_end]\n"
            "      Window [tumble; time: ts; size: 60000000 us]\n"
            "        Scan [clicks (file); columns: url, ts; watermark: ts - 5000000 us]\n");
}

TEST(PlannerStreamingTest, DifferentRowsOfGrowingInputOnlyGrow) {
  const LogicalPtr query = NewDistinct(Pick(Clicks(), {"k", "url"}));
  EXPECT_TRUE(TraitsOf(query).append_only);
  EXPECT_EQ(Explained(query, FileOptions()).substr(0, 9), "Streaming");
  EXPECT_EQ(Explained(query, OnCloseOptions()).substr(0, 9), "Streaming");
}

TEST(PlannerStreamingTest, AFileSinkRefusesChanges) {
  const LogicalPtr query = NewAggregate(Clicks(), {0}, {CountStar()});
  EXPECT_EQ(Explained(query, FileOptions()),
            "0A000: a file sink cannot take rows back, but this query's rows change\n"
            "HINT: group by a window and add EMIT ON WINDOW CLOSE, or write an append-only query");
  PlanOptions print = FileOptions();
  std::get<FileSinkTarget>(print.target).connector = "print";
  EXPECT_EQ(Explained(query, print).substr(0, 9), "Streaming");
}

TEST(PlannerStreamingTest, ASinkIsNamedByItsConnector) {
  PlanOptions options = FileOptions();
  for (const auto& [connector, line] :
       std::vector<std::pair<std::string, std::string>>{{"file", "  FileSink [out]\n"},
                                                        {"kafka", "  KafkaSink [out]\n"},
                                                        {"blackhole", "  BlackholeSink [out]\n"}}) {
    SCOPED_TRACE(connector);
    std::get<FileSinkTarget>(options.target).connector = connector;
    EXPECT_THAT(Explained(Clicks(), options), ::testing::HasSubstr(line));
  }
}

TEST(PlannerStreamingTest, WhatAStreamRefusesPointsToItsPlace) {
  const auto position = [](const LogicalPtr& query, PlanOptions options) {
    options.positions = {13, 40};
    return GetErrorDetail(PlanQuery(query, options).status()).position;
  };
  const LogicalPtr changing = NewAggregate(Clicks(), {0}, {CountStar()});
  EXPECT_EQ(position(changing, FileOptions()), 13);
  EXPECT_EQ(position(changing, OnCloseOptions()), 40);
  const LogicalPtr unmarked = Windowed(Clicks("c", false), {"window_start", "window_end"});
  EXPECT_EQ(position(unmarked, OnCloseOptions()), 40);
}

TEST(PlannerStreamingTest, AFileSinkTakesClosedWindows) {
  PlanOptions options = FileOptions();
  options.emit_on_window_close = true;
  EXPECT_EQ(
      Explained(Windowed(Clicks(), {"window_end"}), options),
      "Streaming, 8 shards\n"
      "Fragment 1: 2 tasks, sink\n"
      "  FileSink [out]\n"
      "    HashAggregate [final; keys: window_end; aggregates: count; emit: on window close; "
      "window end: window_end]\n"
      "      Exchange [from fragment 0]\n"
      "Fragment 0: 2 tasks, hash by window_end to fragment 1\n"
      "  HashAggregate [partial; keys: window_end; aggregates: count(*); window end: window_end]\n"
      "    Project [window_end]\n"
      "      Window [tumble; time: ts; size: 60000000 us]\n"
      "        Scan [clicks (file); columns: ts; watermark: ts - 5000000 us]\n");
}

TEST(PlannerStreamingTest, AStoredTableTakesNoStream) {
  PlanOptions options = ViewOptions();
  options.target = TableSinkTarget{3, {}, "staging"};
  EXPECT_EQ(Explained(Clicks(), options).substr(0, 6), "0A000:");
}

TEST(PlannerStreamingTest, JoinsKeepBothSides) {
  const LogicalPtr left = Clicks("l");
  const LogicalPtr right = Pick(Clicks("r"), {"k", "url"});
  const LogicalPtr on_key =
      NewJoin(JoinType::kInner, left, right, Eq(MakeColumn(0, Int()), MakeColumn(3, Int())));
  EXPECT_EQ(Explained(on_key),
            "Streaming, 8 shards\n"
            "Fragment 3: 2 tasks, sink\n"
            "  ViewSink [v; key: the whole row]\n"
            "    Exchange [from fragment 2]\n"
            "Fragment 2: 2 tasks, hash by k, url, ts, k, url to fragment 3\n"
            "  HashJoin [inner; on: k = k; symmetric]\n"
            "    Exchange [from fragment 0]\n"
            "    Exchange [from fragment 1]\n"
            "Fragment 1: 2 tasks, hash by k to fragment 2\n"
            "  Scan [r (file); columns: k, url; watermark: ts - 5000000 us]\n"
            "Fragment 0: 2 tasks, hash by k to fragment 2\n"
            "  Scan [l (file); columns: k, url, ts; watermark: ts - 5000000 us]\n");
  EXPECT_TRUE(TraitsOf(on_key).append_only);
  const LogicalPtr outer =
      NewJoin(JoinType::kLeft, left, right, Eq(MakeColumn(0, Int()), MakeColumn(3, Int())));
  EXPECT_FALSE(TraitsOf(outer).append_only);
}

TEST(PlannerStreamingTest, JoinsOfWindowsFreeTheirState) {
  const LogicalPtr left = Windowed(Clicks("l"), {"window_end", "k"});
  const LogicalPtr right = Windowed(Clicks("r"), {"window_end", "k"});
  const LogicalPtr join = NewJoin(JoinType::kInner, left, right,
                                  And({Eq(MakeColumn(0, Time()), MakeColumn(3, Time())),
                                       Eq(MakeColumn(1, Int()), MakeColumn(4, Int()))}));
  EXPECT_EQ(Explained(join, OnCloseOptions()),
            "Streaming, 8 shards\n"
            "Fragment 2: 2 tasks, sink\n"
            "  ViewSink [v; key: window_end, k]\n"
            "    HashJoin [inner; on: window_end = window_end and k = k; symmetric; window end: "
            "window_end]\n"
            "      HashAggregate [final; keys: window_end, k; aggregates: count; emit: on window "
            "close; window end: window_end]\n"
            "        Exchange [from fragment 0]\n"
            "      HashAggregate [final; keys: window_end, k; aggregates: count; emit: on window "
            "close; window end: window_end]\n"
            "        Exchange [from fragment 1]\n"
            "Fragment 1: 2 tasks, hash by window_end, k to fragment 2\n"
            "  HashAggregate [partial; keys: window_end, k; aggregates: count(*); window end: "
            "window_end]\n"
            "    Project [k, window_end]\n"
            "      Window [tumble; time: ts; size: 60000000 us]\n"
            "        Scan [r (file); columns: k, ts; watermark: ts - 5000000 us]\n"
            "Fragment 0: 2 tasks, hash by window_end, k to fragment 2\n"
            "  HashAggregate [partial; keys: window_end, k; aggregates: count(*); window end: "
            "window_end]\n"
            "    Project [k, window_end]\n"
            "      Window [tumble; time: ts; size: 60000000 us]\n"
            "        Scan [l (file); columns: k, ts; watermark: ts - 5000000 us]\n");
  EXPECT_TRUE(TraitsOf(join, OnCloseOptions()).append_only);
  // Both sides are unique by the join's key, so one side's key is enough.
  EXPECT_EQ(TraitsOf(join).key, (std::vector<uint32_t>{0, 1}));
}

TEST(PlannerStreamingTest, JoinsWithoutAnEqualityMeetInOneTask) {
  const LogicalPtr left = Pick(Clicks("l"), {"k"});
  const LogicalPtr right = Pick(Clicks("r"), {"k"});
  EXPECT_EQ(Explained(NewJoin(JoinType::kInner, left, right,
                              Op("<", MakeColumn(0, Int()), MakeColumn(1, Int())))),
            "Streaming, 8 shards\n"
            "Fragment 2: 1 task, sink\n"
            "  ViewSink [v; key: the whole row]\n"
            "    Project [k, k]\n"
            "      HashJoin [inner; on: join_key = join_key; and: k < k; symmetric]\n"
            "        Exchange [from fragment 0]\n"
            "        Exchange [from fragment 1]\n"
            "Fragment 1: 2 tasks, single to fragment 2\n"
            "  Project [k, 1 as join_key]\n"
            "    Scan [r (file); columns: k; watermark: ts - 5000000 us]\n"
            "Fragment 0: 2 tasks, single to fragment 2\n"
            "  Project [k, 1 as join_key]\n"
            "    Scan [l (file); columns: k; watermark: ts - 5000000 us]\n");
}

// What NOT IN wants to know of the subquery as a whole is one row.
TEST(PlannerStreamingTest, NotInIsTwoAntiJoins) {
  const LogicalPtr join =
      NewJoin(JoinType::kNullAwareAnti, Pick(Clicks("l"), {"k"}), Pick(Clicks("r"), {"k"}),
              Eq(MakeColumn(0, Int()), MakeColumn(1, Int())));
  const std::string plan = Explained(join);
  EXPECT_THAT(plan, HasSubstr("bool_or(is_null)"));
  EXPECT_THAT(plan, HasSubstr("anti; on: k = k;"));
  EXPECT_THAT(plan, HasSubstr("any_null OR ((any_null IS NOT NULL) AND (k IS NULL))"));
}

LogicalPtr RunningCount(const LogicalPtr& input, const std::string& order) {
  OverCall call;
  call.aggregate = CountStar();
  call.type = Int();
  return NewOver(input, {0}, {Asc(Col(input, order))}, {call});
}

TEST(PlannerStreamingTest, OverFollowsEventTime) {
  EXPECT_EQ(Explained(RunningCount(Clicks(), "ts"), FileOptions()),
            "Streaming, 8 shards\n"
            "Fragment 1: 2 tasks, sink\n"
            "  FileSink [out]\n"
            "    Over [count(*) range unbounded preceding .. current row; partition: k; order: ts; "
            "event time]\n"
            "      Exchange [from fragment 0]\n"
            "Fragment 0: 2 tasks, hash by k to fragment 1\n"
            "  Scan [clicks (file); columns: k, url, ts; watermark: ts - 5000000 us]\n");
}

LogicalPtr Lead(const LogicalPtr& input) {
  OverCall lead;
  lead.ranking = "lead";
  lead.args = {0};
  lead.type = Int();
  return NewOver(input, {0}, {Asc(Col(input, "ts"))}, {lead});
}

TEST(PlannerStreamingTest, OverThatIsNeverFinalChanges) {
  const LogicalPtr counts = NewAggregate(Clicks(), {0, 2}, {CountStar()});
  for (const LogicalPtr& query :
       {RunningCount(Clicks(), "url"), RunningCount(Clicks("c", false), "ts"),
        RunningCount(counts, "ts"), Lead(Clicks())}) {
    const std::string plan = Explained(query);
    EXPECT_THAT(plan, HasSubstr("Over ["));
    EXPECT_THAT(plan, Not(HasSubstr("event time")));
    EXPECT_FALSE(TraitsOf(query).append_only);
  }
}

TEST(PlannerStreamingTest, ClosingNeedsOverThatBecomesFinal) {
  EXPECT_EQ(Explained(RunningCount(Clicks(), "url"), OnCloseOptions()).substr(0, 6), "0A000:");
  EXPECT_EQ(Explained(RunningCount(Clicks("c", false), "ts"), OnCloseOptions()).substr(0, 6),
            "55000:");
  EXPECT_EQ(Explained(Lead(Clicks()), OnCloseOptions()).substr(0, 6), "0A000:");
}

TEST(PlannerStreamingTest, TheFirstRowsOfAGroupMayBeInAnyOrder) {
  const LogicalPtr clicks = Clicks();
  const LogicalPtr over = RowNumber(clicks, {0}, {Desc(Col(clicks, "url"))});
  const LogicalPtr top = NewFilter(over, Eq(Col(over, "row_number"), Lit(1)));
  const LogicalPtr query = Pick(top, {"k", "url"});
  EXPECT_EQ(Explained(query),
            "Streaming, 8 shards\n"
            "Fragment 1: 2 tasks, sink\n"
            "  ViewSink [v; key: k] changing\n"
            "    Project [k, url] changing\n"
            "      GroupTopN [limit: 1; partition: k; order: url desc] changing\n"
            "        Exchange [from fragment 0]\n"
            "Fragment 0: 2 tasks, hash by k to fragment 1\n"
            "  Scan [clicks (file); columns: k, url; watermark: ts - 5000000 us]\n");
  EXPECT_EQ(TraitsOf(query).key, std::vector<uint32_t>{0});
}

TEST(PlannerStreamingTest, AViewHasNoOrder) {
  const LogicalPtr clicks = Pick(Clicks(), {"k"});
  EXPECT_EQ(Explained(NewSort(clicks, {Asc(Col(clicks, "k"))})), Explained(clicks));
}

TEST(PlannerStreamingTest, ALimitKeepsTheFirstRows) {
  const LogicalPtr clicks = Pick(Clicks(), {"k"});
  EXPECT_EQ(Explained(NewLimit(NewSort(clicks, {Asc(Col(clicks, "k"))}), 3, 0)),
            "Streaming, 8 shards\n"
            "Fragment 1: 1 task, sink\n"
            "  ViewSink [v; key: the whole row] changing\n"
            "    GroupTopN [limit: 3; order: k] changing\n"
            "      Exchange [from fragment 0]\n"
            "Fragment 0: 2 tasks, single to fragment 1\n"
            "  Scan [clicks (file); columns: k; watermark: ts - 5000000 us]\n");
  const std::string skipping = Explained(NewLimit(clicks, std::nullopt, 2));
  EXPECT_THAT(skipping, HasSubstr("Filter [row_number > 2]"));
  EXPECT_THAT(skipping, HasSubstr("GroupTopN [no limit; with number]"));
}

TEST(PlannerStreamingTest, AViewReadsTheChangesOfAnother) {
  auto object = TableOf("w", {{"k", Int()}, {"n", Int()}});
  object->set_kind(v1::OBJECT_KIND_MATERIALIZED_VIEW);
  object->add_view_key(0);
  const LogicalPtr query = Scan(object);
  EXPECT_EQ(Explained(query),
            "Streaming, 8 shards\n"
            "Fragment 1: 2 tasks, sink\n"
            "  ViewSink [v; key: k] changing\n"
            "    Exchange [from fragment 0] changing\n"
            "Fragment 0: 2 tasks, hash by k to fragment 1\n"
            "  Scan [w (view); columns: k, n] changing\n");
  EXPECT_FALSE(TraitsOf(query).append_only);
  EXPECT_EQ(TraitsOf(query).key, std::vector<uint32_t>{0});
  // Rows that can be taken back are not combined before they meet their group.
  EXPECT_EQ(Explained(NewAggregate(query, {1}, {CountStar()})).find("partial"), std::string::npos);
}

TEST(PlannerStreamingTest, PlansDoNotDependOnTodaysSizes) {
  const auto query = [](uint64_t rows) {
    const LogicalPtr s = Abc("s", rows);
    const LogicalPtr t = Abc("t", 1000);
    const LogicalPtr u = Abc("u", 50);
    const LogicalPtr st = NewJoin(JoinType::kInner, s, t, Eq(Col(s, t, "sa"), Col(s, t, "ta")));
    return NewJoin(JoinType::kInner, st, u, Eq(Col(st, u, "tb"), Col(st, u, "ub")));
  };
  EXPECT_EQ(PlanQuery(query(1), ViewOptions())->SerializeAsString(),
            PlanQuery(query(1000000), ViewOptions())->SerializeAsString());
}

}  // namespace
}  // namespace millrace
