// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/kv_layout.hpp"
#include "messages/lane_generated.h"
#include "model/cuda/cuda_swaps.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sluice {

/// The KV bytes of one lane in device memory, and those that are swapped out.
class cuda_cache {
public:
  /// @param device   kv_store_bytes() bytes.
  /// @param staging  what cuda_swaps wants; none for no host slots.
  /// @throws contract_violation for f32 or a shape that no kernel takes,
  ///         cuda::device_error.
  cuda_cache(const kv_shape& shape, std::uint32_t host_slots,
             std::span<std::byte> device, std::span<std::byte> staging);

  kv_view layer(std::uint32_t index) const {
    return kv_layer(shape_, memory_.data(), index);
  }

  /// Puts what a plan says of pages into the stream, before what comes after:
  /// first what goes out, then what comes in, then the copies. What goes out
  /// has left its pages then, and may still be on its way to the host.
  /// @throws contract_violation for a page or slot that there is not: then
  ///         nothing has been moved; cuda::device_error.
  void move_pages(const messages::StepPlan& plan, cuda::stream& in);

  /// Waits for what is on its way, if `in` of move_pages() has been waited for.
  void wait();

  const kv_shape& shape() const noexcept { return shape_; }
  std::uint64_t bytes() const noexcept { return memory_.size(); }

private:
  void read(const messages::StepPlan& plan);
  cuda::page_move_args pages() const;

  kv_shape shape_;
  std::uint32_t host_slots_;
  std::span<std::byte> memory_;
  std::optional<cuda_swaps> swaps_;  // if there are host slots
  std::vector<cuda::page_move> out_; // of the plan that is read
  std::vector<cuda::page_move> in_;
  std::vector<cuda::page_move> copies_;
};

} // namespace sluice
