// SPDX-License-Identifier: Apache-2.0
#include "tests/model/engine/allocation_count.hpp"

#include <atomic>

namespace {

std::atomic<std::size_t> allocations{0};

} // namespace

#if !defined(__SANITIZE_ADDRESS__)

extern "C" {

void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  ++allocations;
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}

} // extern "C"

#endif

namespace sluice::test {

allocation_count::allocation_count() : before_{allocations} {}

std::size_t allocation_count::count() const {
  return allocations - before_;
}

bool allocation_count::works() {
#if defined(__SANITIZE_ADDRESS__)
  return false;
#else
  return true;
#endif
}

} // namespace sluice::test
