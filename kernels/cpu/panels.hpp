// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/contracts.hpp"
#include "kernels/cpu/projection.hpp"

// The families of packed weights. Both fill panels of `panel_rows` rows (of
// panel_simd.hpp); packing.cpp joins them to the table's `weight_packing`,
// matmul.cpp to one op.

namespace sluice::SLUICE_ISA {

/// What a family offers for its types; a type that it does not pack has
/// panel_bytes 0 and is multiplied as rows.
struct panel_family {
  std::size_t (*panel_bytes)(dtype type, std::int64_t columns);
  void (*pack_panel)(const matrix_view& rows, std::byte* panel);
  void (*unpack_row)(const matrix_view& panels, std::int64_t row, float* out);
  projection_kernel (*kernel)(dtype type); // of packed weights

  /// Writes the form of x that the kernel of `type` reads.
  void (*prepare)(dtype type, const matmul_input& input, thread_pool& pool);
};

/// The quantised types, panel_integer*.
extern const panel_family integer_panels;

/// f32, f16 and bf16, panel_dense*.
extern const panel_family dense_panels;

const panel_family& family_of(dtype type);

/// The families that one path multiplies with.
struct panel_families {
  const panel_family& integers;
  const panel_family& dense;

  const panel_family& of(dtype type) const {
    return quantizes_input(type) ? integers : dense;
  }
};

/// matmul with other kernels for the same panels.
void multiply_with(const panel_families& families, const matmul_args& args,
                   thread_pool& pool);

/// The functions of the table's `weight_packing`.
std::size_t panel_bytes(dtype type, std::int64_t columns);
void pack_panel(const matrix_view& rows, std::byte* panel);
void unpack_row(const matrix_view& panels, std::int64_t row, float* out);

} // namespace sluice::SLUICE_ISA
