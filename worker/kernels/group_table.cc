#include "worker/kernels/group_table.h"

#include <algorithm>

#include "arrow/array.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/bytes_key_table.h"
#include "worker/kernels/column_view.h"
#include "worker/kernels/packed_key_table.h"

namespace millrace {
namespace {

// The table of an aggregate without keys: every row belongs to group 0.
class NoKeyTable final : public KeyTable {
 public:
  void FindOrInsert(const Batch& batch, absl::Span<const int>, uint32_t* groups) override {
    std::fill(groups, groups + batch.num_rows(), 0);
    if (batch.num_rows() > 0) size_ = 1;
  }
  void Find(const Batch& batch, absl::Span<const int>, uint32_t* groups) override {
    std::fill(groups, groups + batch.num_rows(), size_ == 0 ? kNoGroup : 0);
  }
  uint32_t size() const override { return size_; }
  std::vector<std::shared_ptr<arrow::Array>> Keys(absl::Span<const uint32_t>) const override {
    return {};
  }
  void Retain(absl::Span<const uint32_t> survivors) override {
    size_ = static_cast<uint32_t>(survivors.size());
  }
  void Reserve(int64_t) override {}
  int64_t bytes() const override { return 0; }

 private:
  uint32_t size_ = 0;
};

bool HasPlainText(const Batch& batch, absl::Span<const int> columns) {
  return std::any_of(columns.begin(), columns.end(), [&](int column) {
    return LayoutOf(*batch.column(column)->type()) == Layout::kBytes;
  });
}

std::unique_ptr<KeyTable> ChooseTable(const std::vector<SqlType>& types, const Batch& first,
                                      absl::Span<const int> columns) {
  if (types.empty()) return std::make_unique<NoKeyTable>();
  const bool is_text = LayoutOf(*ToArrowType(types[0])) == Layout::kBytes;
  if (types.size() == 1 && is_text) return std::make_unique<TextKeyTable>(types[0]);
  // Plain text may have any number of values; interning each of them would cost a second look-up.
  if (HasPlainText(first, columns)) return std::make_unique<RowKeyTable>(types);
  KeyPacking packing = KeyPacking::Of(types);
  if (packing.num_words == 0) return std::make_unique<RowKeyTable>(types);
  return MakePackedKeyTable(types, std::move(packing));
}

}  // namespace

void GroupTable::FindOrInsert(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) {
  if (batch.num_rows() == 0) return;
  if (table_ == nullptr) {
    table_ = ChooseTable(key_types_, batch, columns);
    if (expected_groups_ > 0) table_->Reserve(expected_groups_);
  }
  table_->FindOrInsert(batch, columns, groups);
}

void GroupTable::Find(const Batch& batch, absl::Span<const int> columns, uint32_t* groups) {
  if (table_ == nullptr) {
    std::fill(groups, groups + batch.num_rows(), kNoGroup);
    return;
  }
  table_->Find(batch, columns, groups);
}

std::vector<std::shared_ptr<arrow::Array>> GroupTable::Keys(
    absl::Span<const uint32_t> groups) const {
  if (table_ != nullptr) return table_->Keys(groups);
  std::vector<std::shared_ptr<arrow::Array>> columns;
  MR_CHECK(groups.empty());
  for (const SqlType& type : key_types_) columns.push_back(MakeNullArray(type, 0));
  return columns;
}

void GroupTable::Retain(absl::Span<const uint32_t> survivors) {
  if (table_ != nullptr) table_->Retain(survivors);
}

}  // namespace millrace
