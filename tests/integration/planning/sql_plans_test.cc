// SQL text to physical plan: parser, binder and planner together, over the tables of TPC-H at scale
// 1.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "common/base/check.h"
#include "common/expr/function_registry.h"
#include "coordinator/catalog/catalog_snapshot.h"
#include "coordinator/planner/explain.h"
#include "coordinator/planner/planner.h"
#include "coordinator/sql/binder.h"
#include "gtest/gtest.h"
#include "millrace/v1/catalog.pb.h"
#include "millrace/v1/plan.pb.h"

namespace millrace {
namespace {

struct TableSpec {
  const char* name;
  uint64_t rows;
  // "column type values": the number of different values, 0 = unknown.
  const char* columns;
};

constexpr TableSpec kTables[] = {
    {"region", 5, "r_regionkey int 5,r_name text 0,r_comment text 0"},
    {"nation", 25, "n_nationkey int 25,n_name text 0,n_regionkey int 5,n_comment text 0"},
    {"supplier", 10000,
     "s_suppkey int 10000,s_name text 0,s_address text 0,s_nationkey int 25,s_phone text 0,"
     "s_acctbal numeric 0,s_comment text 0"},
    {"customer", 150000,
     "c_custkey int 150000,c_name text 0,c_address text 0,c_nationkey int 25,c_phone text 0,"
     "c_acctbal numeric 0,c_mktsegment text 0,c_comment text 0"},
    {"part", 200000,
     "p_partkey int 200000,p_name text 0,p_mfgr text 0,p_brand text 0,p_type text 0,p_size int 50,"
     "p_container text 0,p_retailprice numeric 0,p_comment text 0"},
    {"partsupp", 800000,
     "ps_partkey int 200000,ps_suppkey int 10000,ps_availqty int 9999,ps_supplycost numeric 0,"
     "ps_comment text 0"},
    {"orders", 1500000,
     "o_orderkey int 6000000,o_custkey int 150000,o_orderstatus text 0,o_totalprice numeric 0,"
     "o_orderdate date 2406,o_orderpriority text 0,o_clerk text 0,o_shippriority int 1,"
     "o_comment text 0"},
    {"lineitem", 6001215,
     "l_orderkey int 6000000,l_partkey int 200000,l_suppkey int 10000,l_linenumber int 7,"
     "l_quantity numeric 0,l_extendedprice numeric 0,l_discount numeric 0,l_tax numeric 0,"
     "l_returnflag text 0,l_linestatus text 0,l_shipdate date 2526,l_commitdate date 2466,"
     "l_receiptdate date 2555,l_shipinstruct text 0,l_shipmode text 0,l_comment text 0"},
};

SqlType TypeOf(const std::string& name) {
  if (name == "numeric") return SqlType::Numeric(15, 2);
  return ResolveTypeName(name, {}).value();
}

// Definitions of the tables, and what is known of their sizes.
struct Tpch {
  std::vector<CatalogObjectPtr> objects;
  std::map<std::string, TableStatistics> statistics;

  Tpch() {
    for (const TableSpec& spec : kTables) Add(spec);
  }

