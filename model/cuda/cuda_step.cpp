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
  cuda::table_entry* changes = nullptr;
  std::size_t bytes = 0; // of them all
};

// Changes come last: how many they are moves nothing else of a decode.
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
  take(all.changes, counts.changes);
  return all;
}

// A decode has as many of everything as its rung says.
step_arrays sizes_of_arrays(const step_positions& step,
                            const rounded_sizes& rounded,
                            const cuda::attention_plan& attention,
                            std::size_t changes) {
  const auto rows = static_cast<std::size_t>(rounded.sizes.rows);
  return {.rows = rows,
          .wanted = rounded.sizes.all_wanted
                        ? 0
                        : static_cast<std::size_t>(rounded.sizes.wanted),
          .taken = rounded.is_decode ? rows : step.taken.size(),
          .tiles = attention.tiles.size(),
          .singles = attention.single_rows.size(),
          .changes = changes};
}

void fill_rows(const array_places& to, const step_positions& step,
               const step_arrays& counts,
               std::span<const std::int32_t> tables) {
  const auto fill = [](auto* array, auto values, std::size_t count,
                       auto filler) {
    std::copy(values.begin(), values.end(), array);
    std::fill(array + values.size(), array + count, filler);
  };
  fill(to.slots, step.slots, counts.rows, -1);
  fill(to.tokens, step.tokens, counts.rows, -1);
  fill(to.positions, step.positions, counts.rows, -1);
  std::fill(std::transform(step.sequence_of.begin(), step.sequence_of.end(),
                           to.sequence_of,
                           [&](auto sequence) {
                             return tables[static_cast<std::size_t>(sequence)];
                           }),
            to.sequence_of + counts.rows, 0);
  if (counts.wanted > 0)
    fill(to.wanted, step.wanted, counts.wanted, -1);
  std::fill(to.taken_at, to.taken_at + counts.taken, -1);
  for (std::size_t i = 0; i < step.taken.size(); ++i) {
    to.taken_from[i] = static_cast<std::int32_t>(step.taken[i].from);
    to.taken_at[i] = static_cast<std::int32_t>(step.taken[i].at);
  }
}

step_arrays largest_arrays(const cuda_step_input::bounds& most) {
  return {.rows = most.rows,
          .wanted = most.rows,
          .taken = most.rows,
          .tiles = most.rows,
          .singles = most.rows,
          .changes = most.changes};
}

cuda_step view(const array_places& there, const rounded_sizes& rounded,
               const step_arrays& counts, const cuda::device_tables& tables) {
  const bool is_decode = rounded.is_decode;
  return {.sizes = rounded.sizes,
          .tokens = there.tokens,
          .positions = there.positions,
          .slots = there.slots,
          .sequence_of = there.sequence_of,
          .wanted = there.wanted,
          .tables = tables,
          .taken_from = there.taken_from,
          .taken_at = there.taken_at,
          .taken_count = static_cast<std::int64_t>(counts.taken),
          .tiles = is_decode ? nullptr : there.tiles,
          .tile_count = static_cast<std::int64_t>(counts.tiles),
          .single_rows = is_decode ? nullptr : there.single_rows,
          .single_count = static_cast<std::int64_t>(counts.singles)};
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
    : most_{most}, tables_{most.tables, device.data()},
      device_{device.data() + cuda_tables::bytes_for(most.tables)} {
  for (auto& host : host_)
    host = cuda::host_memory{place_arrays(nullptr, largest_arrays(most)).bytes};
}

std::uint64_t cuda_step_input::bytes_for(const bounds& most) {
  return cuda_tables::bytes_for(most.tables) +
         place_arrays(nullptr, largest_arrays(most)).bytes;
}

cuda_step cuda_step_input::load(const lane_batch& batch,
                                const rounded_sizes& rounded,
                                std::uint32_t place, cuda::stream& in) {
  require(rounded.sizes.rows <= most_.rows,
          "cuda: a step has more rows than its input");
  const auto step = batch.positions();
  const auto attention =
      rounded.is_decode ? cuda::attention_plan{}
                        : cuda::plan_attention(step.sequence_of, step.positions,
                                               most_.tiling);
  tables_.plan(batch);
  const auto changes = send_early(tables_.changes(), place, in);
  const auto counts = sizes_of_arrays(step, rounded, attention, changes.size());
  const auto here = place_arrays(host_.at(place).data(), counts);
  const auto there = place_arrays(device_, counts);
  fill_rows(here, step, counts, tables_.places());
  std::ranges::copy(attention.tiles, here.tiles);
  std::ranges::copy(attention.single_rows, here.single_rows);
  std::ranges::copy(changes, here.changes);
  in.copy(device_, host_.at(place).data(), here.bytes);
  tables_.write(there.changes, changes.size(), in);
  auto input = view(there, rounded, counts, tables_.view());
  input.sent_bytes = here.bytes;
  return input;
}

// All but what goes up with the step. A lane that has just begun has more.
std::span<const cuda::table_entry>
cuda_step_input::send_early(std::span<const cuda::table_entry> changes,
                            std::uint32_t place, cuda::stream& in) {
  const auto most = std::size_t{most_.changes};
  for (; changes.size() > most; changes = changes.subspan(most)) {
    auto* here = host_.at(place).data();
    std::memcpy(here, changes.data(), most * sizeof(cuda::table_entry));
    in.copy(device_, here, most * sizeof(cuda::table_entry));
    tables_.write(reinterpret_cast<const cuda::table_entry*>(device_), most,
                  in);
    in.wait(); // the list is written anew
  }
  return changes;
}

} // namespace sluice
