#include "common/expr/type_resolution.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace millrace {
namespace {

using Candidates = std::vector<const FunctionEntry*>;

// The implicit casts of pg_cast: rows are sources.
bool IsImplicitCast(TypeId from, TypeId to) {
  switch (from) {
    case TypeId::kInt16:
      return to == TypeId::kInt32 || to == TypeId::kInt64 || to == TypeId::kFloat32 ||
             to == TypeId::kFloat64 || to == TypeId::kNumeric;
    case TypeId::kInt32:
      return to == TypeId::kInt64 || to == TypeId::kFloat32 || to == TypeId::kFloat64 ||
             to == TypeId::kNumeric;
    case TypeId::kInt64:
      return to == TypeId::kFloat32 || to == TypeId::kFloat64 || to == TypeId::kNumeric;
    case TypeId::kNumeric:
      return to == TypeId::kFloat32 || to == TypeId::kFloat64;
    case TypeId::kFloat32:
      return to == TypeId::kFloat64;
    case TypeId::kText:
    case TypeId::kVarchar:
    case TypeId::kChar:
      return to == TypeId::kText || to == TypeId::kVarchar || to == TypeId::kChar;
    case TypeId::kDate:
      return to == TypeId::kTimestamp || to == TypeId::kTimestampTz;
    case TypeId::kTimestamp:
      return to == TypeId::kTimestampTz;
    case TypeId::kTime:
      return to == TypeId::kInterval;
    default:
      return false;
  }
}

bool IsAssignmentCast(TypeId from, TypeId to) {
  const SqlType target = SqlType::Of(to);
  if (target.is_string()) return true;
  switch (from) {
    case TypeId::kInt16:
    case TypeId::kInt32:
    case TypeId::kInt64:
    case TypeId::kFloat32:
    case TypeId::kFloat64:
    case TypeId::kNumeric:
      return target.is_number();
    case TypeId::kTimestamp:
      return to == TypeId::kDate || to == TypeId::kTime;
    case TypeId::kTimestampTz:
      return to == TypeId::kDate || to == TypeId::kTime || to == TypeId::kTimestamp;
    case TypeId::kInterval:
      return to == TypeId::kTime;
    default:
      return false;
  }
}

bool IsExplicitCast(TypeId from, TypeId to) {
  if (SqlType::Of(from).is_string()) return true;
  return (from == TypeId::kInt32 && to == TypeId::kBoolean) ||
         (from == TypeId::kBoolean && to == TypeId::kInt32);
}

// Whether the arguments can be passed to the candidate at all.
bool Accepts(const FunctionEntry& entry, absl::Span<const TypeId> args) {
  const bool count_fits =
      entry.is_variadic() ? args.size() >= entry.args.size() : args.size() == entry.args.size();
  if (!count_fits) return false;
  for (size_t i = 0; i < args.size(); ++i) {
    if (!CanCast(args[i], ParameterType(entry, i), CastContext::kImplicit)) return false;
  }
  return true;
}

// Strings count as one type here: they are the same in memory, and PostgreSQL treats varchar as
// text.
TypeId Normalise(TypeId id) { return id == TypeId::kVarchar ? TypeId::kText : id; }

template <typename Score>
Candidates KeepBest(const Candidates& candidates, const Score& score) {
  Candidates best;
  int best_score = -1;
  for (const FunctionEntry* candidate : candidates) {
    const int value = score(*candidate);
    if (value > best_score) {
      best.clear();
      best_score = value;
    }
    if (value == best_score) best.push_back(candidate);
  }
  return best;
}

Candidates KeepMostExact(const Candidates& candidates, absl::Span<const TypeId> args) {
  return KeepBest(candidates, [&](const FunctionEntry& entry) {
    int exact = 0;
    for (size_t i = 0; i < args.size(); ++i) {
      exact += args[i] != TypeId::kUnknown && ParameterType(entry, i) == Normalise(args[i]);
    }
    return exact;
  });
}

Candidates KeepMostPreferred(const Candidates& candidates, absl::Span<const TypeId> args) {
  return KeepBest(candidates, [&](const FunctionEntry& entry) {
    int score = 0;
    for (size_t i = 0; i < args.size(); ++i) {
      if (args[i] == TypeId::kUnknown) continue;
      const TypeId parameter = ParameterType(entry, i);
      const bool preferred = CategoryOf(parameter) == CategoryOf(args[i]) && IsPreferred(parameter);
      score += parameter == Normalise(args[i]) || preferred;
    }
    return score;
  });
}

// Rule 4.e: what an unknown literal should be. The string category wins if any candidate takes it;
// otherwise all candidates must agree on a category.
Candidates ResolveUnknowns(Candidates candidates, absl::Span<const TypeId> args) {
  std::vector<TypeCategory> chosen(args.size(), TypeCategory::kUnknown);
  std::vector<bool> wants_preferred(args.size(), false);
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] != TypeId::kUnknown) continue;
    bool conflict = false;
    for (const FunctionEntry* entry : candidates) {
      const TypeCategory category = CategoryOf(ParameterType(*entry, i));
      if (category == TypeCategory::kString) {
        chosen[i] = TypeCategory::kString;
        conflict = false;
        break;
      }
      if (chosen[i] == TypeCategory::kUnknown) {
        chosen[i] = category;
      } else {
        conflict |= chosen[i] != category;
      }
    }
    if (conflict) return candidates;
    wants_preferred[i] = std::any_of(candidates.begin(), candidates.end(), [&](const auto* entry) {
      const TypeId parameter = ParameterType(*entry, i);
      return CategoryOf(parameter) == chosen[i] && IsPreferred(parameter);
    });
  }
  Candidates kept;
  for (const FunctionEntry* entry : candidates) {
    bool keep = true;
    for (size_t i = 0; i < args.size(); ++i) {
      if (args[i] != TypeId::kUnknown) continue;
      const TypeId parameter = ParameterType(*entry, i);
      keep &= CategoryOf(parameter) == chosen[i] && (!wants_preferred[i] || IsPreferred(parameter));
    }
    if (keep) kept.push_back(entry);
  }
  return kept.empty() ? candidates : kept;
}

