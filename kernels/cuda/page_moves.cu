// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/cuda/cache_checks.hpp"
#include "kernels/cuda/launch.hpp"

#include <algorithm>

// Bound by memory. A page is one run of 16-byte words in the order of a slot;
// blocks take slices of 16 KiB of it, whatever layers and parts they meet, so
// that one page alone is spread over many processors and small parts (scales)
// leave no thread idle. Where a word lies costs a division and some additions,
// which hide behind the memory's work.

namespace sluice::cuda {
namespace {

constexpr int move_threads = 256;
constexpr int pieces = 4; // 16 bytes each, in flight in every thread
constexpr std::uint32_t slice_words = move_threads * pieces;
constexpr int most_parts = 4; // K, V and the scales of both

/// Where pages lie: every layer and part of them, in bytes.
struct page_place {
  std::byte* data;
  std::int64_t layer;             // from one layer to the next
  std::int64_t part[most_parts];  // from a layer's begin to its parts
  std::int64_t pages[most_parts]; // from one page of a part to the next
};

struct move_job {
  page_place from, to;
  std::uint32_t part_begin[most_parts]; // in the words of one layer of a page
  std::uint32_t layer_words;            // of a page
  std::uint32_t page_words;
  page_move moves[most_moves_at_once];
};
static_assert(sizeof(move_job) <= 4096, "what a kernel's parameters may take");

/// A word of a page: its layer, its part, and its place there.
struct word_place {
  std::int64_t layer;
  int part;
  std::int64_t byte;

  SLUICE_DEVICE word_place(const move_job& job, std::uint32_t word) {
    const std::uint32_t at = word / job.layer_words;
    const std::uint32_t rest = word - at * job.layer_words;
    layer = at;
    part = (rest >= job.part_begin[1]) + (rest >= job.part_begin[2]) +
           (rest >= job.part_begin[3]);
    byte = std::int64_t{rest - job.part_begin[part]} * 16;
  }

  SLUICE_DEVICE words4* in(const page_place& place, std::uint32_t page) const {
    return reinterpret_cast<words4*>(
        place.data + layer * place.layer + place.part[part] +
        std::int64_t{page} * place.pages[part] + byte);
  }
};

SLUICE_KERNEL(move_threads) move_kernel(SLUICE_CONSTANT move_job job) {
  const page_move move = job.moves[block_y()];
  const auto first = static_cast<std::uint32_t>(block_x()) * slice_words +
                     static_cast<std::uint32_t>(thread());
  words4 held[pieces];
  words4* to[pieces];
  SLUICE_UNROLL
  for (int i = 0; i < pieces; ++i) {
    const std::uint32_t word =
        first + static_cast<std::uint32_t>(i) * move_threads;
    to[i] = nullptr;
    if (word < job.page_words) {
      const word_place place{job, word};
      held[i] = *place.in(job.from, move.from);
      to[i] = place.in(job.to, move.to);
    }
  }
  SLUICE_UNROLL
  for (int i = 0; i < pieces; ++i)
    if (to[i])
      *to[i] = held[i];
}

/// The parts of a page in one layer, in their order.
struct page_parts {
  std::int64_t bytes[most_parts];
  const void* first[most_parts]; // of page 0 in the first layer; or null

  explicit page_parts(const kv_view& kv) : first{kv.k, kv.v, nullptr, nullptr} {
    const auto heads = kv.kv_heads * kv.page_tokens;
    bytes[0] = bytes[1] =
        static_cast<std::int64_t>(row_bytes(kv.type, heads * kv.head_dim));
    bytes[2] = bytes[3] = 0;
    if (!is_scaled(kv.type))
      return;
    bytes[2] = bytes[3] = heads * std::int64_t{sizeof(float)};
    first[2] = kv.k_scales;
    first[3] = kv.v_scales;
  }

  std::int64_t layer_bytes() const {
    return bytes[0] + bytes[1] + bytes[2] + bytes[3];
  }
};

page_place cache_place(const page_move_args& args, const page_parts& parts) {
  page_place place{args.first_layer.k, args.layer_bytes, {}, {}};
  for (int i = 0; i < most_parts; ++i) {
    place.part[i] =
        parts.first[i]
            ? static_cast<const std::byte*>(parts.first[i]) - args.first_layer.k
            : 0;
    place.pages[i] = parts.bytes[i];
  }
  return place;
}

page_place slot_place(const page_move_args& args, const page_parts& parts) {
  page_place place{args.slots, parts.layer_bytes(), {}, {}};
  std::int64_t begin = 0;
  for (int i = 0; i < most_parts; ++i) {
    place.part[i] = begin;
    place.pages[i] = args.layers * parts.layer_bytes();
    begin += parts.bytes[i];
  }
  return place;
}

// All but its moves.
move_job job_of(const page_move_args& args, const page_parts& parts) {
  const auto words = [](std::int64_t bytes) {
    return static_cast<std::uint32_t>(bytes / 16);
  };
  move_job job;
  job.from = args.route == page_route::from_slots ? slot_place(args, parts)
                                                  : cache_place(args, parts);
  job.to = args.route == page_route::to_slots ? slot_place(args, parts)
                                              : cache_place(args, parts);
  std::int64_t begin = 0;
  for (int i = 0; i < most_parts; ++i) {
    job.part_begin[i] = words(begin);
    begin += parts.bytes[i];
  }
  job.layer_words = words(begin);
  job.page_words = words(begin * args.layers);
  return job;
}

void check(const page_move_args& args) {
  const kv_view& kv = args.first_layer;
  require(is_usable(kv), "move_pages: malformed cache; check dtype, scales, "
                         "alignment, page size and shape");
  const auto bytes = page_parts{kv}.layer_bytes();
  require(args.layers > 0 && args.layer_bytes % 16 == 0 &&
              args.layer_bytes / kv.pages >= bytes,
          "move_pages: layers overlap; layer_bytes is what kv_layer() has "
          "between two of them");
  constexpr std::int64_t most_bytes = std::int64_t{16} << 31;
  require(bytes <= most_bytes / args.layers,
          "move_pages: a page of more than 32 GiB; take smaller pages");
  const bool has_slots = is_aligned16(args.slots) && args.slot_count > 0;
  require(has_slots || args.route == page_route::within_cache,
          "move_pages: no slots, or not 16-byte aligned; give some");
  const auto from =
      args.route == page_route::from_slots ? args.slot_count : kv.pages;
  const auto to =
      args.route == page_route::to_slots ? args.slot_count : kv.pages;
  for (const auto& move : args.moves)
    require(move.from < from && move.to < to,
            "move_pages: there is no such page or slot; check the plan");
}

} // namespace

void move_pages(const page_move_args& args, stream& in) {
  check(args);
  auto job = job_of(args, page_parts{args.first_layer});
  const bool one_place = args.route == page_route::within_cache;
  for (auto left = args.moves; !left.empty();) {
    const auto count = moves_at_once(left, one_place);
    std::copy_n(left.begin(), count, job.moves);
    // Not early: what it waits for may be in another stream.
    launch(in,
           {.grid_x = (job.page_words + slice_words - 1) / slice_words,
            .grid_y = static_cast<std::uint32_t>(count),
            .threads = move_threads},
           move_kernel, job);
    left = left.subspan(count);
  }
}

} // namespace sluice::cuda
