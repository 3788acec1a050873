#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "arrow/array.h"
#include "common/types/text_format.h"
#include "millrace/v1/split.pb.h"
#include "tests/support/status_matchers.h"
#include "worker/connectors/source.h"

// The suite that every source must pass: rows do not depend on how much a Poll takes, resuming at
// each position gives exactly the remaining rows, Close is safe at any time.

namespace millrace {

// Rows as "1|a|NULL", one string each.
inline std::vector<std::string> RowsAsText(const Batch& batch, const Schema& output) {
  std::vector<std::string> rows(static_cast<size_t>(batch.num_rows()));
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    for (int column = 0; column < batch.num_columns(); ++column) {
      std::string& text = rows[static_cast<size_t>(row)];
      if (column > 0) text += "|";
      if (batch.column(column)->IsNull(row)) {
        text += "NULL";
      } else {
        AppendValueText(*batch.column(column), row, output[static_cast<size_t>(column)].type,
                        &text);
      }
    }
  }
  return rows;
}

// Polls the open split to its end.
inline absl::StatusOr<std::vector<std::string>> ReadRest(Source& source, const Schema& output,
                                                         const PollBudget& budget = {}) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::vector<std::string> rows;
  while (true) {
    Batch batch;
    MR_ASSIGN_OR_RETURN(const PollResult result, source.Poll(budget, &batch));
    for (std::string& row : RowsAsText(batch, output)) rows.push_back(std::move(row));
    if (result == PollResult::kEnd) return rows;
    if (result != PollResult::kIdle) continue;
    // A source that reads over the network waits for it.
    if (std::chrono::steady_clock::now() > deadline) return InternalError("a source stays idle");
    std::this_thread::yield();
  }
}

inline absl::StatusOr<std::vector<std::string>> ReadSplit(Source& source, const v1::Split& split,
                                                          const Schema& output,
                                                          const PollBudget& budget = {}) {
  MR_RETURN_IF_ERROR(source.Open(split));
  return ReadRest(source, output, budget);
}

struct SourceContract {
  std::function<std::unique_ptr<Source>()> make;
  std::vector<v1::Split> splits;
  Schema output;
};

inline void CheckResumeEverywhere(const SourceContract& contract, const v1::Split& split,
                                  const PollBudget& budget,
                                  const std::vector<std::string>& expected) {
  const std::unique_ptr<Source> source = contract.make();
  ASSERT_OK(source->Open(split));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  std::vector<std::string> before;
  PollResult result = PollResult::kRows;
  while (result != PollResult::kEnd) {
    v1::Split resumed = split;
    // As it travels: through the wire format.
    ASSERT_TRUE(resumed.mutable_resume()->ParseFromString(source->Position().SerializeAsString()));
    const auto rest = ReadSplit(*contract.make(), resumed, contract.output);
    ASSERT_OK(rest);
    std::vector<std::string> all = before;
    all.insert(all.end(), rest->begin(), rest->end());
    ASSERT_EQ(all, expected) << "resumed after " << before.size() << " rows";

    do {
      Batch batch;
      const auto polled = source->Poll(budget, &batch);
      ASSERT_OK(polled);
      result = *polled;
      for (std::string& row : RowsAsText(batch, contract.output)) before.push_back(std::move(row));
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    } while (result == PollResult::kIdle);
  }
  EXPECT_EQ(before, expected);
  EXPECT_TRUE(source->Position().ended());
  v1::Split resumed = split;
  *resumed.mutable_resume() = source->Position();
  const auto rest = ReadSplit(*contract.make(), resumed, contract.output);
  ASSERT_OK(rest);
  EXPECT_TRUE(rest->empty());
}

inline void CheckSourceContract(const SourceContract& contract) {
  const std::unique_ptr<Source> all_splits = contract.make();
  for (const v1::Split& split : contract.splits) {
    SCOPED_TRACE(split.ShortDebugString());
    const auto expected = ReadSplit(*contract.make(), split, contract.output);
    ASSERT_OK(expected);
    // One source reads one split after the other.
    const auto in_turn = ReadSplit(*all_splits, split, contract.output);
    ASSERT_OK(in_turn);
    EXPECT_EQ(*in_turn, *expected);
    for (const PollBudget& budget : {PollBudget{1, 1}, PollBudget{3, 1 << 20}, PollBudget{7, 64}}) {
      const auto rows = ReadSplit(*contract.make(), split, contract.output, budget);
      ASSERT_OK(rows);
      EXPECT_EQ(*rows, *expected);
      CheckResumeEverywhere(contract, split, budget, *expected);
    }
    const std::unique_ptr<Source> closed_early = contract.make();
    ASSERT_OK(closed_early->Open(split));
    Batch batch;
    ASSERT_OK(closed_early->Poll(PollBudget{1, 1}, &batch));
    EXPECT_TRUE(closed_early->Close().ok());
    EXPECT_TRUE(closed_early->Close().ok());
  }
  EXPECT_TRUE(all_splits->Close().ok());
  EXPECT_TRUE(contract.make()->Close().ok());
  // A split that cannot be opened is an error, and closing afterwards is safe.
  const std::unique_ptr<Source> source = contract.make();
  EXPECT_FALSE(source->Open(v1::Split()).ok());
  EXPECT_TRUE(source->Close().ok());
}

}  // namespace millrace
