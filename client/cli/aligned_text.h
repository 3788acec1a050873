#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace millrace {

// Rows of cells in columns as wide as their widest cell.
class AlignedText {
 public:
  explicit AlignedText(std::vector<std::string> header) { Add(std::move(header)); }
  void Add(std::vector<std::string> cells);
  std::string ToString(const std::string& indent) const;

 private:
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace millrace
