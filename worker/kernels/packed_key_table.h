#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/kernels/bytes_key_table.h"
#include "worker/kernels/flat_vector.h"
#include "worker/kernels/group_table.h"

namespace millrace {

// Where each key column lies inside of a packed key of up to four 64-bit words.
struct KeyPacking {
  static constexpr int kWordsMax = 4;
  static constexpr int kColumnsMax = 8;

  struct Place {
    int word = 0;
    int shift = 0;
    // Bytes; 16 takes two words.
    int width = 0;
    // The text's id in an interning table instead of the text.
    bool interned = false;
  };
  std::vector<Place> places;
  int num_words = 0;

  // How columns of these types pack; num_words = 0 if they do not fit. Text columns count as
  // interned ids.
  static KeyPacking Of(const std::vector<SqlType>& types);
};

// Keys of one to four words. NULLs are a bit mask beside the words, kept only once a NULL was seen.
std::unique_ptr<KeyTable> MakePackedKeyTable(const std::vector<SqlType>& types, KeyPacking packing);

}  // namespace millrace
