// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/panel_simd.hpp"
#include "kernels/cpu/panels.hpp"
#include "kernels/cpu/tables.hpp"
#include "kernels/reference/reference.hpp"

namespace sluice::SLUICE_ISA {

const op_table& table() {
  static constexpr op_table ops{
      .isa = instruction_set::SLUICE_ISA_NAME,
      .packing = {.panel_rows = panel_rows,
                  .panel_bytes = panel_bytes,
                  .pack_panel = pack_panel,
                  .unpack_row = unpack_row},
      .embed_rows = embed_rows,
      .rms_norm = rms_norm,
      .add_rms_norm = add_rms_norm,
      .matmul = matmul,
      .rope_angles = reference::rope_angles,
      .rope_store_kv = rope_store_kv,
      .paged_attention = paged_attention,
      .swiglu = swiglu,
      .sample = sample,
  };
  return ops;
}

} // namespace sluice::SLUICE_ISA
