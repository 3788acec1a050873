#include <optional>

#include "common/base/status.h"
#include "common/expr/function_table.h"
#include "common/expr/letter_case.h"
#include "common/expr/like_matcher.h"
#include "common/expr/map_rows.h"
#include "common/types/utf8.h"

// Finding text in text: position, LIKE.

namespace millrace {
namespace {

using ArrayOr = absl::StatusOr<std::shared_ptr<arrow::Array>>;
using absl::string_view;

ArrayOr Position(const KernelCall& call) {
  return MapRows<int32_t, string_view, string_view>(call, [](string_view text, string_view needle,
                                                             int32_t* out) {
    const size_t at = text.find(needle);
    *out = at == string_view::npos ? 0 : static_cast<int32_t>(CountChars(text.substr(0, at))) + 1;
  });
}

ArrayOr BytePosition(const KernelCall& call) {
  return MapRows<int32_t, string_view, string_view>(
      call, [](string_view text, string_view needle, int32_t* out) {
        const size_t at = text.find(needle);
        *out = at == string_view::npos ? 0 : static_cast<int32_t>(at) + 1;
      });
}

// The pattern that was used last; nearly always there is one only.
class LikeState : public KernelState {
 public:
  const LikeMatcher& Get(string_view pattern, bool ignore_case) {
    if (!matcher_.has_value() || pattern != pattern_) {
      pattern_ = std::string(pattern);
      std::string folded;
      if (ignore_case) AppendLower(pattern, &folded);
      matcher_ = LikeMatcher::Create(ignore_case ? folded : pattern_);
    }
    return *matcher_;
  }

 private:
  std::string pattern_;
  std::optional<LikeMatcher> matcher_;
};

template <bool kNegated, bool kIgnoreCase>
ArrayOr Like(const KernelCall& call) {
  if (*call.state == nullptr) *call.state = std::make_unique<LikeState>();
  auto* state = static_cast<LikeState*>(call.state->get());
  std::string folded;
  const auto matches = [&](const LikeMatcher& matcher, string_view text) {
    if (!kIgnoreCase) return matcher.Matches(text) != kNegated;
    folded.clear();
    AppendLower(text, &folded);
    return matcher.Matches(folded) != kNegated;
  };
  if (call.args[1].is_constant && !call.args[0].is_constant) {
    const string_view pattern = ColumnReader<string_view>(call.args[1])[0];
    const LikeMatcher& matcher = state->Get(pattern, kIgnoreCase);
    KernelCall texts = call;
    texts.args = call.args.subspan(0, 1);
    return MapRows<bool, string_view>(
        texts, [&](string_view text, bool* out) { *out = matches(matcher, text); });
  }
  return MapRows<bool, string_view, string_view>(
      call, [&](string_view text, string_view pattern, bool* out) {
        *out = matches(state->Get(pattern, kIgnoreCase), text);
      });
}

// LIKE … ESCAPE 'e': the pattern with \ in the place of e. An empty e switches escaping off.
ArrayOr LikeEscape(const KernelCall& call) {
  const auto escape = [](string_view pattern, string_view e, std::string* out) -> absl::Status {
    if (CountChars(e) > 1) {
      return MakeError(SqlState::kInvalidEscapeSequence, "invalid escape string",
                       "Escape string must be empty or one character.");
    }
    bool after_escape = false;
    for (size_t at = 0; at < pattern.size();) {
      const string_view c = pattern.substr(at, CharLength(pattern, at));
      at += c.size();
      if (c == e && !after_escape) {
        out->push_back('\\');
        after_escape = true;
        continue;
      }
      if (c == "\\" && !after_escape) out->push_back('\\');
      out->append(c.data(), c.size());
      after_escape = false;
    }
    return absl::OkStatus();
  };
  return MapRows<std::string, string_view, string_view>(call, escape);
}

}  // namespace

void AddTextSearchFunctions(FunctionTable* table) {
  for (const std::string name : {"position", "strpos"}) {
    table->Add(name + "(text,text)->int4", Position, "place of the second text in the first, or 0",
               kCostly);
  }
  table->Add("position(bytea,bytea)->int4", BytePosition,
             "place of the second value in the first, or 0", kCostly);
  table->Add("like(text,text)->bool", Like<false, false>, "LIKE", kCostly);
  table->Add("not_like(text,text)->bool", Like<true, false>, "NOT LIKE", kCostly);
  table->Add("ilike(text,text)->bool", Like<false, true>, "ILIKE", kCostly);
  table->Add("not_ilike(text,text)->bool", Like<true, true>, "NOT ILIKE", kCostly);
  table->Add("like_escape(text,text)->text", LikeEscape,
             "a LIKE pattern with another escape character", kFallible | kCostly);
}

}  // namespace millrace
