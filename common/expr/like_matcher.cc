#include "common/expr/like_matcher.h"

#include <cstring>

#include "absl/strings/match.h"
#include "common/types/utf8.h"

namespace millrace {
namespace {

constexpr size_t kNotFound = absl::string_view::npos;

size_t Find(absl::string_view text, absl::string_view needle) {
  if (needle.empty()) return 0;
  const void* found = memmem(text.data(), text.size(), needle.data(), needle.size());
  return found == nullptr ? kNotFound
                          : static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

}  // namespace

LikeMatcher LikeMatcher::Create(absl::string_view pattern) {
  LikeMatcher matcher;
  Segment segment;
  segment.runs.emplace_back();
  for (size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '%') {
      matcher.segments_.push_back(std::move(segment));
      segment = Segment();
      segment.runs.emplace_back();
      continue;
    }
    if (c == '_') {
      // A run that is still empty and not the first means two gaps in a row.
      if (segment.runs.size() > 1 && segment.runs.back().empty()) {
        ++segment.gaps.back();
      } else {
        segment.gaps.push_back(1);
        segment.runs.emplace_back();
      }
      ++segment.num_chars;
      continue;
    }
    if (c == '\\' && ++at == pattern.size()) {
      matcher.never_ = true;
      break;
    }
    segment.runs.back().push_back(pattern[at]);
    segment.num_chars += IsContinuation(pattern[at]) ? 0 : 1;
  }
  matcher.segments_.push_back(std::move(segment));
  return matcher;
}

size_t LikeMatcher::Segment::MatchAt(absl::string_view text) const {
  if (!absl::StartsWith(text, runs[0])) return kNotFound;
  size_t at = runs[0].size();
  for (size_t i = 0; i < gaps.size(); ++i) {
    for (int32_t k = 0; k < gaps[i]; ++k) {
      if (at >= text.size()) return kNotFound;
      at += CharLength(text, at);
    }
    if (!absl::StartsWith(text.substr(at), runs[i + 1])) return kNotFound;
    at += runs[i + 1].size();
  }
  return at;
}

bool LikeMatcher::Segment::FindAndRemove(absl::string_view* text) const {
  if (is_plain()) {
    const size_t at = Find(*text, runs[0]);
    if (at == kNotFound) return false;
    text->remove_prefix(at + runs[0].size());
    return true;
  }
  for (absl::string_view rest = *text;; rest.remove_prefix(CharLength(rest, 0))) {
    const size_t length = MatchAt(rest);
    if (length != kNotFound) {
      rest.remove_prefix(length);
      *text = rest;
      return true;
    }
    if (rest.empty()) return false;
  }
}

// Whether the text ends in the last segment, whose length in characters is known.
bool LikeMatcher::MatchesEnd(absl::string_view text) const {
  const Segment& last = segments_.back();
  if (last.is_plain()) return absl::EndsWith(text, last.runs[0]);
  size_t begin = text.size();
  for (int64_t i = 0; i < last.num_chars; ++i) {
    if (begin == 0) return false;
    --begin;
    while (begin > 0 && IsContinuation(text[begin])) --begin;
  }
  return last.MatchAt(text.substr(begin)) == text.size() - begin;
}

bool LikeMatcher::Matches(absl::string_view text) const {
  if (never_) return false;
  const size_t prefix = segments_.front().MatchAt(text);
  if (prefix == kNotFound) return false;
  if (segments_.size() == 1) return prefix == text.size();
  text.remove_prefix(prefix);
  for (size_t i = 1; i + 1 < segments_.size(); ++i) {
    if (!segments_[i].FindAndRemove(&text)) return false;
  }
  return MatchesEnd(text);
}

}  // namespace millrace
