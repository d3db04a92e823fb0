// SPDX-License-Identifier: Apache-2.0
#pragma once

// The part of CUDA that our kernels use, under our own names. With nvcc they
// are intrinsics and PTX (simt_device.hpp). With SLUICE_SIMT_EMULATION they are
// functions that run the same kernel sources on the CPU, a fiber a thread
// (emulation/), so that every kernel is tested where there is no GPU. Kernel
// sources use nothing else of CUDA: no built-in variable, no CUDA header.
//
// Both give, in namespace sluice::cuda:
//
//   SLUICE_KERNEL(threads)        in the place of a kernel's return type; or
//                                 (threads, blocks): for so many blocks of a
//                                 processor registers are enough
//   SLUICE_CONSTANT               before a kernel's struct parameter: it
//                                 stays in constant memory, elements by
//                                 index, too
//   SLUICE_DEVICE                 before a function that kernels call
//   SLUICE_UNROLL                 before a loop; SLUICE_ROLLED: not
//   block_x() block_y() block_z() grid_x() thread() threads() lane() warp()
//   shared_memory<T>()            the block's dynamic shared memory, 128-byte
//                                 aligned; there is no other shared memory
//   sync_block() sync_warp()
//   shuffle(v, lane) shuffle_xor(v, mask) shuffle_down(v, delta)
//                                 of 4 or 8 byte values; the whole warp calls
//   ballot(bool) -> uint32        as above
//   copy_async16(shared, global, valid)  16 bytes, zeros unless valid; both
//                                 16-byte aligned
//   copy_async_commit() copy_async_wait<N>()  all but the N youngest groups
//   load_matrices(r, row) load_matrices_transposed(r, row)  ldmatrix .x4: lane
//                                 8 i + j gives row j (16 bytes, in shared
//                                 memory) of matrix i
//   multiply_bf16(d, a, b) multiply_f16(d, a, b)  d += a b, m16n8k16, f32 sums
//   multiply_s8(d, a, b)          d += a b, m16n8k32, int32 sums
//   multiply_e4m3(d, a, b)        d += a b of f8_e4m3, m16n8k32; few bits of a
//                                 sum may survive, see weight_chunk
//   bf16_of(float) -> uint16      round to nearest even; f32_of_bf16(uint16)
//   f16_of(float) -> uint16       likewise;              f32_of_f16(uint16)
//   bf16_pair(low, high) f16_pair(low, high) -> uint32
//   e4m3_pair(low, high) -> uint16  f8_e4m3, to nearest even, at most 448
//   f16_pair_of_e4m3(uint16) -> uint32  widened; a NaN becomes what it may:
//                                 there are none in caches and weights
//   half2_fma(a, b, c) bf162_fma(a, b, c)  on pairs of f16 or bf16
//   dot4(a, b, c)                 c + the dot of four int8 pairs
//   bits_of(float) float_of(uint32)
//   exp2_fast(x) exp_fast(x) log_fast(x) inverse_sqrt(x)
//   cosine(double) sine(double)
//   fma(a, b, c) min max          rounded once; fma of float or double
//   larger_number(a, b)           of floats: of a NaN and a number the number
//   round_to_int(x)               nearest even
//   multiply_high(a, b)           upper half of a uint32 product
//   permute_bytes(a, b, selector) __byte_perm; logic3<table>(a, b, c) LOP3
//   load_streaming(words4 const*) past L1, as weights are read
//   load_fresh(words4 const*)     from L2: what other blocks have written
//   multiply_alone(a, b)          never fused with a sum, as the CPU's products
//   exp_double(x) log_double(x)   to the last bit or so
//   atomic_add(int32* or uint64*, v) atomic_max(uint64*, v)
//   atomic_or(uint32*, v)         in global or shared memory
//   memory_fence()                __threadfence
//   wait_for_previous_kernel() let_next_kernel_start()  programmatic launch

#include <cstddef>
#include <cstdint>

namespace sluice::cuda {

struct alignas(8) words2 {
  std::uint32_t x, y;
};
struct alignas(16) words4 {
  std::uint32_t x, y, z, w;
};
struct alignas(8) floats2 {
  float x, y;
};
struct alignas(16) floats4 {
  float x, y, z, w;
};

inline constexpr int warp_lanes = 32;

} // namespace sluice::cuda

#ifdef SLUICE_SIMT_EMULATION
#include "kernels/cuda/emulation/simt_emulated.hpp"
#else
#include "kernels/cuda/simt_device.hpp"
#endif
