// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/amx/families.hpp"
#include "kernels/cpu/panel_dense.hpp"
#include "kernels/cpu/panels.hpp"
#include "kernels/cpu/tables.hpp"

// The amx path: the avx512 path with other products of panels. It packs weights
// in the same way.

namespace sluice::SLUICE_ISA {

namespace {

panel_family with_tiles(panel_family family) {
  family.kernel = [](dtype type) -> projection_kernel {
    if (type == dtype::bf16) {
      return amx::multiply_bf16;
    }
    const projection_kernel tiles =
        quantizes_input(type) ? amx::integer_kernel(type) : nullptr;
    return tiles ? tiles : family_of(type).kernel(type);
  };
  family.prepare = [](dtype type, const matmul_input& in, thread_pool& pool) {
    if (type == dtype::bf16) {
      return amx::round_to_bf16(in, pool);
    }
    family_of(type).prepare(type, in, pool);
  };
  return family;
}

void matmul_with_tiles(const matmul_args& args, thread_pool& pool) {
  static const panel_family integers = with_tiles(integer_panels);
  static const panel_family dense = with_tiles(dense_panels);
  multiply_with({integers, dense}, args, pool);
}

} // namespace

} // namespace sluice::SLUICE_ISA

namespace sluice::amx {

const op_table& table() {
  static const op_table ops = [] {
    op_table all = avx512::table();
    all.isa = instruction_set::amx;
    all.matmul = avx512::matmul_with_tiles;
    return all;
  }();
  return ops;
}

} // namespace sluice::amx
