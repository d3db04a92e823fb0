// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/contracts.hpp"
#include "kernels/convert.hpp"
#include "kernels/reference/reference.hpp"

namespace sluice::reference {

// Exact, and far from hot: every CPU path uses this one for rows.
void embed_rows(const embed_rows_args& args, thread_pool& pool) {
  check(args);
  require(args.table.layout == weight_layout::rows,
          "embed_rows: the reference path reads rows; do not pack the table");
  pool.parallel_for(args.out.rows, [&](std::int64_t row) {
    const auto id =
        static_cast<std::size_t>(args.ids[static_cast<std::size_t>(row)]);
    float* out = args.out.data + row * args.out.row_stride;
    dequantize_row(args.table.type,
                   args.table.data + id * args.table.row_stride_bytes,
                   {out, static_cast<std::size_t>(args.out.columns)});
  });
}

} // namespace sluice::reference
