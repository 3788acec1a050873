#include "common/expr/program_runner.h"

#include <utility>

#include "arrow/array.h"
#include "common/base/status.h"
#include "common/expr/function_catalog.h"
#include "common/expr/row_gather.h"
#include "common/types/arrow_status.h"

namespace millrace {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

// Up to this cost a node is computed for all rows rather than for the rows that need it.
constexpr int kCheapCost = 6;

bool IsNullConstant(const Operand& operand) {
  return operand.is_constant &&
         (operand.array->type_id() == arrow::Type::NA || operand.array->IsNull(0));
}

bool IsDictionary(const Operand& operand) {
  return operand.array->type_id() == arrow::Type::DICTIONARY;
}

}  // namespace

Frame::Frame(const Frame& parent, const std::vector<int32_t>& rows)
    : batch_(parent.batch_),
      num_rows_(static_cast<int64_t>(rows.size())),
      is_selection_(true),
      rows_(rows),
      gathered_(parent.batch_->columns().size()),
      values_(parent.values_.size()) {
  if (!parent.is_selection_) return;
  for (int32_t& row : rows_) row = parent.rows_[row];
}

absl::StatusOr<ArrayPtr> Frame::Column(int index) {
  if (!is_selection_) return batch_->column(index);
  ArrayPtr& column = gathered_[index];
  if (column == nullptr) {
    MR_ASSIGN_OR_RETURN(column, GatherRows(*batch_->column(index), rows_.data(), num_rows_));
  }
  return column;
}

ProgramRunner::ProgramRunner(Program program, const EvalContext& context)
    : program_(std::move(program)), context_(context), states_(program_.nodes.size()) {}

Operand ProgramRunner::MakeOperand(int node, ArrayPtr array) const {
  const ProgramNode& info = program_.nodes[node];
  return Operand{std::move(array), false, info.type, info.max_digits};
}

void ProgramRunner::CountText(const arrow::Array& array) {
  const arrow::Type::type id = array.type_id();
  if (id != arrow::Type::STRING && id != arrow::Type::BINARY) return;
  text_made_ += static_cast<const arrow::BinaryArray&>(array).total_values_length();
}

absl::Status ProgramRunner::DecodeOperand(Operand* operand) {
  if (!IsDictionary(*operand)) return absl::OkStatus();
  MR_ASSIGN_OR_RETURN(operand->array, Decode(std::move(operand->array), text_bytes_max()));
  CountText(*operand->array);
  return absl::OkStatus();
}

absl::StatusOr<ArrayPtr> ProgramRunner::Repeat(const Operand& constant, int64_t num_rows) {
  MR_ASSIGN_OR_RETURN(ArrayPtr array, RepeatFirstRow(*constant.array, num_rows, text_bytes_max()));
  CountText(*array);
  return array;
}

absl::StatusOr<Operand> ProgramRunner::Evaluate(int node, Frame* frame) {
  const ProgramNode& info = program_.nodes[node];
  switch (info.kind) {
    case NodeKind::kConstant:
      return info.constant;
    case NodeKind::kColumn: {
      MR_ASSIGN_OR_RETURN(ArrayPtr column, frame->Column(info.column));
      return MakeOperand(node, std::move(column));
    }
    default:
      break;
  }
  if (info.is_constant && states_[node].constant.has_value()) return *states_[node].constant;
  if (info.is_shared && frame->value(node).has_value()) return *frame->value(node);
  MR_ASSIGN_OR_RETURN(Operand result, Compute(node, frame));
  if (info.is_constant && !result.is_constant) {
    result.array = result.array->Slice(0, 1);
    result.is_constant = true;
  }
  if (info.is_constant) states_[node].constant = result;
  if (info.is_shared) frame->value(node) = result;
  return result;
}

absl::StatusOr<RowValues> ProgramRunner::EvaluateRows(int node, const std::vector<int32_t>& rows,
                                                      Frame* frame) {
  const ProgramNode& info = program_.nodes[node];
  const bool all_rows = static_cast<int64_t>(rows.size()) == frame->num_rows();
  const bool known = info.is_shared && frame->value(node).has_value();
  const bool most_rows = static_cast<int64_t>(rows.size()) * 2 >= frame->num_rows();
  const bool cheap = info.cost <= kCheapCost || (!info.fallible && most_rows);
  if (all_rows || known || cheap) {
    absl::StatusOr<Operand> value = Evaluate(node, frame);
    if (value.ok()) return RowValues{*std::move(value), false};
    if (all_rows) return std::move(value).status();
  }
  Frame selection(*frame, rows);
  MR_ASSIGN_OR_RETURN(Operand value, Evaluate(node, &selection));
  return RowValues{std::move(value), true};
}

