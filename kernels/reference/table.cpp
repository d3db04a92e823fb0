// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/reference.hpp"

namespace sluice::reference {

const op_table& table() {
  static constexpr op_table ops{
      .isa = instruction_set::reference,
      .packing = rows_as_they_are,
      .embed_rows = embed_rows,
      .rms_norm = rms_norm,
      .add_rms_norm = add_rms_norm,
      .matmul = matmul,
      .rope_angles = rope_angles,
      .rope_store_kv = rope_store_kv,
      .paged_attention = paged_attention,
      .swiglu = swiglu,
      .sample = sample,
  };
  return ops;
}

} // namespace sluice::reference
