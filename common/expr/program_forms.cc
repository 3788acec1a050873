#include <algorithm>
#include <utility>

#include "arrow/array.h"
#include "common/base/status.h"
#include "common/expr/program_runner.h"
#include "common/expr/row_gather.h"

// The forms of ProgramRunner that are no kernels: logic, tests, and what evaluates an argument for
// some rows only.

namespace millrace {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

std::vector<int32_t> AllRows(int64_t num_rows) {
  std::vector<int32_t> rows(static_cast<size_t>(num_rows));
  for (int64_t i = 0; i < num_rows; ++i) rows[i] = static_cast<int32_t>(i);
  return rows;
}

bool IsNullAt(const Operand& operand, int64_t row) {
  const arrow::Array& array = *operand.array;
  return array.type_id() == arrow::Type::NA || array.IsNull(operand.is_constant ? 0 : row);
}

// A bit for each row that is NULL.
std::vector<uint64_t> NullBits(const Operand& operand, int64_t num_rows) {
  std::vector<uint64_t> words(static_cast<size_t>((num_rows + 63) / 64), 0);
  const arrow::Array& array = *operand.array;
  if (array.type_id() != arrow::Type::NA && array.null_count() == 0) return words;
  for (int64_t row = 0; row < num_rows; ++row) {
    words[row >> 6] |= uint64_t{IsNullAt(operand, row)} << (row & 63);
  }
  return words;
}

// Splits `rows` by the value's NULLs: those that are NULL stay, the others go to *given.
void SplitByNull(const RowValues& values, std::vector<int32_t>* rows, std::vector<int32_t>* given) {
  std::vector<int32_t> missing;
  for (size_t i = 0; i < rows->size(); ++i) {
    const int32_t row = (*rows)[i];
    const bool is_null = IsNullAt(values.operand, values.dense ? static_cast<int64_t>(i) : row);
    (is_null ? missing : *given).push_back(row);
  }
  *rows = std::move(missing);
}

// The entries of `chosen`, a subset of `rows`, as positions in `rows`.
std::vector<int32_t> PositionsIn(const std::vector<int32_t>& rows,
                                 const std::vector<int32_t>& chosen) {
  std::vector<int32_t> positions;
  positions.reserve(chosen.size());
  size_t at = 0;
  for (int32_t row : chosen) {
    while (rows[at] != row) ++at;
    positions.push_back(static_cast<int32_t>(at));
  }
  return positions;
}

// What `values`, computed for `rows`, gives for `chosen`, which is a subset of them.
absl::StatusOr<RowChoice> MakeChoice(RowValues values, const std::vector<int32_t>& rows,
                                     std::vector<int32_t> chosen) {
  const bool subset = chosen.size() != rows.size();
  if (values.dense && subset && !values.operand.is_constant) {
    const std::vector<int32_t> positions = PositionsIn(rows, chosen);
    MR_ASSIGN_OR_RETURN(values.operand.array, GatherRows(*values.operand.array, positions.data(),
                                                         static_cast<int64_t>(positions.size())));
  }
  return RowChoice{std::move(values.operand), std::move(chosen), values.dense};
}

}  // namespace

absl::StatusOr<TruthColumn> ProgramRunner::EvaluateTruth(int node, Frame* frame) {
  MR_ASSIGN_OR_RETURN(const Operand value, Evaluate(node, frame));
  return TruthColumn::FromOperand(value, frame->num_rows());
}

absl::StatusOr<Operand> ProgramRunner::Choose(int node, int64_t num_rows,
                                              std::vector<RowChoice> choices) {
  MR_ASSIGN_OR_RETURN(ArrayPtr array,
                      ChooseRows(program_.nodes[node].type, num_rows, choices, text_bytes_max()));
  CountText(*array);
  return MakeOperand(node, std::move(array));
}

// AND and OR: an argument is looked at only in rows that those before it have not decided.
absl::StatusOr<Operand> ProgramRunner::ComputeLogic(int node, Frame* frame) {
  const ProgramNode& info = program_.nodes[node];
  const bool is_and = info.kind == NodeKind::kAnd;
  MR_ASSIGN_OR_RETURN(TruthColumn result, EvaluateTruth(info.args[0], frame));
  for (size_t i = 1; i < info.args.size(); ++i) {
    const std::vector<int32_t> open = is_and ? result.RowsNotFalse() : result.RowsNotTrue();
    if (open.empty()) break;
    MR_ASSIGN_OR_RETURN(const RowValues values, EvaluateRows(info.args[i], open, frame));
    TruthColumn next =
        is_and ? TruthColumn::AllTrue(frame->num_rows()) : TruthColumn::AllFalse(frame->num_rows());
    if (values.dense) {
      next.Scatter(open,
                   TruthColumn::FromOperand(values.operand, static_cast<int64_t>(open.size())));
    } else {
      next = TruthColumn::FromOperand(values.operand, frame->num_rows());
    }
    is_and ? result.And(next) : result.Or(next);
  }
  MR_ASSIGN_OR_RETURN(ArrayPtr array, result.ToArray());
  return MakeOperand(node, std::move(array));
}

