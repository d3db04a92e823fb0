// SPDX-License-Identifier: Apache-2.0
#include "model/page_mover.hpp"

namespace sluice {

void page_mover::carry_out(const messages::StepPlan& plan, kv_store& cache) {
  if (plan.swaps_out())
    for (const auto* move : *plan.swaps_out())
      host_.save(cache, move->page(), move->slot());
  if (plan.swaps_in())
    for (const auto* move : *plan.swaps_in())
      host_.restore(cache, move->page(), move->slot());
  if (plan.copies())
    for (const auto* copy : *plan.copies())
      cache.copy_page(copy->from(), copy->to());
}

} // namespace sluice
