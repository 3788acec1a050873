#include "worker/kernels/distinct_rows.h"

#include <numeric>

#include "arrow/array.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/bytes_key_table.h"
#include "worker/kernels/column_store.h"

namespace millrace {
namespace {

std::vector<SqlType> WithGroup(const std::vector<SqlType>& types) {
  std::vector<SqlType> all = {SqlType::Of(TypeId::kInt32)};
  all.insert(all.end(), types.begin(), types.end());
  return all;
}

std::vector<int> FirstColumns(size_t n) {
  std::vector<int> columns(n);
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

// The groups and arguments of the taken rows, close together.
Batch KeysOf(const Batch& batch, absl::Span<const int> args, const std::vector<SqlType>& types,
             const AccumulatorRows& rows) {
  FlatVector<uint32_t> groups(rows.num_rows);
  std::vector<std::shared_ptr<arrow::Array>> columns(1);
  if (rows.selected == nullptr) {
    std::memcpy(groups.data(), rows.groups, static_cast<size_t>(rows.num_rows) * sizeof(uint32_t));
    for (const int arg : args) columns.push_back(batch.column(arg));
  } else {
    std::vector<uint32_t> taken(rows.selected, rows.selected + rows.num_rows);
    for (int64_t k = 0; k < rows.num_rows; ++k) groups[k] = rows.groups[taken[k]];
    ColumnStore store(types);
    std::vector<std::shared_ptr<arrow::Array>> values;
    for (const int arg : args) values.push_back(batch.column(arg));
    store.Append(Batch(std::move(values), batch.num_rows()));
    for (int c = 0; c < store.num_columns(); ++c) columns.push_back(store.Gather(c, taken));
  }
  columns[0] = MakeFixedArray(arrow::int32(), std::move(groups), NullBits(rows.num_rows));
  return Batch(std::move(columns), rows.num_rows);
}

}  // namespace

DistinctRows::DistinctRows(std::vector<SqlType> arg_types, bool counted)
    : arg_types_(std::move(arg_types)),
      counted_(counted),
      codec_(arg_types_, CodecUse::kStorage),
      table_(WithGroup(arg_types_)) {}

std::vector<int> DistinctRows::ValueColumns() const {
  std::vector<int> columns = FirstColumns(arg_types_.size() + 1);
  columns.erase(columns.begin());
  return columns;
}

AccumulatorRows DistinctRows::Filter(const Batch& batch, absl::Span<const int> args,
                                     const AccumulatorRows& rows) {
  const uint32_t before = table_.size();
  entries_.ResizeUninitialized(rows.num_rows);
  table_.FindOrInsert(KeysOf(batch, args, arg_types_, rows), FirstColumns(args.size() + 1),
                      entries_.data());
  AccumulatorRows kept = rows;
  selected_.Clear();
  selected_.Reserve(rows.num_rows);
  const auto row_at = [&](int64_t k) {
    return rows.selected == nullptr ? static_cast<int32_t>(k) : rows.selected[k];
  };
  if (!counted_) {
    // Entries are numbered in order of appearance, so a row whose entry is the next number is the
    // first of its value.
    uint32_t next = before;
    for (int64_t k = 0; k < rows.num_rows; ++k) {
      if (entries_[k] != next) continue;
      ++next;
      selected_.PushBack(row_at(k));
    }
  } else {
    counts_.Resize(table_.size(), 0);
    weights_.ResizeUninitialized(batch.num_rows());
    for (int64_t k = 0; k < rows.num_rows; ++k) {
      const int32_t row = row_at(k);
      int64_t& count = counts_[entries_[k]];
      const bool was_present = count > 0;
      count += rows.weights == nullptr ? 1 : rows.weights[row];
      MarkChanged(entries_[k]);
      if (was_present == (count > 0)) continue;
      selected_.PushBack(row);
      weights_[row] = was_present ? -1 : 1;
    }
    kept.weights = weights_.data();
  }
  kept.selected = selected_.data();
  kept.num_rows = selected_.size();
  return kept;
}

void DistinctRows::MarkChanged(uint32_t entry) {
  is_changed_.Resize(table_.size(), 0);
  if (is_changed_[entry] != 0) return;
  is_changed_[entry] = 1;
  changed_.PushBack(entry);
}

void DistinctRows::Retain(absl::Span<const uint32_t> survivors, uint32_t num_groups) {
  const FlatVector<uint32_t> new_groups = RenumberingOf(num_groups, survivors);
  std::vector<uint32_t> all(table_.size());
  std::iota(all.begin(), all.end(), 0);
  const auto keys = table_.Keys(all);
  std::vector<uint32_t> kept;
  if (!keys.empty()) {
    const ColumnView groups(*keys[0]);
    for (const uint32_t entry : all) {
      const bool alive = new_groups[groups.Get<int32_t>(entry)] != kNoGroup;
      // A counted value that is gone needs no entry, once that has been written.
      const bool used = !counted_ || counts_[entry] != 0 || is_changed_[entry] != 0;
      if (alive && used) kept.push_back(entry);
    }
  }
  Rebuild(kept, new_groups);
}

void DistinctRows::Rebuild(absl::Span<const uint32_t> entries,
                           const FlatVector<uint32_t>& new_groups) {
  auto keys = table_.Keys(entries);
  table_.Clear();
  const auto n = static_cast<int64_t>(entries.size());
  if (n > 0) {
    FlatVector<uint32_t> groups(n);
    const ColumnView old_groups(*keys[0]);
    for (int64_t i = 0; i < n; ++i) groups[i] = new_groups[old_groups.Get<int32_t>(i)];
    keys[0] = MakeFixedArray(arrow::int32(), std::move(groups), NullBits(n));
    entries_.ResizeUninitialized(n);
    const std::vector<int> columns = FirstColumns(keys.size());
    table_.FindOrInsert(Batch(std::move(keys), n), columns, entries_.data());
  }
  if (!counted_) return;
  counts_.Retain(entries);
  FlatVector<uint8_t> flags;
  flags.swap(is_changed_);
  is_changed_.Resize(n, 0);
  changed_.Clear();
  for (int64_t i = 0; i < n; ++i) {
    if (flags[entries[i]] != 0) MarkChanged(static_cast<uint32_t>(i));
  }
}

void DistinctRows::TakeChanged(Accumulator::DetailVisitor visit) {
  if (changed_.empty()) return;
  auto keys = table_.Keys(absl::MakeConstSpan(changed_.data(), changed_.size()));
  const ColumnView groups(*keys[0]);
  EncodedRows encoded;
  const auto groups_array = keys[0];
  codec_.Encode(Batch(std::move(keys), changed_.size()), ValueColumns(), &encoded);
  for (int64_t i = 0; i < changed_.size(); ++i) {
    visit(static_cast<uint32_t>(groups.Get<int32_t>(i)), encoded.row(i), counts_[changed_[i]]);
    is_changed_[changed_[i]] = 0;
  }
  changed_.Clear();
}

absl::Status DistinctRows::Restore(absl::Span<const AccumulatorDetail> details) {
  const auto n = static_cast<int64_t>(details.size());
  std::vector<std::string_view> rows;
  FlatVector<uint32_t> groups(n);
  for (int64_t i = 0; i < n; ++i) {
    rows.push_back(details[i].value);
    groups[i] = details[i].group;
  }
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_RETURN_IF_ERROR(codec_.Decode(rows, &columns));
  columns.insert(columns.begin(), MakeFixedArray(arrow::int32(), std::move(groups), NullBits(n)));
  entries_.ResizeUninitialized(n);
  const std::vector<int> key_columns = FirstColumns(columns.size());
  table_.FindOrInsert(Batch(std::move(columns), n), key_columns, entries_.data());
  counts_.Resize(table_.size(), 0);
  is_changed_.Resize(table_.size(), 0);
  for (int64_t i = 0; i < n; ++i) counts_[entries_[i]] = details[i].count;
  return absl::OkStatus();
}

}  // namespace millrace
