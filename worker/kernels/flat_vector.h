#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include "common/base/check.h"
#include "worker/kernels/huge_pages.h"

namespace millrace {

// A growing array of plain values. Unlike std::vector it can grow without initialising, and large
// ones grow by realloc, which moves pages instead of copying them.
template <typename T>
class FlatVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  FlatVector() = default;
  explicit FlatVector(int64_t size) { ResizeUninitialized(size); }
  ~FlatVector() { std::free(data_); }
  FlatVector(FlatVector&& other) noexcept { swap(other); }
  FlatVector& operator=(FlatVector&& other) noexcept {
    swap(other);
    return *this;
  }
  FlatVector(const FlatVector&) = delete;
  FlatVector& operator=(const FlatVector&) = delete;

  int64_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  int64_t bytes() const { return capacity_ * static_cast<int64_t>(sizeof(T)); }

  void Reserve(int64_t capacity) {
    if (capacity <= capacity_) return;
    int64_t grown = capacity_ + capacity_ / 2 + 16;
    if (grown < capacity) grown = capacity;
    void* data = std::realloc(static_cast<void*>(data_), static_cast<size_t>(grown) * sizeof(T));
    MR_CHECK(data != nullptr);
    data_ = static_cast<T*>(data);
    capacity_ = grown;
    AdviseHugePages(data_, grown * static_cast<int64_t>(sizeof(T)));
  }
  // New elements are not initialised.
  void ResizeUninitialized(int64_t size) {
    Reserve(size);
    size_ = size;
  }
  // New elements are `value`.
  void Resize(int64_t size, T value = T{}) {
    const int64_t before = size_;
    ResizeUninitialized(size);
    for (int64_t i = before; i < size; ++i) data_[i] = value;
  }
  void PushBack(T value) {
    if (size_ == capacity_) Reserve(size_ + 1);
    data_[size_++] = value;
  }
  void Append(const T* values, int64_t n) {
    Reserve(size_ + n);
    if (n > 0)
      std::memcpy(static_cast<void*>(data_ + size_), values, static_cast<size_t>(n) * sizeof(T));
    size_ += n;
  }
  void Clear() { size_ = 0; }
  // Keeps the elements at `survivors` (ascending), in order.
  template <typename Indices>
  void Retain(const Indices& survivors) {
    int64_t kept = 0;
    for (const auto i : survivors) data_[kept++] = data_[i];
    size_ = kept;
  }
  void swap(FlatVector& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  T* data_ = nullptr;
  int64_t size_ = 0;
  int64_t capacity_ = 0;
};

}  // namespace millrace
