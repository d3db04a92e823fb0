// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/panels.hpp"

namespace sluice::SLUICE_ISA {

// The families of a path without panel primitives.
const panel_family integer_panels{
    .panel_bytes = [](dtype, std::int64_t) -> std::size_t { return 0; },
    .pack_panel = [](const matrix_view&, std::byte*) {},
    .unpack_row = [](const matrix_view&, std::int64_t, float*) {},
    .kernel = rows_kernel,
    .prepare = [](dtype, const matmul_input& input,
                  thread_pool& pool) { quantize_rows(input, pool); }};

const panel_family dense_panels{
    .panel_bytes = [](dtype, std::int64_t) -> std::size_t { return 0; },
    .pack_panel = [](const matrix_view&, std::byte*) {},
    .unpack_row = [](const matrix_view&, std::int64_t, float*) {},
    .kernel = rows_kernel,
    .prepare = [](dtype, const matmul_input&, thread_pool&) {}};

} // namespace sluice::SLUICE_ISA
