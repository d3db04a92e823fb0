// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/panel_layout.hpp"

// The packing half of the integer family; panel_integer.cpp multiplies.

namespace sluice::SLUICE_ISA {

std::size_t integer_panel_bytes(dtype type, std::int64_t columns);
void pack_integer_panel(const matrix_view& rows, std::byte* panel);
void unpack_integer_row(const matrix_view& panels, std::int64_t row,
                        float* out);

/// Calls `use(format)` with the type's panel format as a compile-time constant
/// (`use.template operator()<format>()`), or `otherwise()` if it has none.
template <class Use>
SLUICE_INLINE auto with_format(dtype type, Use use) {
  switch (type) {
  case dtype::q4_0:
    return use.template operator()<q4_0_panels>();
  case dtype::q4_1:
    return use.template operator()<q4_1_panels>();
  case dtype::q5_0:
    return use.template operator()<q5_0_panels>();
  case dtype::q5_1:
    return use.template operator()<q5_1_panels>();
  case dtype::q2_k:
    return use.template operator()<q2_k_panels>();
  case dtype::q3_k:
    return use.template operator()<q3_k_panels>();
  case dtype::q4_k:
    return use.template operator()<q4_k_panels>();
  case dtype::q5_k:
    return use.template operator()<q5_k_panels>();
  case dtype::q6_k:
    return use.template operator()<q6_k_panels>();
  case dtype::iq4_nl:
    return use.template operator()<iq4_nl_panels>();
  case dtype::iq4_xs:
    return use.template operator()<iq4_xs_panels>();
  case dtype::mxfp4:
    return use.template operator()<mxfp4_panels>();
  case dtype::w8a8:
    return use.template operator()<w8a8_panels>();
  default:
    return use.template operator()<q8_0_panels>();
  }
}

} // namespace sluice::SLUICE_ISA
