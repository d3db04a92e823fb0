// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/ops.hpp"
#include "memory/kv_layout.hpp"
#include "tools/bench/kernels/model_shape.hpp"

#include <cstdint>
#include <vector>

namespace sluice::bench {

/// Pages of a cache of 32 layers on a GPU, slots there for half of them, and as
/// many in pinned memory.
class pages_on_gpu {
public:
  pages_on_gpu(const model_shape& shape, dtype cache_type, cuda::stream& in);

  /// Moves half of the pages: to the other half, or to the slots and back.
  void move(cuda::page_route route, cuda::stream& in) const;

  /// Copies the slots to the host's or back.
  void to_host(cuda::stream& in) const;
  void from_host(cuda::stream& in) const;

  std::int64_t moved() const { return std::ssize(moves_); }
  double moved_bytes() const { return static_cast<double>(slots_.bytes()); }

private:
  kv_shape shape_;
  cuda::device_memory cache_;
  cuda::device_memory slots_;
  cuda::host_memory host_;
  std::vector<cuda::page_move> moves_;
};

} // namespace sluice::bench
