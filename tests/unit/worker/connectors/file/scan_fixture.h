#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/connector_spec/file_options.h"
#include "common/expr/expr.h"
#include "common/file_format/split_enumeration.h"
#include "common/storage/file_listing.h"
#include "common/storage/local_file_system.h"
#include "millrace/v1/plan.pb.h"
#include "tests/support/source_contract.h"
#include "tests/support/temp_folder.h"
#include "worker/connectors/factory/connector_factory.h"

namespace millrace {

// Scans of files, as the coordinator and a worker together make them.
class ScanFixture : public testing::Test {
 protected:
  // Reads `columns` of what the options name. All columns are output unless `projection` is given.
  struct Scan {
    OptionMap options;
    Schema columns;
    std::vector<int> projection;
    ExprPtr filter;
  };

  static SqlType Type(TypeId id) { return SqlType::Of(id); }

  Schema OutputOf(const Scan& scan) const {
    Schema output;
    for (const int column : ProjectionOf(scan)) output.push_back(scan.columns[column]);
    return output;
  }
  absl::StatusOr<std::unique_ptr<Source>> MakeSource(const Scan& scan) {
    v1::ScanNode node;
    node.set_connector("file");
    node.set_table_name("t");
    node.mutable_options()->insert(scan.options.begin(), scan.options.end());
    for (const Field& field : scan.columns) ToProto(field, node.add_columns());
    for (const int column : ProjectionOf(scan)) {
      node.add_projection(static_cast<uint32_t>(column));
    }
    if (scan.filter != nullptr) ToProto(*scan.filter, node.mutable_filter());
    return CreateSource(node, file_system_);
  }
  absl::StatusOr<std::vector<v1::Split>> Splits(const Scan& scan) {
    MR_ASSIGN_OR_RETURN(const FileOptions options, ParseFileOptions(scan.options));
    MR_ASSIGN_OR_RETURN(auto files, ListFiles(file_system_, options.path));
    return EnumerateFileSplits(file_system_, std::move(files), options, SplitMode::kRanges);
  }
  // All rows of all splits.
  absl::StatusOr<std::vector<std::string>> Read(const Scan& scan) {
    MR_ASSIGN_OR_RETURN(const std::unique_ptr<Source> source, MakeSource(scan));
    MR_ASSIGN_OR_RETURN(const auto splits, Splits(scan));
    std::vector<std::string> rows;
    for (const v1::Split& split : splits) {
      MR_ASSIGN_OR_RETURN(const auto part, ReadSplit(*source, split, OutputOf(scan)));
      rows.insert(rows.end(), part.begin(), part.end());
    }
    bad_rows_ = source->bad_rows();
    kept_rows_ = source->TakeBadRows();
    return rows;
  }
  void CheckContract(const Scan& scan) {
    const auto splits = Splits(scan);
    ASSERT_OK(splits);
    CheckSourceContract({[&] { return *MakeSource(scan); }, *splits, OutputOf(scan)});
  }

  TempFolder folder_;
  LocalFileSystem file_system_;
  // Of the last Read.
  uint64_t bad_rows_ = 0;
  std::vector<BadRow> kept_rows_;

 private:
  static std::vector<int> ProjectionOf(const Scan& scan) {
    if (!scan.projection.empty()) return scan.projection;
    std::vector<int> all;
    for (size_t i = 0; i < scan.columns.size(); ++i) all.push_back(static_cast<int>(i));
    return all;
  }
};

}  // namespace millrace
