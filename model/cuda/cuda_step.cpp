// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_step.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/graph_buckets.hpp"

#include <algorithm>
#include <bit>

namespace sluice {

namespace {

constexpr std::int64_t shortest = 1024; // of the rungs of `longest`

std::int64_t rounded_length(std::int64_t longest, std::int64_t context) {
  const auto power = std::bit_ceil(static_cast<std::uint64_t>(longest));
  return std::min(std::max(static_cast<std::int64_t>(power), shortest),
                  std::max(context, longest));
}

bool decodes_only(const step_positions& step) {
  return step.wanted.size() == step.tokens.size() &&
         step.tables.size() == step.tokens.size();
}

/// Where the arrays of a step begin.
struct array_places {
  std::int64_t* slots = nullptr;
  cuda::attention_tile* tiles = nullptr;
  std::int32_t* tokens = nullptr;
  std::int32_t* positions = nullptr;
  std::int32_t* sequence_of = nullptr;
  std::int32_t* wanted = nullptr;
  std::int32_t* taken_from = nullptr;
  std::int32_t* taken_at = nullptr;
  std::int32_t* single_rows = nullptr;
  std::uint32_t* tables = nullptr; // [tables, table_pages]
  std::size_t bytes = 0;           // of them all
};

// Tables come last: how long they are moves nothing else of a decode.
array_places place_arrays(std::byte* base, const step_arrays& counts) {
  array_places all;
  const auto take = [&]<class T>(T*& array, std::size_t count) {
    array = base ? reinterpret_cast<T*>(base + all.bytes) : nullptr;
    all.bytes += count * sizeof(T);
  };
  take(all.slots, counts.rows);
  take(all.tiles, counts.tiles);
  take(all.tokens, counts.rows);
  take(all.positions, counts.rows);
  take(all.sequence_of, counts.rows);
  take(all.wanted, counts.wanted);
  take(all.taken_from, counts.taken);
  take(all.taken_at, counts.taken);
  take(all.single_rows, counts.singles);
  take(all.tables, counts.tables * counts.table_pages);
  return all;
}

// A decode has as many of everything as its rung says.
step_arrays sizes_of_arrays(const step_positions& step,
                            const rounded_sizes& rounded,
                            const cuda::attention_plan& attention,
                            const cuda_step_input::bounds& most) {
  const auto rows = static_cast<std::size_t>(rounded.sizes.rows);
  const auto pages =
      (rounded.sizes.longest + most.page_tokens - 1) / most.page_tokens;
  return {.rows = rows,
          .wanted = static_cast<std::size_t>(rounded.sizes.wanted),
          .taken = rounded.is_decode ? rows : step.taken.size(),
          .tiles = attention.tiles.size(),
          .singles = attention.single_rows.size(),
          .tables = step.tables.size(),
          .table_pages = std::min(static_cast<std::size_t>(pages),
                                  std::size_t{most.pages})};
}

void fill_rows(const array_places& to, const step_positions& step,
               const step_arrays& counts) {
  const auto fill = [](auto* array, auto values, std::size_t count,
                       auto filler) {
    std::copy(values.begin(), values.end(), array);
    std::fill(array + values.size(), array + count, filler);
  };
  fill(to.slots, step.slots, counts.rows, -1);
  fill(to.tokens, step.tokens, counts.rows, -1);
  fill(to.positions, step.positions, counts.rows, -1);
  fill(to.sequence_of, step.sequence_of, counts.rows, 0);
  fill(to.wanted, step.wanted, counts.wanted, -1);
  std::fill(to.taken_at, to.taken_at + counts.taken, -1);
  for (std::size_t i = 0; i < step.taken.size(); ++i) {
    to.taken_from[i] = static_cast<std::int32_t>(step.taken[i].from);
    to.taken_at[i] = static_cast<std::int32_t>(step.taken[i].at);
  }
}

void fill_tables(const array_places& to, std::span<const page_list> tables,
                 const step_arrays& counts) {
  auto* row = to.tables;
  for (const auto table : tables) {
    std::copy_n(table.begin(), std::min(table.size(), counts.table_pages), row);
    row += counts.table_pages;
  }
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

cuda_step_input::cuda_step_input(const bounds& most,
                                 std::span<std::byte> device)
    : most_{most}, device_{device} {
  for (auto& host : host_)
    host = cuda::host_memory{static_cast<std::size_t>(bytes_for(most))};
}

std::uint64_t cuda_step_input::bytes_for(const bounds& most) {
  return place_arrays(nullptr, {.rows = most.rows,
                                .wanted = most.rows,
                                .taken = most.rows,
                                .tiles = most.rows,
                                .singles = most.rows,
                                .tables = most.rows,
                                .table_pages = most.pages})
      .bytes;
}

cuda_step cuda_step_input::load(const step_positions& step,
                                const rounded_sizes& rounded,
                                std::uint32_t place, cuda::stream& in) {
  const auto& sizes = rounded.sizes;
  require(sizes.rows <= most_.rows,
          "cuda: a step has more rows than its input");
  auto attention = rounded.is_decode
                       ? cuda::attention_plan{}
                       : cuda::plan_attention(step.sequence_of, step.positions,
                                              most_.tiling);
  const auto counts = sizes_of_arrays(step, rounded, attention, most_);
  const auto here = place_arrays(host_.at(place).data(), counts);
  const auto there = place_arrays(device_.data(), counts);
  fill_rows(here, step, counts);
  std::copy(attention.tiles.begin(), attention.tiles.end(), here.tiles);
  std::copy(attention.single_rows.begin(), attention.single_rows.end(),
            here.single_rows);
  fill_tables(here, step.tables, counts);
  in.copy(device_.data(), host_.at(place).data(), here.bytes);
  return {
      .sizes = sizes,
      .tokens = there.tokens,
      .positions = there.positions,
      .slots = there.slots,
      .sequence_of = there.sequence_of,
      .wanted = there.wanted,
      .tables = {there.tables, static_cast<std::int64_t>(counts.table_pages)},
      .taken_from = there.taken_from,
      .taken_at = there.taken_at,
      .taken_count = static_cast<std::int64_t>(counts.taken),
      .tiles = rounded.is_decode ? nullptr : there.tiles,
      .tile_count = std::ssize(attention.tiles),
      .single_rows = rounded.is_decode ? nullptr : there.single_rows,
      .single_count = std::ssize(attention.single_rows)};
}

} // namespace sluice
