#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/unit/coordinator/sql/binder_fixture.h"

// Statements with words replaced, left out, doubled and swapped, and plain soups of words. Whatever
// comes out is bound or refused by the user's fault; it never ends the process, and never is an
// internal error.

namespace millrace {
namespace {

constexpr const char* kSeeds[] = {
    "SELECT a , b AS x FROM t WHERE a > 1 ORDER BY b DESC LIMIT 3 OFFSET 1",
    "SELECT b , count(*) AS n , sum(a) FILTER (WHERE a > 2) FROM t GROUP BY b HAVING count(*) > 1",
    "SELECT * FROM t x LEFT JOIN u y USING ( a ) CROSS JOIN orders WHERE x.b LIKE 'x%'",
    "WITH w AS ( SELECT a FROM t ) SELECT * FROM w , u WHERE w.a = u.a",
    "SELECT a FROM t WHERE a NOT IN ( SELECT a FROM u ) OR EXISTS ( SELECT 1 FROM u )",
    "SELECT a FROM t WHERE EXISTS ( SELECT 1 FROM u WHERE u.a = t.a AND u.e <> t.c )",
    "SELECT a FROM t WHERE c > ( SELECT 0.2 * avg(e) FROM u WHERE u.a = t.a )",
    "SELECT ( SELECT max(a) FROM u ) , CASE a WHEN 1 THEN 'x' ELSE b END FROM t",
    "SELECT sum(a) OVER ( PARTITION BY b ORDER BY ts ROWS 9 PRECEDING ) FROM t",
    "SELECT rank() OVER w FROM t WINDOW w AS ( ORDER BY a RANGE BETWEEN 1 PRECEDING AND CURRENT "
    "ROW )",
    "SELECT url FROM TUMBLE( TABLE clicks , DESCRIPTOR( ts ) , INTERVAL '1' MINUTE ) w",
    "SELECT a FROM t UNION ALL SELECT a FROM u UNION SELECT 3 ORDER BY 1",
    "SELECT * FROM per_minute AS OF EPOCH 120 AS p JOIN 'x.parquet' q ON p.clicks = q.x",
    "INSERT INTO t ( a , b ) VALUES ( 1 , 'x' ) , ( 2 , DEFAULT )",
    "INSERT INTO out SELECT a , 'x' AS l FROM t EMIT ON WINDOW CLOSE",
    "CREATE TABLE n ( ts timestamp , WATERMARK FOR ts AS ts - INTERVAL '5' SECOND ) WITH ( "
    "connector = 'file' , a.b = 1 )",
    "CREATE MATERIALIZED VIEW m WITH ( emit = 'changes' ) AS SELECT url FROM clicks",
    "COPY ( SELECT a FROM t ) TO 'x.csv' ( FORMAT csv , HEADER )",
    "EXPLAIN ( ANALYZE , FORMAT json ) SELECT 1",
    "CALL millrace.wait_for( 'per_minute' , 'rows' , 5 , INTERVAL '3 s' )",
    "DROP TABLE IF EXISTS zz , t CASCADE",
    "SET epoch_interval = '1 s'",
};

using Words = std::vector<std::string>;

class SoupCook {
 public:
  explicit SoupCook(uint32_t seed) : random_(seed) {
    for (const char* statement : kSeeds) {
      seeds_.push_back(absl::StrSplit(statement, ' '));
      words_.insert(words_.end(), seeds_.back().begin(), seeds_.back().end());
    }
  }

  std::string Next() {
    constexpr size_t kSoupWords = 20;
    Words words;
    if (Below(4) == 0) {
      for (size_t i = Below(kSoupWords); i > 0; --i) words.push_back(AnyWord());
    } else {
      words = seeds_[Below(seeds_.size())];
      for (size_t i = 1 + Below(3); i > 0; --i) Change(words);
    }
    return absl::StrJoin(words, " ");
  }

 private:
  size_t Below(size_t limit) { return random_() % limit; }
  const std::string& AnyWord() { return words_[Below(words_.size())]; }

  void Change(Words& words) {
    const size_t at = Below(words.size());
    switch (Below(4)) {
      case 0:
        words[at] = AnyWord();
        break;
      case 1:
        words.insert(words.begin() + static_cast<int64_t>(at), AnyWord());
        break;
      case 2:
        if (words.size() > 1) words.erase(words.begin() + static_cast<int64_t>(at));
        break;
      default:
        std::swap(words[at], words[Below(words.size())]);
    }
  }

  std::mt19937 random_;
  std::vector<Words> seeds_;
  Words words_;
};

TEST(BinderFuzzTest, SurvivesSoups) {
  constexpr int kStatements = 8000;
  const CatalogSnapshot catalog = MakeTestCatalog();
  const BindContext context = MakeTestContext();
  SoupCook cook(20241122);
  for (int i = 0; i < kStatements; ++i) {
    const std::string sql = cook.Next();
    const absl::StatusOr<BoundStatement> bound = BindStatement(sql, catalog, context);
    if (bound.ok()) continue;
    EXPECT_EQ(GetErrorDetail(bound.status()).blame, Blame::kUser)
        << sql << ErrorText(bound.status());
  }
}

TEST(BinderFuzzTest, SurvivesBytes) {
  constexpr int kStatements = 4000;
  const CatalogSnapshot catalog = MakeTestCatalog();
  const BindContext context = MakeTestContext();
  std::mt19937 random(7);
  for (int i = 0; i < kStatements; ++i) {
    std::string sql = kSeeds[random() % std::size(kSeeds)];
    for (int changes = 0; changes < 3; ++changes) {
      sql[random() % sql.size()] = static_cast<char>(random() % 256);
    }
    const absl::StatusOr<BoundStatement> bound = BindStatement(sql, catalog, context);
    if (bound.ok()) continue;
    EXPECT_EQ(GetErrorDetail(bound.status()).blame, Blame::kUser) << ErrorText(bound.status());
  }
}

}  // namespace
}  // namespace millrace
