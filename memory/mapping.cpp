// SPDX-License-Identifier: Apache-2.0
#include "memory/mapping.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

namespace sluice {

mapping::mapping(std::uint64_t bytes, const std::string& what) : bytes_{bytes} {
  if (bytes == 0)
    return;
  const auto most = std::numeric_limits<std::ptrdiff_t>::max();
  auto* start = bytes > static_cast<std::uint64_t>(most)
                    ? MAP_FAILED
                    : ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED)
    throw memory_error{what + ": " + std::to_string(bytes >> 20) +
                       " MiB cannot be had (" + std::strerror(ENOMEM) +
                       "); ask for less or free memory"};
  data_ = static_cast<std::byte*>(start);
  // A hint only: without huge pages all is well but slower.
  ::madvise(start, bytes, MADV_HUGEPAGE);
}

mapping::~mapping() {
  if (data_)
    ::munmap(data_, bytes_);
}

mapping::mapping(mapping&& other) noexcept
    : data_{std::exchange(other.data_, nullptr)}, bytes_{std::exchange(
                                                      other.bytes_, 0)} {}

mapping& mapping::operator=(mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

} // namespace sluice