absl::StatusOr<Operand> ProgramRunner::Compute(int node, Frame* frame) {
  switch (program_.nodes[node].kind) {
    case NodeKind::kKernel:
      return ComputeKernel(node, frame);
    case NodeKind::kAnd:
    case NodeKind::kOr:
      return ComputeLogic(node, frame);
    case NodeKind::kNot:
      return ComputeNot(node, frame);
    case NodeKind::kIsTest:
      return ComputeIsTest(node, frame);
    case NodeKind::kDistinct:
      return ComputeDistinct(node, frame);
    case NodeKind::kCoalesce:
      return ComputeCoalesce(node, frame);
    case NodeKind::kNullIf:
      return ComputeNullIf(node, frame);
    case NodeKind::kExtremum:
      return ComputeExtremum(node, frame);
    case NodeKind::kCase:
      return ComputeCase(node, frame);
    case NodeKind::kColumn:
    case NodeKind::kConstant:
      break;
  }
  return InternalError("node without a computation");
}

absl::StatusOr<Operand> ProgramRunner::ComputeKernel(int node, Frame* frame) {
  std::vector<Operand> args;
  args.reserve(program_.nodes[node].args.size());
  for (int arg : program_.nodes[node].args) {
    MR_ASSIGN_OR_RETURN(Operand value, Evaluate(arg, frame));
    args.push_back(std::move(value));
  }
  return RunKernel(node, std::move(args), frame->num_rows());
}

absl::StatusOr<Operand> ProgramRunner::RunKernel(int node, std::vector<Operand> args,
                                                 int64_t num_rows) {
  const ProgramNode& info = program_.nodes[node];
  bool all_constant = true;
  bool null_argument = false;
  for (const Operand& arg : args) {
    all_constant &= arg.is_constant;
    null_argument |= IsNullConstant(arg);
  }
  if (null_argument && (info.traits & kTakesNulls) == 0) {
    MR_ASSIGN_ARROW_OR_RETURN(ArrayPtr null, arrow::MakeArrayOfNull(ToArrowType(info.type), 1));
    Operand result = MakeOperand(node, std::move(null));
    result.is_constant = true;
    return result;
  }
  if (all_constant) num_rows = 1;
  MR_ASSIGN_OR_RETURN(std::optional<Operand> by_dictionary, RunOnDictionary(node, args, num_rows));
  if (by_dictionary.has_value()) return *std::move(by_dictionary);
  for (Operand& arg : args) MR_RETURN_IF_ERROR(DecodeOperand(&arg));
  // A constant is one row, whatever a batch may have.
  const int64_t allowed = std::exchange(text_allowed_, all_constant ? INT64_MAX : text_allowed_);
  absl::StatusOr<ArrayPtr> array = CallKernel(node, args, num_rows);
  text_allowed_ = allowed;
  constant_failed_ = constant_failed_ || (all_constant && !array.ok());
  if (!array.ok()) return std::move(array).status();
  Operand result = MakeOperand(node, *std::move(array));
  result.is_constant = all_constant;
  return result;
}

absl::StatusOr<ArrayPtr> ProgramRunner::CallKernel(int node, absl::Span<const Operand> args,
                                                   int64_t num_rows) {
  const ProgramNode& info = program_.nodes[node];
  KernelCall call;
  call.args = args;
  call.num_rows = num_rows;
  call.result_type = info.type;
  call.result_max_digits = info.max_digits;
  call.text_bytes_max = text_bytes_max();
  call.context = &context_;
  call.state = &states_[node].kernel_state;
  absl::StatusOr<ArrayPtr> array = info.kernel(call);
  if (!array.ok()) return WithPosition(std::move(array).status(), info.position);
  CountText(**array);
  return array;
}

// A function of one dictionary column and constants is computed once for each entry of the
// dictionary.
absl::StatusOr<std::optional<Operand>> ProgramRunner::RunOnDictionary(
    int node, const std::vector<Operand>& args, int64_t num_rows) {
  const ProgramNode& info = program_.nodes[node];
  std::optional<Operand> none;
  size_t column = args.size();
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].is_constant) continue;
    if (column != args.size() || !IsDictionary(args[i])) return none;
    column = i;
  }
  // An entry that no row refers to must not raise an error, and NULL rows are no entries.
  const bool in_or_strict = (info.traits & kTakesNulls) == 0 || info.function == "in";
  if (column == args.size() || (info.traits & kFallible) != 0 || !in_or_strict) return none;
  const auto& codes = static_cast<const arrow::DictionaryArray&>(*args[column].array);
  NodeState& state = states_[node];
  // Batches of one file share the dictionary's data, not the array around it.
  const std::shared_ptr<arrow::ArrayData>& dictionary = codes.data()->dictionary;
  if (state.dictionary != dictionary) {
    if (codes.dictionary()->length() > num_rows || codes.dictionary()->length() == 0) return none;
    std::vector<Operand> entries = args;
    entries[column].array = codes.dictionary();
    MR_ASSIGN_OR_RETURN(state.dictionary_result,
                        CallKernel(node, entries, codes.dictionary()->length()));
    state.dictionary = dictionary;
  }
  MR_ASSIGN_OR_RETURN(ArrayPtr array,
                      ExpandDictionary(codes, *state.dictionary_result, text_bytes_max()));
  CountText(*array);
  return MakeOperand(node, std::move(array));
}

}  // namespace millrace
