#include "coordinator/scheduler/split_times.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "arrow/type.h"
#include "common/file_format/parquet_file.h"
#include "common/types/calendar.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/split.pb.h"

namespace millrace {
namespace {

// `value` of a column of this type in microseconds, rounded down.
std::optional<int64_t> MicrosOf(const arrow::DataType& type, int64_t value) {
  int64_t micros_per_unit = 0;
  if (type.id() == arrow::Type::DATE32) {
    micros_per_unit = int64_t{86'400} * 1'000'000;
  } else if (type.id() == arrow::Type::TIMESTAMP) {
    switch (static_cast<const arrow::TimestampType&>(type).unit()) {
      case arrow::TimeUnit::SECOND:
        micros_per_unit = 1'000'000;
        break;
      case arrow::TimeUnit::MILLI:
        micros_per_unit = 1'000;
        break;
      case arrow::TimeUnit::MICRO:
        micros_per_unit = 1;
        break;
      case arrow::TimeUnit::NANO:
        return FloorDiv(value, 1'000);
    }
  }
  int64_t micros = 0;
  if (micros_per_unit == 0 || __builtin_mul_overflow(value, micros_per_unit, &micros)) {
    return std::nullopt;
  }
  return micros;
}

int FieldOf(const ParquetFile& file, const std::string& column) {
  const std::vector<std::string> names = file.schema().field_names();
  for (const bool ignore_case : {false, true}) {
    for (size_t i = 0; i < names.size(); ++i) {
      if (ignore_case ? absl::EqualsIgnoreCase(names[i], column) : names[i] == column) {
        return static_cast<int>(i);
      }
    }
  }
  return -1;
}

std::optional<int64_t> MinTimeOf(const ParquetFile& file, const v1::FileSplit& split, int field) {
  const arrow::DataType& type = *file.schema().field(field)->type();
  const int first = static_cast<int>(split.first_row_group());
  const int end = split.num_row_groups() == 0 ? file.num_row_groups()
                                              : first + static_cast<int>(split.num_row_groups());
  std::optional<int64_t> least;
  for (int group = first; group < std::min(end, file.num_row_groups()); ++group) {
    if (file.row_group_rows(group) == 0) continue;
    const std::optional<ParquetRange> range = file.RangeOf(group, field);
    if (!range.has_value() || !std::holds_alternative<int64_t>(range->min)) return std::nullopt;
    const std::optional<int64_t> time = MicrosOf(type, std::get<int64_t>(range->min));
    if (!time.has_value()) return std::nullopt;
    least = std::min(least.value_or(*time), *time);
  }
  return least;
}

}  // namespace

void SetMinTimes(FileSystem& file_system, const v1::ScanNode& scan,
                 std::vector<v1::Split>* splits) {
  if (!scan.has_watermark()) return;
  const std::string& column = scan.columns(static_cast<int>(scan.watermark().time_column())).name();
  for (v1::Split& split : *splits) {
    if (!split.has_file() || split.file().format() != "parquet") continue;
    // Whoever reads the split reports what is wrong with the file.
    const auto file = ParquetFile::Open(file_system, split.file().path());
    if (!file.ok()) continue;
    const int field = FieldOf(**file, column);
    if (field < 0) continue;
    if (const auto time = MinTimeOf(**file, split.file(), field)) split.set_min_time_micros(*time);
  }
}

}  // namespace millrace
