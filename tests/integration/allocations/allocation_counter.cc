#include "tests/integration/allocations/allocation_counter.h"

#include <arrow/memory_pool.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

namespace {

std::atomic<uint64_t> allocations{0};

[[maybe_unused]] void Count() { allocations.fetch_add(1, std::memory_order_relaxed); }

// A sanitizer has its own allocators, which must stay: there only Arrow's pool is counted.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// glibc's own functions, below those that are replaced here.
extern "C" void* __libc_malloc(size_t size);
extern "C" void* __libc_calloc(size_t count, size_t size);
extern "C" void* __libc_realloc(void* block, size_t size);
extern "C" void* __libc_memalign(size_t alignment, size_t size);

void* Allocate(size_t size) { return __libc_malloc(size); }
void* AllocateAligned(size_t alignment, size_t size) { return __libc_memalign(alignment, size); }

void* OrDie(void* block) {
  if (block == nullptr) std::abort();
  return block;
}
#endif

}  // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {

void* malloc(size_t size) {
  Count();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  Count();
  return __libc_calloc(count, size);
}
void* realloc(void* block, size_t size) {
  Count();
  return __libc_realloc(block, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  Count();
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** block, size_t alignment, size_t size) {
  Count();
  *block = __libc_memalign(alignment, size);
  return *block == nullptr ? ENOMEM : 0;
}

}  // extern "C"

void* operator new(size_t size) {
  Count();
  return OrDie(Allocate(size));
}
void* operator new[](size_t size) {
  Count();
  return OrDie(Allocate(size));
}
void* operator new(size_t size, std::align_val_t alignment) {
  Count();
  return OrDie(AllocateAligned(static_cast<size_t>(alignment), size));
}
void* operator new[](size_t size, std::align_val_t alignment) {
  Count();
  return OrDie(AllocateAligned(static_cast<size_t>(alignment), size));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }
void operator delete[](void* block, size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, size_t, std::align_val_t) noexcept { std::free(block); }
#endif

namespace millrace {

bool CountsNew() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  return true;
#endif
}

uint64_t NumAllocations() {
  const auto pool = static_cast<uint64_t>(arrow::default_memory_pool()->num_allocations());
  return allocations.load(std::memory_order_relaxed) + pool;
}

}  // namespace millrace
