#include "worker/kernels/row_codec.h"

#include <cstring>

#include "arrow/array.h"
#include "arrow/type.h"
#include "common/base/status.h"
#include "worker/kernels/array_output.h"
#include "worker/kernels/column_view.h"
#include "worker/kernels/hash.h"

namespace millrace {
namespace {

Layout StoredLayout(const SqlType& type) { return LayoutOf(*ToArrowType(type)); }

template <int kWidth>
void PutFixed(const ColumnView& column, int position, EncodedRows* out) {
  char* bytes = out->bytes.data() + position;
  for (int64_t i = 0; i < column.length; ++i) {
    std::memcpy(bytes + out->offsets[i], column.values + i * kWidth, kWidth);
  }
}

template <typename T>
void PutCanonicalFloat(const ColumnView& column, int position, EncodedRows* out) {
  char* bytes = out->bytes.data() + position;
  for (int64_t i = 0; i < column.length; ++i) {
    const T value = CanonicalFloat(column.Get<T>(i));
    std::memcpy(bytes + out->offsets[i], &value, sizeof(T));
  }
}

void PutColumn(const ColumnView& column, int position, CodecUse use, EncodedRows* out) {
  const bool canonical = use == CodecUse::kKey;
  if (canonical && column.layout == Layout::kFloat32) {
    return PutCanonicalFloat<float>(column, position, out);
  }
  if (canonical && column.layout == Layout::kFloat64) {
    return PutCanonicalFloat<double>(column, position, out);
  }
  if (column.layout == Layout::kBool) {
    for (int64_t i = 0; i < column.length; ++i) {
      out->bytes[out->offsets[i] + position] = column.Bool(i) ? 1 : 0;
    }
    return;
  }
  switch (WidthOf(column.layout)) {
    case 2:
      return PutFixed<2>(column, position, out);
    case 4:
      return PutFixed<4>(column, position, out);
    case 8:
      return PutFixed<8>(column, position, out);
    case 16:
      return PutFixed<16>(column, position, out);
    default:
      return;
  }
}

// Marks the NULLs of a column and clears what Arrow leaves undefined under them.
void PutNulls(const ColumnView& column, int index, int position, EncodedRows* out) {
  if (!column.nullable()) return;
  const size_t width = static_cast<size_t>(WidthOf(column.layout));
  for (int64_t i = 0; i < column.length; ++i) {
    if (!column.IsNull(i)) continue;
    char* row = out->bytes.data() + out->offsets[i];
    row[index / 8] = static_cast<char>(row[index / 8] | (1 << (index % 8)));
    if (width > 0) std::memset(row + position, 0, width);
  }
}

absl::Status Corrupt() {
  return MakeError(SqlState::kDataCorrupted, "stored row has a wrong form");
}

// Rows that are being decoded; text columns advance the cursors in order.
struct Decoding {
  absl::Span<const std::string_view> rows;
  FlatVector<int32_t> cursors;

