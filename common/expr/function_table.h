#pragma once

#include <vector>

#include "absl/strings/string_view.h"
#include "common/expr/function_catalog.h"

namespace millrace {

// Collects the entries of the catalog. Each file of kernels adds its own.
class FunctionTable {
 public:
  // signature: "lpad(text,int4,text)->text", types by their short names, "any" for any type.
  void Add(absl::string_view signature, Kernel kernel, const char* description,
           uint8_t traits = kNoTraits, ScaleRule scale_rule = ScaleRule::kNone);
  // An entry whose arguments are cast to `promote_to` and then handled by that type's entry.
  void AddPromoted(absl::string_view signature, TypeId promote_to);

  std::vector<FunctionEntry> Finish() && { return std::move(entries_); }

 private:
  std::vector<FunctionEntry> entries_;
};

void AddArithmeticFunctions(FunctionTable* table);
void AddDecimalFunctions(FunctionTable* table);
void AddComparisonFunctions(FunctionTable* table);
void AddBitwiseFunctions(FunctionTable* table);
void AddMathFunctions(FunctionTable* table);
void AddNumericMathFunctions(FunctionTable* table);
void AddTextFunctions(FunctionTable* table);
void AddTextEditFunctions(FunctionTable* table);
void AddTextSearchFunctions(FunctionTable* table);
void AddRegexFunctions(FunctionTable* table);
void AddTextEncodingFunctions(FunctionTable* table);
void AddConcatFunctions(FunctionTable* table);
void AddDatetimeFunctions(FunctionTable* table);
void AddDatetimeFieldFunctions(FunctionTable* table);
void AddDatetimeMakeFunctions(FunctionTable* table);
void AddIntervalFunctions(FunctionTable* table);
void AddFormattingFunctions(FunctionTable* table);
// Those of internal_calls.h.
void AddInternalFunctions(FunctionTable* table);

}  // namespace millrace