  void Add(const TableSpec& spec) {
    auto object = std::make_shared<v1::CatalogObject>();
    object->set_id(objects.size() + 1);
    object->set_name(spec.name);
    object->set_kind(v1::OBJECT_KIND_SOURCE);
    object->set_state(v1::OBJECT_STATE_READY);
    object->set_connector("file");
    TableStatistics& known = statistics[spec.name];
    known.rows = spec.rows;
    for (const auto& column : absl::StrSplit(spec.columns, ',')) {
      const std::vector<std::string> parts = absl::StrSplit(column, ' ');
      ToProto(Field{parts[0], TypeOf(parts[1])}, object->add_columns());
      const uint64_t values = std::stoull(parts[2]);
      if (values > 0) known.distinct_max[object->columns_size() - 1] = values;
    }
    objects.push_back(std::move(object));
  }
};

absl::StatusOr<v1::PhysicalPlan> PlanSql(const std::string& sql) {
  static const auto* const tpch = new Tpch();
  const CatalogSnapshot catalog(tpch->objects, 1);
  absl::StatusOr<BoundStatement> bound = BindStatement(sql, catalog, BindContext());
  if (!bound.ok()) return bound.status();
  PlanOptions options;
  options.parallelism = 2;
  options.statistics = [](const v1::CatalogObject& object) {
    return tpch->statistics.at(object.name());
  };
  return PlanQuery(std::get<BoundSelect>(bound->statement).plan, options);
}

std::string Plan(const std::string& sql) {
  const auto plan = PlanSql(sql);
  return plan.ok() ? ExplainText(*plan) : std::string(plan.status().message());
}

testing::AssertionResult Has(const std::string& plan, const std::string& text) {
  if (plan.find(text) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no '" << text << "' in\n" << plan;
}

testing::AssertionResult HasNot(const std::string& plan, const std::string& text) {
  if (plan.find(text) == std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "'" << text << "' in\n" << plan;
}

TEST(SqlPlansTest, ConditionsReachTheScans) {
  const std::string plan = Plan(
      "select count(*) from lineitem where l_shipdate >= date '1994-01-01' "
      "and l_shipdate < date '1994-01-01' + interval '1 year'");
  EXPECT_TRUE(Has(plan,
                  "columns: l_shipdate; filter: (l_shipdate >= date '1994-01-01') AND "
                  "(l_shipdate < date '1995-01-01')]"));
}

TEST(SqlPlansTest, JoinsInFromBecomeHashJoinsInAGoodOrder) {
  const std::string plan = Plan(
      "select n_name, sum(l_extendedprice) from customer, orders, lineitem, supplier, nation, "
      "region "
      "where c_custkey = o_custkey and l_orderkey = o_orderkey and l_suppkey = s_suppkey "
      "and c_nationkey = s_nationkey and s_nationkey = n_nationkey and n_regionkey = r_regionkey "
      "and r_name = 'ASIA' group by n_name");
  EXPECT_TRUE(HasNot(plan, "NestedLoopJoin"));
  // The filtered region comes first; customers and suppliers of a nation are not paired.
  EXPECT_TRUE(Has(plan, "HashJoin [inner; on: n_regionkey = r_regionkey]"));
  EXPECT_TRUE(Has(plan, "HashJoin [inner; on: s_nationkey = n_nationkey]"));
  EXPECT_TRUE(HasNot(plan, "on: s_nationkey = c_nationkey]"));
}

TEST(SqlPlansTest, AnEqualityInEveryBranchOfAnOrIsAKey) {
  const std::string plan = Plan(
      "select sum(l_extendedprice) from lineitem, part where "
      "(p_partkey = l_partkey and p_brand = 'Brand#12' and l_quantity between 1 and 11) or "
      "(p_partkey = l_partkey and p_brand = 'Brand#23' and l_quantity between 10 and 20)");
  EXPECT_TRUE(Has(plan, "HashJoin [inner; on: l_partkey = p_partkey; and: "));
  EXPECT_TRUE(Has(plan, "filter: (p_brand = 'Brand#12') OR (p_brand = 'Brand#23')]"));
}

TEST(SqlPlansTest, ExistsIsASemiJoinOnKeysOnly) {
  const std::string plan = Plan(
      "select o_orderpriority, count(*) from orders where exists (select * from lineitem "
      "where l_orderkey = o_orderkey and l_commitdate < l_receiptdate) group by o_orderpriority");
  EXPECT_TRUE(Has(plan, "HashJoin [semi; on: o_orderkey = l_orderkey]"));
  EXPECT_TRUE(Has(plan, "Project [l_orderkey]"));
}

TEST(SqlPlansTest, ACorrelatedAverageIsTakenOfTheOuterPartsOnly) {
  const std::string plan = Plan(
      "select sum(l_extendedprice) / 7.0 from lineitem, part where p_partkey = l_partkey "
      "and p_brand = 'Brand#23' and p_container = 'MED BOX' and l_quantity < "
      "(select 0.2 * avg(l_quantity) from lineitem where l_partkey = p_partkey)");
  EXPECT_TRUE(Has(plan, "    HashJoin [semi; on: l_partkey = p_partkey]"));
  EXPECT_TRUE(HasNot(plan, "NestedLoopJoin"));
}

TEST(SqlPlansTest, ADistinctCountIsSpread) {
  const std::string plan = Plan("select count(distinct l_suppkey) from lineitem");
  EXPECT_TRUE(Has(plan, "[partial; aggregates: count(l_suppkey)]"));
  EXPECT_TRUE(Has(plan, "hash by l_suppkey"));
}

TEST(SqlPlansTest, TheLimitOfAnOrderedQueryIsATopN) {
  const std::string plan = Plan("select l_orderkey from lineitem order by l_extendedprice limit 3");
  EXPECT_TRUE(Has(plan, "TopN [limit: 3; order: l_extendedprice]"));
}

TEST(SqlPlansTest, AnOuterJoinWithARejectingConditionIsInner) {
  const std::string plan = Plan(
      "select c_name from customer left join orders on c_custkey = o_custkey where o_orderkey > 5");
  EXPECT_TRUE(Has(plan, "HashJoin [inner;"));
}

}  // namespace
}  // namespace millrace
