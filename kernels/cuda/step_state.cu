// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/step_state.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/launch.hpp"

#include <limits>

// A thread an element: each of these kernels is as short as its launch.

namespace sluice::cuda {
namespace {

constexpr int step_threads = 128;

SLUICE_DEVICE std::int64_t own_index() {
  return std::int64_t{block_x()} * threads() + thread();
}

SLUICE_KERNEL(step_threads)
table_kernel(table_args args) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const auto i = own_index();
  if (i >= args.count)
    return;
  const table_entry each = args.entries[i];
  if (each.table < args.tables && each.entry < args.stride)
    args.pages[each.table * args.stride + each.entry] = each.page;
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

launch_shape shape_of(std::int64_t count) {
  return {.grid_x = static_cast<std::uint32_t>((count + step_threads - 1) /
                                               step_threads),
          .threads = step_threads,
          .early = true};
}

bool is_size(std::int64_t count) {
  return count >= 0 && count <= std::numeric_limits<std::int32_t>::max();
}

} // namespace

void write_table_entries(const table_args& args, stream& in) {
  require(is_size(args.count) &&
              (args.count == 0 || (args.pages && args.entries &&
                                   args.tables > 0 && args.stride > 0)),
          "write_table_entries: tables or entries are missing, or too many; "
          "give both, in parts");
  if (args.count > 0)
    launch(in, shape_of(args.count), table_kernel, args);
}

void take_tokens(const take_args& args, stream& in) {
  require(is_size(args.count) &&
              (args.count == 0 ||
               (args.chosen && args.from && args.at && args.ids)),
          "take_tokens: an array is missing; give all");
  if (args.count > 0)
    launch(in, shape_of(args.count), take_kernel, args);
}

} // namespace sluice::cuda
