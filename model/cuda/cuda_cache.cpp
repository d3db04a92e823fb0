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
                       std::span<std::byte> device,
                       std::span<std::byte> staging)
    : shape_{checked(shape)}, host_slots_{host_slots}, memory_{device} {
  if (host_slots > 0)
    swaps_.emplace(pages(), kv_page_bytes(shape), host_slots, staging);
}

void cuda_cache::move_pages(const messages::StepPlan& plan, cuda::stream& in) {
  read(plan);
  if (swaps_) {
    swaps_->out(out_, in);
    swaps_->in(in_, in);
  }
  auto copies = pages();
  copies.moves = copies_;
  cuda::move_pages(copies, in);
}

void cuda_cache::wait() {
  if (swaps_)
    swaps_->wait();
}

// All of it, and checks it, before any of it is done.
void cuda_cache::read(const messages::StepPlan& plan) {
  using messages::each;
  const auto page = [this](page_id index) {
    require(index < shape_.pages, "cuda_cache: there is no such page");
    return index;
  };
  const auto slot = [this](std::uint32_t index) {
    require(index < host_slots_, "cuda_cache: there is no such slot");
    return index;
  };
  out_.clear();
  in_.clear();
  copies_.clear();
  each(plan.swaps_out(), [&](const messages::PageSwap* move) {
    out_.push_back({page(move->page()), slot(move->slot())});
  });
  each(plan.swaps_in(), [&](const messages::PageSwap* move) {
    in_.push_back({slot(move->slot()), page(move->page())});
  });
  each(plan.copies(), [&](const messages::PageCopy* move) {
    if (page(move->from()) != page(move->to()))
      copies_.push_back({move->from(), move->to()});
  });
}

cuda::page_move_args cuda_cache::pages() const {
  return {.first_layer = layer(0),
          .layers = shape_.layers,
          .layer_bytes = static_cast<std::int64_t>(kv_store_bytes(shape_) /
                                                   shape_.layers)};
}

} // namespace sluice
