// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/step_state.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/launch.hpp"

#include <limits>

// A thread a row or delta: each of these kernels is as short as its launch.

namespace sluice::cuda {
namespace {

constexpr int step_threads = 128;

SLUICE_DEVICE std::int64_t own_index() {
  return std::int64_t{block_x()} * threads() + thread();
}

SLUICE_KERNEL(step_threads)
delta_kernel(delta_args args) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const auto i = own_index();
  if (i >= args.count)
    return;
  const delta each = args.deltas[i];
  // Not args.targets[target]: indexed parameters would go to local memory.
  SLUICE_UNROLL
  for (std::uint32_t t = 0; t < most_delta_targets; ++t)
    if (t == each.target && each.index < args.targets.data()[t].count)
      static_cast<std::uint32_t*>(args.targets.data()[t].words)[each.index] =
          each.value;
}

// Where a position's KV lies, or -1.
SLUICE_DEVICE std::int64_t slot_of(const sequence_arrays& all,
                                   std::int64_t sequence,
                                   std::int64_t position) {
  if (sequence < 0 || sequence >= all.sequences || position < 0)
    return -1;
  const auto entry = position / all.page_tokens;
  if (entry >= all.tables.stride)
    return -1;
  const std::int64_t page =
      all.tables.pages[sequence * all.tables.stride + entry];
  return page < all.pages ? page * all.page_tokens + position % all.page_tokens
                          : -1;
}

SLUICE_KERNEL(step_threads)
decode_kernel(decode_args args) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const auto row = own_index();
  if (row >= args.to.rows)
    return;
  const std::int64_t sequence = args.sequences[row];
  std::int32_t id = -1;
  std::int32_t position = -1;
  std::int64_t slot = -1;
  if (sequence >= 0 && sequence < args.from.sequences) {
    id = args.from.last_tokens[sequence];
    position = args.from.lengths[sequence];
    slot = slot_of(args.from, sequence, position);
  }
  const bool runs = id >= 0 && slot >= 0;
  args.to.ids[row] = runs ? id : -1;
  args.to.positions[row] = runs ? position : -1;
  args.to.row_sequences[row] = runs ? static_cast<std::int32_t>(sequence) : 0;
  args.to.slots[row] = runs ? slot : -1;
  args.choices[row] = {.settings =
                           runs ? static_cast<std::int32_t>(sequence) : -1,
                       .position = position + 1,
                       .given = -1,
                       .drafts_first = 0,
                       .drafts = 0,
                       .counted = 1};
}

SLUICE_KERNEL(step_threads)
slot_kernel(slot_args args) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const auto row = own_index();
  if (row < args.rows.rows)
    args.rows.slots[row] = slot_of(args.from, args.rows.row_sequences[row],
                                   args.rows.positions[row]);
}

SLUICE_KERNEL(step_threads)
take_kernel(take_args args) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const auto i = own_index();
  if (i >= args.count)
    return;
  const std::int64_t at = args.at[i];
  const std::int64_t from = args.from[i];
  if (at >= 0 && at < args.rows)
    args.ids[at] =
        from >= 0 && from < args.chosen_rows ? args.chosen[from].token : -1;
}

SLUICE_KERNEL(step_threads)
advance_kernel(advance_args args) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const auto row = own_index();
  if (row >= args.rows.rows || args.rows.positions[row] < 0)
    return;
  const auto sequence = args.rows.row_sequences[row];
  const auto token = args.chosen[row].token;
  args.to.lengths[sequence] = args.rows.positions[row] + 1;
  args.to.last_tokens[sequence] = token >= 0 ? token : -1;
}

launch_shape shape_of(std::int64_t count) {
  return {.grid_x = static_cast<std::uint32_t>((count + step_threads - 1) /
                                               step_threads),
          .threads = step_threads,
          .early = true};
}

bool is_size(std::int64_t count) {
  return count >= 0 && count <= std::numeric_limits<std::int32_t>::max();
}

bool is_whole(const sequence_arrays& all) {
  return all.tables.pages && all.tables.stride > 0 && all.sequences > 0 &&
         all.pages >= 0 && all.page_tokens > 0 &&
         (all.page_tokens & (all.page_tokens - 1)) == 0;
}

} // namespace

void apply_deltas(const delta_args& args, stream& in) {
  require(is_size(args.count) && (args.deltas || args.count == 0),
          "apply_deltas: no list of deltas, or too long a one; give it in "
          "parts");
  if (args.count > 0)
    launch(in, shape_of(args.count), delta_kernel, args);
}

void build_decode_rows(const decode_args& args, stream& in) {
  const auto& to = args.to;
  require(is_whole(args.from) && args.from.lengths && args.from.last_tokens,
          "build_decode_rows: the sequences' arrays are incomplete; see "
          "sequence_arrays");
  require(is_size(to.rows) &&
              (to.rows == 0 || (args.sequences && to.ids && to.positions &&
                                to.row_sequences && to.slots && args.choices)),
          "build_decode_rows: an array of the step is missing; give all");
  if (to.rows > 0)
    launch(in, shape_of(to.rows), decode_kernel, args);
}

void find_slots(const slot_args& args, stream& in) {
  const auto& rows = args.rows;
  require(is_whole(args.from) && is_size(rows.rows) &&
              (rows.rows == 0 ||
               (rows.row_sequences && rows.positions && rows.slots)),
          "find_slots: page tables, sequences, positions or slots are missing; "
          "give all");
  if (rows.rows > 0)
    launch(in, shape_of(rows.rows), slot_kernel, args);
}

void take_tokens(const take_args& args, stream& in) {
  require(is_size(args.count) &&
              (args.count == 0 ||
               (args.chosen && args.from && args.at && args.ids)),
          "take_tokens: an array is missing; give all");
  if (args.count > 0)
    launch(in, shape_of(args.count), take_kernel, args);
}

void advance(const advance_args& args, stream& in) {
  const auto& rows = args.rows;
  require(is_size(rows.rows) &&
              (rows.rows == 0 ||
               (args.to.lengths && args.to.last_tokens && rows.positions &&
                rows.row_sequences && args.chosen)),
          "advance: an array is missing; give all");
  if (rows.rows > 0)
    launch(in, shape_of(rows.rows), advance_kernel, args);
}

} // namespace sluice::cuda
