// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/sampling/list_plan.hpp"

// Lists the tokens that may pass a row's filters, in no order: what is made of
// the list depends on none. Bound by one more read of the logits.

namespace sluice::cuda::sampling {
namespace {

SLUICE_KERNEL(slice_threads)
gather_kernel(call made) {
  let_next_kernel_start();
  wait_for_previous_kernel();
  const row_view row{made, block_y()};
  if (row.is_skipped() || row.is_given() || !row.is_filtered())
    return;
  const row_summary seen{made, row};
  if (!seen.draws(row))
    return;
  const list_plan plan{made, row};
  if (!plan.fits())
    return;
  const scaling scale{logit_of(seen.top), row.settings.params.temperature};
  const auto own = made.memory.surveys[row.index * row.slices + block_x()].top;
  if (own == 0 || bin_of(scale(logit_of(own))) > plan.last_bin)
    return; // most slices of a peaked row
  const float* logits = row.logits(made);
  auto* list = made.memory.list + row.index * list_room;
  for (int i = 0; i < groups_each; ++i) {
    const four_logits v{logits, group_of(i), row.vocabulary};
    const auto first = static_cast<std::int32_t>(4 * group_of(i));
    SLUICE_UNROLL
    for (int j = 0; j < 4; ++j) {
      if (v.x[j] == forbidden)
        continue;
      const float scaled = scale(v.x[j]);
      if (bin_of(scaled) <= plan.last_bin)
        list[atomic_add(made.memory.listed + row.index * 4, 1)] =
            key_of(scaled, first + j);
    }
  }
}

} // namespace

void start_gather(const call& made, stream& in) {
  const auto& logits = made.args.logits;
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(slices_of(logits.columns)),
          .grid_y = static_cast<std::uint32_t>(logits.rows),
          .threads = slice_threads,
          .early = true},
         gather_kernel, made);
}

} // namespace sluice::cuda::sampling
