#include "common/file_format/csv_index.h"

#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/check.h"

namespace millrace {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kBlockBytes = 64;

// One bit for each byte of a block that equals a character.
struct BlockBits {
  uint64_t delimiters;
  uint64_t line_ends;
  uint64_t quotes;
};

class BlockScanner {
 public:
  explicit BlockScanner(const CsvDialect& dialect)
      : delimiter_(static_cast<uint8_t>(dialect.delimiter)),
        quote_(static_cast<uint8_t>(dialect.quote)) {}

  BlockBits Scan(const char* block) const {
    const hn::CappedTag<uint8_t, kBlockBytes> tag;
    const auto delimiter = hn::Set(tag, delimiter_);
    const auto line_end = hn::Set(tag, uint8_t{'\n'});
    const auto quote = hn::Set(tag, quote_);
    BlockBits bits{0, 0, 0};
    const auto* bytes = reinterpret_cast<const uint8_t*>(block);
    for (size_t i = 0; i < kBlockBytes; i += hn::Lanes(tag)) {
      const auto lanes = hn::LoadU(tag, bytes + i);
      bits.delimiters |= Bits(tag, hn::Eq(lanes, delimiter)) << i;
      bits.line_ends |= Bits(tag, hn::Eq(lanes, line_end)) << i;
      bits.quotes |= Bits(tag, hn::Eq(lanes, quote)) << i;
    }
    return bits;
  }

 private:
  template <typename Tag, typename Mask>
  static uint64_t Bits(Tag tag, Mask mask) {
    uint8_t bytes[8] = {};
    hn::StoreMaskBits(tag, mask, bytes);
    uint64_t bits;
    std::memcpy(&bits, bytes, sizeof(bits));
    return bits;
  }

  const uint8_t delimiter_;
  const uint8_t quote_;
};

// Bit i of the result is the parity of bits 0 … i: 1 between an opening quote and before its
// closing one.
uint64_t PrefixParity(uint64_t bits) {
  bits ^= bits << 1;
  bits ^= bits << 2;
  bits ^= bits << 4;
  bits ^= bits << 8;
  bits ^= bits << 16;
  bits ^= bits << 32;
  return bits;
}

// Writes the positions of the set bits behind `out`, eight at a time; up to seven places more than
// there are bits are overwritten.
uint32_t* WritePositions(uint64_t bits, uint32_t base, uint32_t* out) {
  uint32_t* const end = out + std::popcount(bits);
  while (bits != 0) {
    for (int i = 0; i < 8; ++i) {
      out[i] = base + static_cast<uint32_t>(std::countr_zero(bits));
      bits &= bits - 1;
    }
    out += 8;
  }
  return end;
}

// IndexCsv for a dialect whose escape character is not its quote.
void IndexEscapedCsv(absl::string_view text, const CsvDialect& dialect, CsvIndex* index) {
  std::vector<uint32_t>& separators = index->separators;
  separators.assign(1, UINT32_MAX);
  index->row_ends.clear();
  index->has_quotes = false;
  bool in_quotes = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == dialect.quote) {
      in_quotes = !in_quotes;
      index->has_quotes = true;
    } else if (in_quotes) {
      const char next = i + 1 < text.size() ? text[i + 1] : '\0';
      if (c == dialect.escape && (next == dialect.quote || next == dialect.escape)) ++i;
    } else if (c == dialect.delimiter || c == '\n') {
      if (c == '\n') index->row_ends.push_back(static_cast<uint32_t>(separators.size()));
      separators.push_back(static_cast<uint32_t>(i));
    }
  }
}

}  // namespace

void IndexCsv(absl::string_view text, const CsvDialect& dialect, CsvIndex* index) {
  MR_CHECK(text.size() < (uint64_t{1} << 32) - kBlockBytes);
  if (dialect.escape != dialect.quote) return IndexEscapedCsv(text, dialect, index);
  const BlockScanner scanner(dialect);
  std::vector<uint32_t>& separators = index->separators;
  std::vector<uint32_t>& row_ends = index->row_ends;
  row_ends.clear();
  // Beyond the row's last entry the vector is scratch; it keeps its size from call to call.
  if (separators.size() < 1024) separators.resize(1024);
  separators[0] = UINT32_MAX;  // The place before position 0.
  size_t num_separators = 1;
  uint64_t in_quotes = 0;  // All bits set while a quoted field goes on.
  uint64_t any_quotes = 0;
  for (size_t base = 0; base < text.size(); base += kBlockBytes) {
    BlockBits bits = scanner.Scan(text.data() + base);
    if (text.size() - base < kBlockBytes) {
      const uint64_t inside = (uint64_t{1} << (text.size() - base)) - 1;
      bits = {bits.delimiters & inside, bits.line_ends & inside, bits.quotes & inside};
    }
    if ((bits.quotes | in_quotes) != 0) {
      const uint64_t quoted = PrefixParity(bits.quotes) ^ in_quotes;
      in_quotes = (quoted >> 63) != 0 ? ~uint64_t{0} : 0;
      bits.delimiters &= ~quoted;
      bits.line_ends &= ~quoted;
      any_quotes |= bits.quotes;
    }
    const uint64_t separator_bits = bits.delimiters | bits.line_ends;
    if (separators.size() < num_separators + kBlockBytes + 8) {
      separators.resize(2 * separators.size());
    }
    for (uint64_t ends = bits.line_ends; ends != 0; ends &= ends - 1) {
      const uint64_t before = separator_bits & ((ends & -ends) - 1);
      row_ends.push_back(static_cast<uint32_t>(num_separators + std::popcount(before)));
    }
    const uint32_t* const end = WritePositions(separator_bits, static_cast<uint32_t>(base),
                                               separators.data() + num_separators);
    num_separators = static_cast<size_t>(end - separators.data());
  }
  index->has_quotes = any_quotes != 0;
}

absl::string_view CsvField(absl::string_view text, const CsvIndex& index, size_t row,
                           size_t column) {
  const size_t end_index = index.first_field(row) + column;
  const uint32_t begin = index.separators[end_index - 1] + 1;
  const absl::string_view field = text.substr(begin, index.separators[end_index] - begin);
  return end_index == index.row_ends[row] ? WithoutCarriageReturn(field) : field;
}

void Unquote(absl::string_view field, const CsvDialect& dialect, std::string* value) {
  value->clear();
  bool in_quotes = false;
  for (size_t i = 0; i < field.size(); ++i) {
    const bool escapes = in_quotes && field[i] == dialect.escape && i + 1 < field.size() &&
                         (field[i + 1] == dialect.quote || field[i + 1] == dialect.escape);
    if (escapes) {
      value->push_back(field[++i]);
    } else if (field[i] == dialect.quote) {
      in_quotes = !in_quotes;
    } else {
      value->push_back(field[i]);
    }
  }
}

bool IsCsvNull(absl::string_view field, const CsvDialect& dialect) {
  if (field.empty()) return dialect.empty_is_null;
  return std::find(dialect.null_strings.begin(), dialect.null_strings.end(), field) !=
         dialect.null_strings.end();
}

}  // namespace millrace
