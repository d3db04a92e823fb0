// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_step.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/graph_buckets.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sluice {

namespace {

constexpr std::int64_t shortest = 1024; // of the rungs of `longest`

/// Bytes of one row besides its table: five words, a tile and a slot.
constexpr std::size_t row_bytes_of_input = 5 * sizeof(std::int32_t) +
                                           sizeof(cuda::attention_tile) +
                                           sizeof(std::int64_t);

std::int64_t rounded_length(std::int64_t longest, std::int64_t context) {
  const auto power = std::bit_ceil(static_cast<std::uint64_t>(longest));
  return std::min(std::max(static_cast<std::int64_t>(power), shortest),
                  std::max(context, longest));
}

bool decodes_only(const step_positions& step) {
  return step.wanted.size() == step.tokens.size() &&
         step.tables.size() == step.tokens.size();
}

} // namespace

rounded_sizes sizes_of(const step_positions& step, std::int64_t context,
                       std::int64_t max_rows) {
  const auto rows = static_cast<std::int64_t>(step.tokens.size());
  const auto last =
      *std::max_element(step.positions.begin(), step.positions.end());
  cuda_step_sizes sizes{.rows = rows,
                        .wanted = static_cast<std::int64_t>(step.wanted.size()),
                        .longest = rounded_length(last + 1, context)};
  const auto rung = cuda::graph_bucket(step.tokens.size());
  if (!decodes_only(step) || !rung || *rung > max_rows)
    return {sizes, false};
  sizes.rows = sizes.wanted = *rung;
  sizes.all_wanted = true;
  return {sizes, true};
}

cuda_step_input::cuda_step_input(std::uint32_t max_rows,
                                 std::uint32_t max_pages,
                                 const cuda::attention_tiling& tiling)
    : max_rows_{(max_rows + 3) / 4 * 4}, max_pages_{max_pages}, tiling_{tiling},
      host_{max_rows_ * (row_bytes_of_input +
                         std::size_t{max_pages} * sizeof(std::uint32_t))},
      device_{host_.bytes()} {}

cuda_step cuda_step_input::load(const step_positions& step,
                                const rounded_sizes& rounded,
                                cuda::stream& in) {
  const auto& sizes = rounded.sizes;
  require(sizes.rows <= max_rows_, "cuda: a step has more rows than its input");
  const auto here = arrays_at(host_.data());
  const auto there = arrays_at(device_.data());
  const auto count = static_cast<std::size_t>(sizes.rows);
  const auto send = [&](auto* to, auto* from, auto values, auto filler) {
    std::copy(values.begin(), values.end(), from);
    std::fill(from + values.size(), from + count, filler);
    in.copy(to, from, count * sizeof *from);
  };
  send(there.tokens, here.tokens, step.tokens, -1);
  send(there.positions, here.positions, step.positions, -1);
  send(there.sequence_of, here.sequence_of, step.sequence_of, 0);
  send(there.slots, here.slots, step.slots, -1);
  send(there.wanted, here.wanted, step.wanted, -1);
  for (std::size_t i = 0; i < step.tables.size(); ++i) {
    const auto table = step.tables[i];
    auto* row = here.tables + i * max_pages_;
    std::copy(table.begin(), table.end(), row);
    in.copy(there.tables + i * max_pages_, row, table.size_bytes());
  }
  cuda_step loaded{.sizes = sizes,
                   .tokens = there.tokens,
                   .positions = there.positions,
                   .slots = there.slots,
                   .sequence_of = there.sequence_of,
                   .wanted = there.wanted,
                   .tables = {there.tables, max_pages_}};
  if (!rounded.is_decode)
    load_tiles(step, loaded, in);
  return loaded;
}

void cuda_step_input::load_tiles(const step_positions& step, cuda_step& to,
                                 cuda::stream& in) {
  const auto plan =
      cuda::plan_attention(step.sequence_of, step.positions, tiling_);
  const auto here = arrays_at(host_.data());
  const auto there = arrays_at(device_.data());
  std::copy(plan.tiles.begin(), plan.tiles.end(), here.tiles);
  std::copy(plan.single_rows.begin(), plan.single_rows.end(), here.single_rows);
  in.copy(there.tiles, here.tiles, plan.tiles.size() * sizeof *here.tiles);
  in.copy(there.single_rows, here.single_rows,
          plan.single_rows.size() * sizeof *here.single_rows);
  to.tiles = there.tiles;
  to.tile_count = std::ssize(plan.tiles);
  to.single_rows = there.single_rows;
  to.single_count = std::ssize(plan.single_rows);
}

cuda_step_input::arrays cuda_step_input::arrays_at(std::byte* base) const {
  auto* slots = reinterpret_cast<std::int64_t*>(base);
  auto* tiles = reinterpret_cast<cuda::attention_tile*>(slots + max_rows_);
  auto* words = reinterpret_cast<std::int32_t*>(tiles + max_rows_);
  return {.tokens = words,
          .positions = words + max_rows_,
          .sequence_of = words + 2 * max_rows_,
          .wanted = words + 3 * max_rows_,
          .single_rows = words + 4 * max_rows_,
          .tiles = tiles,
          .slots = slots,
          .tables = reinterpret_cast<std::uint32_t*>(words + 5 * max_rows_)};
}

} // namespace sluice
