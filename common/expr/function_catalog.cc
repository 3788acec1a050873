#include "common/expr/function_catalog.h"

#include <algorithm>
#include <cctype>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/check.h"
#include "common/expr/cast_kernels.h"
#include "common/expr/function_table.h"

namespace millrace {
namespace {

TypeId TypeByShortName(absl::string_view name) {
  if (name == "any") return TypeId::kUnknown;
  for (int id = 1; id <= static_cast<int>(TypeId::kInterval); ++id) {
    if (ShortTypeName(static_cast<TypeId>(id)) == name) return static_cast<TypeId>(id);
  }
  MR_CHECK(false);
}

FunctionEntry ParseSignature(absl::string_view signature) {
  const std::vector<absl::string_view> halves = absl::StrSplit(signature, ")->");
  MR_CHECK(halves.size() == 2);
  const std::vector<absl::string_view> parts = absl::StrSplit(halves[0], '(');
  MR_CHECK(parts.size() == 2);
  FunctionEntry entry;
  entry.name = std::string(parts[0]);
  for (absl::string_view arg : absl::StrSplit(parts[1], ',', absl::SkipEmpty())) {
    entry.args.push_back(TypeByShortName(arg));
  }
  entry.result = TypeByShortName(halves[1]);
  return entry;
}

void AddAssignLength(FunctionTable* table) {
  table->Add("assign_length(text)->varchar", AssignLength,
             "text checked against the length of a column", kFallible | kCostly);
}

class Catalog {
 public:
  Catalog() {
    FunctionTable table;
    AddArithmeticFunctions(&table);
    AddDecimalFunctions(&table);
    AddComparisonFunctions(&table);
    AddAssignLength(&table);
    AddBitwiseFunctions(&table);
    AddMathFunctions(&table);
    AddNumericMathFunctions(&table);
    AddTextFunctions(&table);
    AddTextEditFunctions(&table);
    AddTextSearchFunctions(&table);
    AddRegexFunctions(&table);
    AddTextEncodingFunctions(&table);
    AddConcatFunctions(&table);
    AddDatetimeFunctions(&table);
    AddDatetimeFieldFunctions(&table);
    AddDatetimeMakeFunctions(&table);
    AddIntervalFunctions(&table);
    AddFormattingFunctions(&table);
    AddInternalFunctions(&table);
    entries_ = std::move(table).Finish();
    std::stable_sort(
        entries_.begin(), entries_.end(),
        [](const FunctionEntry& a, const FunctionEntry& b) { return a.name < b.name; });
    for (size_t i = 0; i < entries_.size(); ++i) {
      const bool is_new = by_unique_name_.emplace(entries_[i].UniqueName(), &entries_[i]).second;
      MR_CHECK(is_new);
      auto& range = by_name_[entries_[i].name];
      if (range.second == 0) range.first = i;
      ++range.second;
    }
  }

  absl::Span<const FunctionEntry> Find(absl::string_view name) const {
    const auto found = by_name_.find(name);
    if (found == by_name_.end()) return {};
    return absl::MakeSpan(entries_).subspan(found->second.first, found->second.second);
  }
  const FunctionEntry* FindUnique(absl::string_view name) const {
    const auto found = by_unique_name_.find(name);
    return found == by_unique_name_.end() ? nullptr : found->second;
  }
  absl::Span<const FunctionEntry> all() const { return entries_; }

 private:
  std::vector<FunctionEntry> entries_;
  absl::flat_hash_map<std::string, std::pair<size_t, size_t>> by_name_;
  absl::flat_hash_map<std::string, const FunctionEntry*> by_unique_name_;
};

const Catalog& TheCatalog() {
  static const Catalog* const catalog = new Catalog();
  return *catalog;
}

bool DependsOnZone(TypeId a, TypeId b) {
  const bool other = a == TypeId::kTimestamp || a == TypeId::kDate || a == TypeId::kTime ||
                     (a >= TypeId::kText && a <= TypeId::kChar) || a == TypeId::kUnknown;
  return b == TypeId::kTimestampTz && other;
}

}  // namespace

std::string FunctionEntry::UniqueName() const {
  return absl::StrCat(name, "(",
                      absl::StrJoin(args, ",",
                                    [](std::string* out, TypeId id) {
                                      const auto text = ShortTypeName(id);
                                      absl::StrAppend(out, id == TypeId::kUnknown ? "any" : text);
                                    }),
                      is_variadic() ? "..." : "", ")");
}

void FunctionTable::Add(absl::string_view signature, Kernel kernel, const char* description,
                        uint8_t traits, ScaleRule scale_rule) {
  FunctionEntry entry = ParseSignature(signature);
  entry.kernel = kernel;
  entry.description = description;
  entry.traits = traits;
  entry.scale_rule = scale_rule;
  MR_CHECK((entry.result == TypeId::kNumeric) == (scale_rule != ScaleRule::kNone));
  entries_.push_back(std::move(entry));
}

void FunctionTable::AddPromoted(absl::string_view signature, TypeId promote_to) {
  FunctionEntry entry = ParseSignature(signature);
  entry.promote_to = promote_to;
  entries_.push_back(std::move(entry));
}

absl::Span<const FunctionEntry> FindFunctions(absl::string_view name) {
  return TheCatalog().Find(name);
}

const FunctionEntry* FindImplementation(absl::string_view unique_name) {
  return TheCatalog().FindUnique(unique_name);
}

absl::Span<const FunctionEntry> AllFunctions() { return TheCatalog().all(); }

bool IsImmutableFunction(absl::string_view unique_name) {
  const FunctionEntry* entry = FindImplementation(unique_name);
  // Special forms (and, coalesce, …) are not in the table; they are all immutable.
  return entry == nullptr || (entry->traits & kStable) == 0;
}

bool IsImmutableCast(const SqlType& from, const SqlType& to) {
  return !DependsOnZone(from.id, to.id) && !DependsOnZone(to.id, from.id);
}

}  // namespace millrace