absl::StatusOr<Operand> ProgramRunner::ComputeNot(int node, Frame* frame) {
  MR_ASSIGN_OR_RETURN(TruthColumn value, EvaluateTruth(program_.nodes[node].args[0], frame));
  value.Not();
  MR_ASSIGN_OR_RETURN(ArrayPtr array, value.ToArray());
  return MakeOperand(node, std::move(array));
}

absl::StatusOr<Operand> ProgramRunner::ComputeIsTest(int node, Frame* frame) {
  const ProgramNode& info = program_.nodes[node];
  const int64_t num_rows = frame->num_rows();
  MR_ASSIGN_OR_RETURN(const Operand value, Evaluate(info.args[0], frame));
  std::vector<uint64_t> words;
  bool negated = false;
  if (info.function == "is_null" || info.function == "is_not_null") {
    words = NullBits(value, num_rows);
    negated = info.function == "is_not_null";
  } else {
    const TruthColumn truth = TruthColumn::FromOperand(value, num_rows);
    const bool on_true = info.function == "is_true" || info.function == "is_not_true";
    words = on_true ? truth.true_words() : truth.false_words();
    negated = info.function == "is_not_true" || info.function == "is_not_false";
  }
  if (negated) {
    for (uint64_t& word : words) word = ~word;
  }
  MR_ASSIGN_OR_RETURN(ArrayPtr array, BitsToArray(words, num_rows));
  return MakeOperand(node, std::move(array));
}

absl::StatusOr<TruthColumn> ProgramRunner::Compare(int node, const Operand& left,
                                                   const Operand& right, int64_t num_rows) {
  const ProgramNode& info = program_.nodes[node];
  KernelCall call;
  Operand args[] = {left, right};
  bool both_constant = true;
  for (Operand& arg : args) {
    // The strict kernel takes no constant NULL; here that makes every row NULL.
    if (arg.is_constant && IsNullAt(arg, 0)) {
      return TruthColumn::FromOperand(arg, num_rows);
    }
    both_constant &= arg.is_constant;
    MR_RETURN_IF_ERROR(DecodeOperand(&arg));
  }
  call.args = absl::MakeSpan(args);
  call.num_rows = both_constant ? 1 : num_rows;
  call.result_type = SqlType::Of(TypeId::kBoolean);
  call.context = &context_;
  call.state = &states_[node].kernel_state;
  MR_ASSIGN_OR_RETURN(ArrayPtr array, info.kernel(call));
  const Operand result{std::move(array), both_constant, call.result_type, 0};
  return TruthColumn::FromOperand(result, num_rows);
}

absl::StatusOr<Operand> ProgramRunner::ComputeDistinct(int node, Frame* frame) {
  const ProgramNode& info = program_.nodes[node];
  const int64_t num_rows = frame->num_rows();
  MR_ASSIGN_OR_RETURN(const Operand left, Evaluate(info.args[0], frame));
  MR_ASSIGN_OR_RETURN(const Operand right, Evaluate(info.args[1], frame));
  const std::vector<uint64_t> left_null = NullBits(left, num_rows);
  const std::vector<uint64_t> right_null = NullBits(right, num_rows);
  std::vector<uint64_t> words(left_null.size(), 0);
  MR_ASSIGN_OR_RETURN(const TruthColumn differs, Compare(node, left, right, num_rows));
  const bool negated = info.function == "is_not_distinct";
  for (size_t i = 0; i < words.size(); ++i) {
    words[i] = differs.true_words()[i] | (left_null[i] ^ right_null[i]);
    if (negated) words[i] = ~words[i];
  }
  MR_ASSIGN_OR_RETURN(ArrayPtr array, BitsToArray(words, num_rows));
  return MakeOperand(node, std::move(array));
}

