// SPDX-License-Identifier: Apache-2.0
#include "memory/swap_store.hpp"

#include "kernels/check.hpp"

namespace sluice {

namespace {

std::uint64_t bytes_of_slots(std::uint64_t page_bytes, std::uint32_t slots) {
  const auto bytes = static_cast<unsigned __int128>(page_bytes) * slots;
  if (bytes >> 63)
    throw memory_error{"swap_store: " + std::to_string(slots) +
                       " slots overflow 63 bits; ask for fewer"};
  return static_cast<std::uint64_t>(bytes);
}

} // namespace

swap_store::swap_store(const kv_shape& shape, std::uint32_t slots)
    : page_bytes_{kv_page_bytes(shape)}, slots_{slots},
      memory_{bytes_of_slots(page_bytes_, slots),
              "host memory for " + std::to_string(slots) + " swapped pages"} {}

std::span<std::byte> swap_store::bytes_of(const kv_store& store,
                                          slot_id slot) const {
  require(slot < slots_, "swap_store: there is no such slot");
  require(kv_page_bytes(store.shape()) == page_bytes_,
          "swap_store: made for pages of another size; make one per KV store");
  return {memory_.data() + slot * page_bytes_,
          static_cast<std::size_t>(page_bytes_)};
}

void swap_store::save(const kv_store& store, page_id page, slot_id slot) {
  store.save_page(page, bytes_of(store, slot));
}

void swap_store::restore(kv_store& store, page_id page, slot_id slot) const {
  store.restore_page(page, bytes_of(store, slot));
}

} // namespace sluice
