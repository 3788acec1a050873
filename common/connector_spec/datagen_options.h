#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "common/connector_spec/connector_options.h"
#include "common/types/value.h"

namespace millrace {

// kSequence: min, min + step, min + 2 step, … with the row number. kRandom: drawn from [min, max]
// or from `cardinality` values.
enum class DatagenKind : uint8_t { kSequence, kRandom };

// How one column is made. Every value is a function of seed, column and row number alone.
struct DatagenColumn {
  DatagenKind kind = DatagenKind::kRandom;
  // In the column's unit: integers, days, microseconds. Floats and numeric use the doubles.
  int64_t min = 0;
  int64_t max = 0;
  double min_double = 0;
  double max_double = 0;
  // Distance of a sequence; microseconds for times.
  int64_t step = 1;
  // 0 = every value of the range may occur; else so many different values.
  uint64_t cardinality = 0;
  // Exponent of a Zipf distribution over the `cardinality` values; 0 = uniform.
  double zipf = 0;
  double null_share = 0;
  // Sequences of timestamps: each is up to so much earlier than its place in the sequence.
  int64_t disorder_micros = 0;
  // Text: letters of a value where no cardinality is given.
  uint32_t length = 16;
};

// Options of connector = 'datagen'.
struct DatagenOptions {
  // Absent = it never ends.
  std::optional<uint64_t> rows;
  double rows_per_second = 0;
  uint64_t seed = 1;
  // One for each column of the definition.
  std::vector<DatagenColumn> columns;
};

// Column options are written "<column>.min" (or "fields.<column>.min"). 22023 for unknown columns
// and options.
absl::StatusOr<DatagenOptions> ParseDatagenOptions(const OptionMap& options, const Schema& columns);

}  // namespace millrace
