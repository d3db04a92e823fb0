// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"
#include "memory/kv_layout.hpp"
#include "messages/lane_generated.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice {

/// The KV bytes of one lane in device memory, and pinned host memory for the
/// pages that are swapped out.
class cuda_cache {
public:
  /// @param device  kv_store_bytes() bytes.
  /// @throws contract_violation for f32 or a shape that no kernel takes,
  ///         cuda::device_error.
  cuda_cache(const kv_shape& shape, std::uint32_t host_slots,
             std::span<std::byte> device);

  kv_view layer(std::uint32_t index) const {
    return kv_layer(shape_, memory_.data(), index);
  }

  /// Puts what a plan says of pages into the stream, before what comes after:
  /// first what goes out, then what comes in, then the copies.
  /// @throws contract_violation for a page or slot that there is not.
  void move_pages(const messages::StepPlan& plan, cuda::stream& in);

  const kv_shape& shape() const noexcept { return shape_; }
  std::uint64_t bytes() const noexcept { return memory_.size(); }

private:
  std::byte* slot(std::uint32_t index) const;
  void swap_out(page_id page, std::uint32_t to, cuda::stream& in);
  void swap_in(page_id page, std::uint32_t from, cuda::stream& in);
  void copy(page_id from, page_id to, cuda::stream& in);

  kv_shape shape_;
  std::uint32_t host_slots_;
  std::span<std::byte> memory_;
  cuda::host_memory host_;
};

} // namespace sluice
