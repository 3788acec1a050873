#include "worker/kernels/huge_pages.h"

#include <sys/mman.h>

namespace millrace {
namespace {

// Blocks of this size have mappings of their own in the C library's heap.
constexpr int64_t kBytesMin = int64_t{8} << 20;
constexpr uintptr_t kHugePageBytes = uintptr_t{2} << 20;

}  // namespace

void AdviseHugePages(void* data, int64_t bytes) {
  if (bytes < kBytesMin) return;
  const uintptr_t begin =
      (reinterpret_cast<uintptr_t>(data) + kHugePageBytes - 1) & ~(kHugePageBytes - 1);
  const uintptr_t end =
      (reinterpret_cast<uintptr_t>(data) + static_cast<uintptr_t>(bytes)) & ~(kHugePageBytes - 1);
  // Only advice: a system without huge pages goes on without.
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

}  // namespace millrace