// Rule 4.f: if all known arguments have one type, the unknown ones are taken to have it too.
const FunctionEntry* AssumeSameType(const Candidates& candidates, absl::Span<const TypeId> args) {
  TypeId known = TypeId::kUnknown;
  for (TypeId arg : args) {
    if (arg == TypeId::kUnknown) continue;
    if (known != TypeId::kUnknown && known != arg) return nullptr;
    known = arg;
  }
  if (known == TypeId::kUnknown) return nullptr;
  const FunctionEntry* found = nullptr;
  const std::vector<TypeId> assumed(args.size(), known);
  for (const FunctionEntry* entry : candidates) {
    if (!Accepts(*entry, assumed)) continue;
    if (found != nullptr) return nullptr;
    found = entry;
  }
  return found;
}

const FunctionEntry* FindExact(absl::Span<const FunctionEntry> candidates,
                               absl::Span<const TypeId> args) {
  for (const FunctionEntry& entry : candidates) {
    if (entry.is_variadic() || entry.args.size() != args.size()) continue;
    const bool same =
        std::equal(args.begin(), args.end(), entry.args.begin(),
                   [](TypeId a, TypeId b) { return a != TypeId::kUnknown && Normalise(a) == b; });
    if (same) return &entry;
  }
  return nullptr;
}

}  // namespace

TypeCategory CategoryOf(TypeId id) {
  switch (id) {
    case TypeId::kUnknown:
      return TypeCategory::kUnknown;
    case TypeId::kBoolean:
      return TypeCategory::kBoolean;
    case TypeId::kInt16:
    case TypeId::kInt32:
    case TypeId::kInt64:
    case TypeId::kFloat32:
    case TypeId::kFloat64:
    case TypeId::kNumeric:
      return TypeCategory::kNumeric;
    case TypeId::kText:
    case TypeId::kVarchar:
    case TypeId::kChar:
      return TypeCategory::kString;
    case TypeId::kDate:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz:
      return TypeCategory::kDatetime;
    case TypeId::kInterval:
      return TypeCategory::kTimespan;
    case TypeId::kBytea:
    case TypeId::kUuid:
      return TypeCategory::kUserDefined;
  }
  return TypeCategory::kUserDefined;
}

bool IsPreferred(TypeId id) {
  return id == TypeId::kBoolean || id == TypeId::kFloat64 || id == TypeId::kText ||
         id == TypeId::kTimestampTz || id == TypeId::kInterval;
}

bool CanCast(TypeId from, TypeId to, CastContext context) {
  // kUnknown as a target is a parameter that takes anything.
  if (from == to || from == TypeId::kUnknown || to == TypeId::kUnknown) return true;
  if (IsImplicitCast(from, to)) return true;
  if (context == CastContext::kImplicit) return false;
  if (IsAssignmentCast(from, to)) return true;
  return context == CastContext::kExplicit && IsExplicitCast(from, to);
}

TypeId ParameterType(const FunctionEntry& entry, size_t index) {
  return index < entry.args.size() ? entry.args[index] : entry.args.back();
}

const FunctionEntry* SelectCandidate(absl::Span<const FunctionEntry> candidates,
                                     absl::Span<const TypeId> args, bool* ambiguous) {
  *ambiguous = false;
  if (const FunctionEntry* exact = FindExact(candidates, args)) return exact;
  // A binary operator with one unknown side first looks for both sides of the known type.
  const bool one_unknown =
      args.size() == 2 && (args[0] == TypeId::kUnknown) != (args[1] == TypeId::kUnknown);
  if (one_unknown) {
    const TypeId known = args[0] == TypeId::kUnknown ? args[1] : args[0];
    const TypeId both[] = {known, known};
    if (const FunctionEntry* exact = FindExact(candidates, both)) return exact;
  }
  Candidates left;
  for (const FunctionEntry& entry : candidates) {
    if (Accepts(entry, args)) left.push_back(&entry);
  }
  if (left.empty()) return nullptr;
  if (left.size() > 1) left = KeepMostExact(left, args);
  if (left.size() > 1) left = KeepMostPreferred(left, args);
  if (left.size() > 1) left = ResolveUnknowns(std::move(left), args);
  if (left.size() == 1) return left[0];
  if (const FunctionEntry* same = AssumeSameType(left, args)) return same;
  *ambiguous = true;
  return nullptr;
}

std::string ArgumentList(absl::Span<const ExprPtr> args) {
  return absl::StrJoin(args, ", ", [](std::string* out, const ExprPtr& arg) {
    absl::StrAppend(out, TypeName(SqlType::Of(arg->type.id)));
  });
}

}  // namespace millrace
