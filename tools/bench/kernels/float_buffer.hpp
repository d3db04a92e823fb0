// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/tensor.hpp"
#include "memory/mapping.hpp"

namespace sluice::bench {

/// Several equal matrices of random f32, one after the other, that take turns:
/// with enough of them each is fetched from memory.
class float_buffer {
public:
  /// @param least_bytes  all matrices together; 0: one matrix.
  float_buffer(std::int64_t rows, std::int64_t columns,
               std::uint64_t least_bytes = 0);

  activations next();

private:
  std::int64_t rows_;
  std::int64_t columns_;
  std::size_t count_;
  std::size_t next_ = 0;
  mapping memory_;
};

} // namespace sluice::bench
