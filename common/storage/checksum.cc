#include "common/storage/checksum.h"

#include <vector>

#include "common/base/status.h"
#include "xxhash.h"

namespace millrace {

struct Xxh3Stream::State {
  XXH3_state_t hash;
};

Xxh3Stream::Xxh3Stream() : state_(std::make_unique<State>()) { XXH3_64bits_reset(&state_->hash); }
Xxh3Stream::~Xxh3Stream() = default;
Xxh3Stream::Xxh3Stream(Xxh3Stream&&) noexcept = default;
Xxh3Stream& Xxh3Stream::operator=(Xxh3Stream&&) noexcept = default;

void Xxh3Stream::Update(absl::string_view bytes) {
  XXH3_64bits_update(&state_->hash, bytes.data(), bytes.size());
}

uint64_t Xxh3Stream::Digest() const { return XXH3_64bits_digest(&state_->hash); }

uint64_t Xxh3(absl::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

absl::StatusOr<uint64_t> ChecksumOfFile(FileSystem& file_system, const std::string& path) {
  constexpr size_t kBufferBytes = 1 << 20;
  MR_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> file, file_system.OpenForRead(path));
  std::vector<char> buffer(kBufferBytes);
  Xxh3Stream stream;
  for (uint64_t offset = 0;;) {
    MR_ASSIGN_OR_RETURN(const size_t count, file->ReadAt(offset, buffer.size(), buffer.data()));
    if (count == 0) return stream.Digest();
    stream.Update(absl::string_view(buffer.data(), count));
    offset += count;
  }
}

}  // namespace millrace
