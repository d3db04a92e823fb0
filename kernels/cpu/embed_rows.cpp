// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/panels.hpp"
#include "kernels/reference/reference.hpp"

namespace sluice::SLUICE_ISA {

// Far from hot: rows are expanded by the oracle, which is exact, and packed
// rows one by one.
void embed_rows(const embed_rows_args& args, thread_pool& pool) {
  if (args.table.layout == weight_layout::rows) {
    return reference::embed_rows(args, pool);
  }
  check(args);
  pool.parallel_for(args.out.rows, [&](std::int64_t row) {
    unpack_row(args.table, args.ids.data()[row],
               args.out.data + row * args.out.row_stride);
  });
}

} // namespace sluice::SLUICE_ISA
