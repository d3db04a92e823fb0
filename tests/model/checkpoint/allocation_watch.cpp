// SPDX-License-Identifier: Apache-2.0
#include "tests/model/checkpoint/allocation_watch.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

thread_local std::size_t largest = 0;

void* allocate(std::size_t bytes) {
  largest = std::max(largest, bytes);
  if (void* memory = std::malloc(bytes))
    return memory;
  throw std::bad_alloc();
}

} // namespace

// All forms that are not aligned: a sanitizer has its own of each, and what
// one gives another must not take back.
void* operator new(std::size_t bytes) {
  return allocate(bytes);
}
void* operator new[](std::size_t bytes) {
  return allocate(bytes);
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  largest = std::max(largest, bytes);
  return std::malloc(bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t& tag) noexcept {
  return operator new(bytes, tag);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace sluice::test {

allocation_watch::allocation_watch() {
  largest = 0;
}

std::size_t allocation_watch::largest_bytes() const {
  return largest;
}

} // namespace sluice::test
