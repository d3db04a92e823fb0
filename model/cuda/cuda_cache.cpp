// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_cache.hpp"

#include "kernels/check.hpp"
#include "messages/each.hpp"

namespace sluice {

namespace {

const kv_shape& checked(const kv_shape& shape) {
  require(shape.type != dtype::f32,
          "memory.kv_type is f32, which a GPU does not take; choose f16, bf16, "
          "i8 or fp8");
  return shape;
}

} // namespace

cuda_cache::cuda_cache(const kv_shape& shape, std::uint32_t host_slots,
                       std::span<std::byte> device)
    : shape_{checked(shape)}, host_slots_{host_slots}, memory_{device},
      host_{kv_page_bytes(shape) * host_slots} {}

void cuda_cache::move_pages(const messages::StepPlan& plan, cuda::stream& in) {
  using messages::each;
  each(plan.swaps_out(), [&](const messages::PageSwap* move) {
    swap_out(move->page(), move->slot(), in);
  });
  each(plan.swaps_in(), [&](const messages::PageSwap* move) {
    swap_in(move->page(), move->slot(), in);
  });
  each(plan.copies(), [&](const messages::PageCopy* move) {
    copy(move->from(), move->to(), in);
  });
}

std::byte* cuda_cache::slot(std::uint32_t index) const {
  require(index < host_slots_, "cuda_cache: there is no such slot");
  return host_.data() + index * kv_page_bytes(shape_);
}

void cuda_cache::swap_out(page_id page, std::uint32_t to, cuda::stream& in) {
  auto* host = slot(to);
  for_each_page_part(shape_, memory_.data(), page,
                     [&](const std::byte* part, std::size_t size) {
                       in.copy(host, part, size);
                       host += size;
                     });
}

void cuda_cache::swap_in(page_id page, std::uint32_t from, cuda::stream& in) {
  const auto* host = slot(from);
  for_each_page_part(shape_, memory_.data(), page,
                     [&](std::byte* part, std::size_t size) {
                       in.copy(part, host, size);
                       host += size;
                     });
}

void cuda_cache::copy(page_id from, page_id to, cuda::stream& in) {
  require(to < shape_.pages, "cuda_cache: there is no such page");
  if (from == to)
    return;
  for_each_page_part(
      shape_, memory_.data(), from, [&](std::byte* part, std::size_t size) {
        const auto distance = (std::ptrdiff_t{to} - std::ptrdiff_t{from}) *
                              static_cast<std::ptrdiff_t>(size);
        in.copy(part + distance, part, size);
      });
}

} // namespace sluice