absl::StatusOr<Operand> ProgramRunner::ComputeCoalesce(int node, Frame* frame) {
  const ProgramNode& info = program_.nodes[node];
  std::vector<int32_t> open = AllRows(frame->num_rows());
  std::vector<RowChoice> choices;
  for (int arg : info.args) {
    MR_ASSIGN_OR_RETURN(RowValues values, EvaluateRows(arg, open, frame));
    std::vector<int32_t> rows = open;
    std::vector<int32_t> given;
    SplitByNull(values, &open, &given);
    if (given.empty()) continue;
    // The usual case: nothing is missing.
    const bool complete = choices.empty() && open.empty() && !values.dense;
    if (complete && !values.operand.is_constant) {
      return MakeOperand(node, std::move(values.operand.array));
    }
    MR_ASSIGN_OR_RETURN(RowChoice choice, MakeChoice(std::move(values), rows, std::move(given)));
    choices.push_back(std::move(choice));
    if (open.empty()) break;
  }
  return Choose(node, frame->num_rows(), std::move(choices));
}

absl::StatusOr<Operand> ProgramRunner::ComputeNullIf(int node, Frame* frame) {
  const ProgramNode& info = program_.nodes[node];
  MR_ASSIGN_OR_RETURN(Operand value, Evaluate(info.args[0], frame));
  MR_ASSIGN_OR_RETURN(const TruthColumn equal, EvaluateTruth(info.args[1], frame));
  if (!equal.AnyTrue() && !value.is_constant) return MakeOperand(node, std::move(value.array));
  std::vector<RowChoice> choices;
  choices.push_back(RowChoice{std::move(value), equal.RowsNotTrue(), false});
  return Choose(node, frame->num_rows(), std::move(choices));
}

// greatest and least: NULLs are passed over.
absl::StatusOr<Operand> ProgramRunner::ComputeExtremum(int node, Frame* frame) {
  const ProgramNode& info = program_.nodes[node];
  const int64_t num_rows = frame->num_rows();
  MR_ASSIGN_OR_RETURN(Operand best, Evaluate(info.args[0], frame));
  for (size_t i = 1; i < info.args.size(); ++i) {
    MR_ASSIGN_OR_RETURN(Operand next, Evaluate(info.args[i], frame));
    MR_ASSIGN_OR_RETURN(const TruthColumn beats, Compare(node, next, best, num_rows));
    const std::vector<uint64_t> best_null = NullBits(best, num_rows);
    const std::vector<uint64_t> next_null = NullBits(next, num_rows);
    std::vector<uint64_t> take(best_null.size());
    std::vector<uint64_t> keep(best_null.size());
    for (size_t w = 0; w < take.size(); ++w) {
      take[w] = beats.true_words()[w] | (best_null[w] & ~next_null[w]);
      keep[w] = ~take[w];
    }
    const int64_t used = num_rows % 64;
    if (used != 0) keep.back() &= (uint64_t{1} << used) - 1;
    std::vector<RowChoice> choices(2);
    choices[0].values = std::move(next);
    choices[1].values = std::move(best);
    AppendSetRows(take, num_rows, &choices[0].rows);
    AppendSetRows(keep, num_rows, &choices[1].rows);
    MR_ASSIGN_OR_RETURN(best, Choose(node, num_rows, std::move(choices)));
  }
  return best;
}

// Each condition is evaluated for the rows that no branch has taken yet, each result for the rows
// of its branch.
absl::StatusOr<Operand> ProgramRunner::ComputeCase(int node, Frame* frame) {
  const ProgramNode& info = program_.nodes[node];
  std::vector<int32_t> open = AllRows(frame->num_rows());
  std::vector<RowChoice> choices;
  for (size_t i = 0; i + 1 < info.args.size() && !open.empty(); i += 2) {
    MR_ASSIGN_OR_RETURN(const RowValues condition, EvaluateRows(info.args[i], open, frame));
    const int64_t num_values =
        condition.dense ? static_cast<int64_t>(open.size()) : frame->num_rows();
    const TruthColumn truth = TruthColumn::FromOperand(condition.operand, num_values);
    std::vector<int32_t> taken;
    std::vector<int32_t> left;
    for (size_t k = 0; k < open.size(); ++k) {
      const bool is_true = truth.IsTrue(condition.dense ? static_cast<int64_t>(k) : open[k]);
      (is_true ? taken : left).push_back(open[k]);
    }
    open = std::move(left);
    if (taken.empty()) continue;
    MR_ASSIGN_OR_RETURN(RowValues values, EvaluateRows(info.args[i + 1], taken, frame));
    choices.push_back(RowChoice{std::move(values.operand), std::move(taken), values.dense});
  }
  if (!open.empty()) {
    MR_ASSIGN_OR_RETURN(RowValues values, EvaluateRows(info.args.back(), open, frame));
    choices.push_back(RowChoice{std::move(values.operand), std::move(open), values.dense});
  }
  return Choose(node, frame->num_rows(), std::move(choices));
}

}  // namespace millrace