  bool IsNull(int64_t row, int column) const {
    return ((rows[row][column / 8] >> (column % 8)) & 1) != 0;
  }
};

template <typename T>
std::shared_ptr<arrow::Array> TakeFixed(const Decoding& in, const SqlType& type, int column,
                                        int position) {
  const auto n = static_cast<int64_t>(in.rows.size());
  FlatVector<T> values(n);
  NullBits nulls(n);
  for (int64_t i = 0; i < n; ++i) {
    std::memcpy(&values[i], in.rows[i].data() + position, sizeof(T));
    if (in.IsNull(i, column)) nulls.SetNull(i);
  }
  if (type.id == TypeId::kBoolean) {
    if constexpr (sizeof(T) == 1) return MakeBoolArray(values, std::move(nulls));
  }
  return MakeFixedArray(ToArrowType(type), std::move(values), std::move(nulls));
}

std::shared_ptr<arrow::Array> TakeFixedColumn(const Decoding& in, const SqlType& type, int column,
                                              int position) {
  switch (WidthOf(StoredLayout(type))) {
    case 1:
      return TakeFixed<uint8_t>(in, type, column, position);
    case 2:
      return TakeFixed<int16_t>(in, type, column, position);
    case 4:
      return TakeFixed<int32_t>(in, type, column, position);
    case 8:
      return TakeFixed<int64_t>(in, type, column, position);
    default:
      return TakeFixed<__int128>(in, type, column, position);
  }
}

absl::Status TakeText(Decoding& in, const SqlType& type, int column,
                      std::shared_ptr<arrow::Array>* out) {
  const auto n = static_cast<int64_t>(in.rows.size());
  TextOutput text(n);
  for (int64_t i = 0; i < n; ++i) {
    if (in.IsNull(i, column)) {
      text.AppendNull();
      continue;
    }
    std::string_view rest = in.rows[i].substr(in.cursors[i]);
    uint32_t length = 0;
    if (rest.size() < sizeof(length)) return Corrupt();
    std::memcpy(&length, rest.data(), sizeof(length));
    rest.remove_prefix(sizeof(length));
    if (rest.size() < length) return Corrupt();
    text.Append(rest.substr(0, length));
    in.cursors[i] += static_cast<int32_t>(sizeof(length) + length);
  }
  *out = text.Finish(ToArrowType(type));
  return absl::OkStatus();
}

}  // namespace

RowCodec::RowCodec(std::vector<SqlType> types, CodecUse use) : types_(std::move(types)), use_(use) {
  null_bytes_ = (static_cast<int>(types_.size()) + 7) / 8;
  fixed_bytes_ = null_bytes_;
  for (const SqlType& type : types_) {
    positions_.push_back(fixed_bytes_);
    fixed_bytes_ += WidthOf(StoredLayout(type));
  }
}

void RowCodec::Encode(const Batch& batch, absl::Span<const int> columns, EncodedRows* out) const {
  MR_DCHECK(columns.size() == types_.size());
  const int64_t n = batch.num_rows();
  std::vector<ColumnView> views;
  views.reserve(columns.size());
  for (const int column : columns) views.emplace_back(*batch.column(column));

  // Lengths first: offsets[i] counts the bytes of row i − 1, then becomes a running sum.
  out->offsets.ResizeUninitialized(n + 1);
  out->offsets[0] = 0;
  for (int64_t i = 0; i < n; ++i) out->offsets[i + 1] = fixed_bytes_;
  for (const ColumnView& view : views) {
    if (view.layout != Layout::kBytes && view.layout != Layout::kDictionary) continue;
    for (int64_t i = 0; i < n; ++i) {
      if (!view.IsNull(i)) out->offsets[i + 1] += 4 + static_cast<int64_t>(view.Text(i).size());
    }
  }
  for (int64_t i = 0; i < n; ++i) out->offsets[i + 1] += out->offsets[i];
  out->bytes.ResizeUninitialized(out->offsets[n]);
  // Without columns and rows there are no bytes either.
  for (int64_t i = 0; i < n && null_bytes_ > 0; ++i) {
    std::memset(out->bytes.data() + out->offsets[i], 0, static_cast<size_t>(null_bytes_));
  }

  FlatVector<int64_t> cursors;
  for (size_t c = 0; c < views.size(); ++c) {
    const ColumnView& view = views[c];
    if (view.layout == Layout::kBytes || view.layout == Layout::kDictionary) {
      if (cursors.empty()) {
        cursors.Append(out->offsets.data(), n);
        for (int64_t i = 0; i < n; ++i) cursors[i] += fixed_bytes_;
      }
      for (int64_t i = 0; i < n; ++i) {
        if (view.IsNull(i)) continue;
        const std::string_view text = view.Text(i);
        const auto length = static_cast<uint32_t>(text.size());
        std::memcpy(out->bytes.data() + cursors[i], &length, sizeof(length));
        std::memcpy(out->bytes.data() + cursors[i] + 4, text.data(), text.size());
        cursors[i] += 4 + static_cast<int64_t>(length);
      }
    } else {
      PutColumn(view, positions_[c], use_, out);
    }
    PutNulls(view, static_cast<int>(c), positions_[c], out);
  }
}

absl::Status RowCodec::Decode(absl::Span<const std::string_view> rows,
                              std::vector<std::shared_ptr<arrow::Array>>* columns) const {
  columns->clear();
  const auto n = static_cast<int64_t>(rows.size());
  for (const std::string_view row : rows) {
    if (static_cast<int>(row.size()) < fixed_bytes_) return Corrupt();
  }
  Decoding in{rows, {}};
  in.cursors.Resize(n, fixed_bytes_);
  for (size_t c = 0; c < types_.size(); ++c) {
    const Layout layout = StoredLayout(types_[c]);
    if (layout == Layout::kNull) {
      columns->push_back(MakeNullArray(types_[c], n));
    } else if (layout == Layout::kBytes) {
      columns->emplace_back();
      MR_RETURN_IF_ERROR(TakeText(in, types_[c], static_cast<int>(c), &columns->back()));
    } else {
      columns->push_back(TakeFixedColumn(in, types_[c], static_cast<int>(c), positions_[c]));
    }
  }
  return absl::OkStatus();
}

}  // namespace millrace
