// Times the scan of files as a worker does it: splits are handed to threads, each with a source of
// its own; all columns that are asked for are converted, and numbers are summed up, so that the
// result can be compared with another engine's.
//
//   bench_scan PATH THREADS COLUMN:TYPE[:read] …       types: int4 int8 float8 numeric text date
//   timestamp
//
// Prints one JSON object: seconds, rows, and the sum of each read column that is a number (of
// texts: their bytes).

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "arrow/array.h"
#include "arrow/util/decimal.h"
#include "common/base/status.h"
#include "common/connector_spec/file_options.h"
#include "common/file_format/split_enumeration.h"
#include "common/storage/file_listing.h"
#include "common/storage/local_file_system.h"
#include "millrace/v1/plan.pb.h"
#include "millrace/v1/split.pb.h"
#include "worker/connectors/factory/connector_factory.h"

namespace millrace {
namespace {

absl::StatusOr<SqlType> TypeOf(absl::string_view name) {
  if (name == "int4") return SqlType::Of(TypeId::kInt32);
  if (name == "int8") return SqlType::Of(TypeId::kInt64);
  if (name == "float8") return SqlType::Of(TypeId::kFloat64);
  if (name == "numeric") return SqlType::Numeric(15, 2);
  if (name == "text") return SqlType::Of(TypeId::kText);
  if (name == "date") return SqlType::Of(TypeId::kDate);
  if (name == "timestamp") return SqlType::Of(TypeId::kTimestamp);
  return MakeError(SqlState::kInvalidParameterValue, absl::StrCat("unknown type ", name));
}

double SumOf(const arrow::Array& array) {
  double sum = 0;
  switch (array.type_id()) {
    case arrow::Type::INT32:
    case arrow::Type::DATE32: {
      const auto* values = array.data()->GetValues<int32_t>(1);
      int64_t exact = 0;
      for (int64_t i = 0; i < array.length(); ++i) exact += values[i];
      return static_cast<double>(exact);
    }
    case arrow::Type::INT64:
    case arrow::Type::TIMESTAMP: {
      const auto* values = array.data()->GetValues<int64_t>(1);
      for (int64_t i = 0; i < array.length(); ++i) sum += static_cast<double>(values[i]);
      return sum;
    }
    case arrow::Type::DOUBLE: {
      const auto* values = array.data()->GetValues<double>(1);
      for (int64_t i = 0; i < array.length(); ++i) sum += values[i];
      return sum;
    }
    case arrow::Type::DECIMAL128: {
      const auto* values = array.data()->GetValues<__int128>(1);
      __int128 exact = 0;
      for (int64_t i = 0; i < array.length(); ++i) exact += values[i];
      return static_cast<double>(exact) / 100;
    }
    case arrow::Type::STRING:
      return static_cast<double>(
          static_cast<const arrow::StringArray&>(array).total_values_length());
    case arrow::Type::DICTIONARY: {
      const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
      const auto& words = static_cast<const arrow::StringArray&>(*dictionary.dictionary());
      const auto* indices = array.data()->GetValues<int32_t>(1);
      int64_t bytes = 0;
      for (int64_t i = 0; i < array.length(); ++i) bytes += words.value_length(indices[i]);
      return static_cast<double>(bytes);
    }
    default:
      return sum;
  }
}

// What all threads share and add up.
struct Totals {
  std::mutex mutex;
  std::vector<v1::Split> splits;
  uint64_t rows = 0;
  std::vector<double> sums;
  absl::Status status;
};

absl::Status ScanSplits(const v1::ScanNode& node, FileSystem& file_system, Totals* totals) {
  MR_ASSIGN_OR_RETURN(const auto source, CreateSource(node, file_system));
  uint64_t rows = 0;
  std::vector<double> sums(static_cast<size_t>(node.projection_size()));
  while (true) {
    v1::Split split;
    {
      const std::lock_guard<std::mutex> lock(totals->mutex);
      if (totals->splits.empty()) break;
      split = std::move(totals->splits.back());
      totals->splits.pop_back();
    }
    MR_RETURN_IF_ERROR(source->Open(split));
    PollResult result = PollResult::kRows;
    while (result != PollResult::kEnd) {
      Batch batch;
      MR_ASSIGN_OR_RETURN(result, source->Poll(PollBudget(), &batch));
      rows += static_cast<uint64_t>(batch.num_rows());
      for (int i = 0; i < batch.num_columns(); ++i) {
        sums[static_cast<size_t>(i)] += SumOf(*batch.column(i));
      }
    }
  }
  const std::lock_guard<std::mutex> lock(totals->mutex);
  totals->rows += rows;
  for (size_t i = 0; i < sums.size(); ++i) totals->sums[i] += sums[i];
  return source->Close();
}

absl::Status Run(const std::vector<std::string>& args) {
  if (args.size() < 3) return MakeError(SqlState::kInvalidParameterValue, "too few arguments");
  v1::ScanNode node;
  node.set_connector("file");
  node.mutable_options()->insert({"path", args[0]});
  int num_threads = 1;
  if (!absl::SimpleAtoi(args[1], &num_threads)) return InternalError("THREADS is no number");
  for (size_t i = 2; i < args.size(); ++i) {
    const std::vector<std::string> parts = absl::StrSplit(args[i], ':');
    if (parts.size() < 2) return InternalError("write COLUMN:TYPE[:read]");
    MR_ASSIGN_OR_RETURN(const SqlType type, TypeOf(parts[1]));
    if (parts.size() == 3) node.add_projection(static_cast<uint32_t>(node.columns_size()));
    ToProto(Field{parts[0], type}, node.add_columns());
  }
  LocalFileSystem file_system;
  Totals totals;
  totals.sums.resize(static_cast<size_t>(node.projection_size()));
  const auto begin = std::chrono::steady_clock::now();
  MR_ASSIGN_OR_RETURN(const FileOptions options, ParseFileOptions(ToOptionMap(node.options())));
  MR_ASSIGN_OR_RETURN(auto files, ListFiles(file_system, args[0]));
  MR_ASSIGN_OR_RETURN(totals.splits, EnumerateFileSplits(file_system, std::move(files), options,
                                                         SplitMode::kRanges));
  std::vector<std::thread> threads;
  for (int i = 0; i < num_threads; ++i) {
    threads.emplace_back([&] {
      const absl::Status status = ScanSplits(node, file_system, &totals);
      const std::lock_guard<std::mutex> lock(totals.mutex);
      totals.status.Update(status);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  MR_RETURN_IF_ERROR(totals.status);
  std::printf("{\"seconds\": %.4f, \"rows\": %llu, \"sums\": {", seconds.count(),
              static_cast<unsigned long long>(totals.rows));
  for (int i = 0; i < node.projection_size(); ++i) {
    std::printf("%s\"%s\": %.17g", i == 0 ? "" : ", ",
                node.columns(static_cast<int>(node.projection(i))).name().c_str(),
                totals.sums[static_cast<size_t>(i)]);
  }
  std::printf("}}\n");
  return absl::OkStatus();
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  const absl::Status status = millrace::Run({argv + 1, argv + argc});
  if (status.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return EXIT_FAILURE;
}
