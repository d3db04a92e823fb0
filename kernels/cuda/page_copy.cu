// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/cuda/cache_checks.hpp"
#include "kernels/cuda/launch.hpp"

// Bound by memory. A page of K or V is one run of bytes; blocks take slices of
// 16 KiB of it, so that one page alone is spread over several processors.

namespace sluice::cuda {
namespace {

constexpr int copy_threads = 256;
constexpr int pieces = 4; // 16 bytes each, in flight in every thread
constexpr std::int64_t slice_words = copy_threads * pieces;

SLUICE_DEVICE void copy_slice(const words4* from, words4* to,
                              std::int64_t words) {
  words4 held[pieces];
  const std::int64_t first = block_y() * slice_words + thread();
  SLUICE_UNROLL
  for (int i = 0; i < pieces; ++i)
    if (first + i * copy_threads < words)
      held[i] = from[first + i * copy_threads];
  SLUICE_UNROLL
  for (int i = 0; i < pieces; ++i)
    if (first + i * copy_threads < words)
      to[first + i * copy_threads] = held[i];
}

struct page_part {
  std::byte* data;
  std::int64_t page_bytes;

  SLUICE_DEVICE void copy(std::int64_t from, std::int64_t to) const {
    copy_slice(reinterpret_cast<const words4*>(data + from * page_bytes),
               reinterpret_cast<words4*>(data + to * page_bytes),
               page_bytes / 16);
  }
};

// z: K, V and, if they have some, their scales.
SLUICE_KERNEL(copy_threads)
copy_pages_kernel(page_copy_args args, std::int64_t page_bytes,
                  std::int64_t scale_bytes) {
  wait_for_previous_kernel();
  const kv_view& kv = args.cache;
  const bool scales = block_z() >= 2;
  auto* const elements = block_z() % 2 ? kv.v : kv.k;
  auto* const scale = block_z() % 2 ? kv.v_scales : kv.k_scales;
  const page_part part{scales ? reinterpret_cast<std::byte*>(scale) : elements,
                       scales ? scale_bytes : page_bytes};
  part.copy(args.from[block_x()], args.to[block_x()]);
}

} // namespace

void copy_pages(const page_copy_args& args, stream& in) {
  const kv_view& kv = args.cache;
  require(is_usable(kv), "copy_pages: malformed cache; check dtype, scales, "
                         "alignment, page size and shape");
  require(args.count >= 0 &&
              args.count <= std::numeric_limits<std::int32_t>::max() &&
              (args.count == 0 || (args.from && args.to)),
          "copy_pages: from and to must name count pages; check the plan");
  if (args.count == 0)
    return;
  const auto page_bytes = static_cast<std::int64_t>(
      row_bytes(kv.type, kv.kv_heads * kv.page_tokens * kv.head_dim));
  const std::int64_t slices = (page_bytes / 16 + slice_words - 1) / slice_words;
  require(slices <= most_grid_rows,
          "copy_pages: a page of more than 1 GiB; take smaller pages");
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(args.count),
          .grid_y = static_cast<std::uint32_t>(slices),
          .grid_z = is_scaled(kv.type) ? 4u : 2u,
          .threads = copy_threads,
          .early = true},
         copy_pages_kernel, args, page_bytes,
         kv.kv_heads * kv.page_tokens * std::int64_t{sizeof(float)});
}

} // namespace sluice::cuda
