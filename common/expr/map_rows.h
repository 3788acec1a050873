#pragma once

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "common/expr/column_reader.h"
#include "common/expr/column_writer.h"
#include "common/expr/kernel.h"

namespace millrace {

// Applies `f` to the rows whose arguments are all given; the others become NULL. For functions
// whose work per row outweighs the loop: text, dates, anything transcendental.
//
//   MapRows<int32_t, absl::string_view>(call, [](absl::string_view text, int32_t* out) { … });
//
// The lambda returns void, or bool (false makes the row NULL), or absl::Status (an error ends the
// call). Text results are appended to *out, which already holds the rows before.
template <typename Out, typename... In, typename F>
absl::StatusOr<std::shared_ptr<arrow::Array>> MapRows(const KernelCall& call, const F& f) {
  ColumnWriter<Out> writer;
  MR_RETURN_IF_ERROR(writer.Init(call));
  MR_ASSIGN_OR_RETURN(Validity strict, StrictValidity(call));
  NullMarker nulls(strict, call.num_rows);
  const auto readers = [&]<size_t... I>(std::index_sequence<I...>) {
    return std::tuple<ColumnReader<In>...>(ColumnReader<In>(call.args[I])...);
  }(std::index_sequence_for<In...>());
  using Result = std::invoke_result_t<F, In..., typename ColumnWriter<Out>::Slot*>;
  for (int64_t row = 0; row < call.num_rows; ++row) {
    if (!strict.IsValid(row)) {
      writer.SetNull(row);
      continue;
    }
    const auto apply = [&]<size_t... I>(std::index_sequence<I...>) {
      return f(std::get<I>(readers)[row]..., writer.slot());
    };
    constexpr auto kIndices = std::index_sequence_for<In...>();
    if constexpr (std::is_void_v<Result>) {
      apply(kIndices);
      writer.Commit(row);
    } else if constexpr (std::is_same_v<Result, bool>) {
      if (apply(kIndices)) {
        writer.Commit(row);
      } else {
        MR_RETURN_IF_ERROR(nulls.MarkNull(row));
        writer.SetNull(row);
      }
    } else {
      MR_RETURN_IF_ERROR(apply(kIndices));
      writer.Commit(row);
    }
    if constexpr (std::is_same_v<Out, std::string>) MR_RETURN_IF_ERROR(writer.CheckSize());
  }
  return writer.Finish(nulls.validity());
}

}  // namespace millrace
