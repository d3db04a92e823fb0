// SPDX-License-Identifier: Apache-2.0
#pragma once

// What simt.hpp promises, on a GPU. Only nvcc includes it.

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstring>

#define SLUICE_KERNEL(...) __global__ void __launch_bounds__(__VA_ARGS__)
#define SLUICE_CONSTANT const __grid_constant__
#define SLUICE_DEVICE __device__ __forceinline__
#define SLUICE_UNROLL _Pragma("unroll")
#define SLUICE_ROLLED _Pragma("unroll 1")

namespace sluice::cuda {

SLUICE_DEVICE int block_x() {
  return static_cast<int>(blockIdx.x);
}
SLUICE_DEVICE int block_y() {
  return static_cast<int>(blockIdx.y);
}
SLUICE_DEVICE int block_z() {
  return static_cast<int>(blockIdx.z);
}
SLUICE_DEVICE int grid_x() {
  return static_cast<int>(gridDim.x);
}
SLUICE_DEVICE int thread() {
  return static_cast<int>(threadIdx.x);
}
SLUICE_DEVICE int threads() {
  return static_cast<int>(blockDim.x);
}
SLUICE_DEVICE int lane() {
  return thread() % warp_lanes;
}
SLUICE_DEVICE int warp() {
  return thread() / warp_lanes;
}

template <class T>
SLUICE_DEVICE T* shared_memory() {
  extern __shared__ __align__(128) unsigned char sluice_shared[];
  return reinterpret_cast<T*>(sluice_shared);
}

SLUICE_DEVICE void sync_block() {
  __syncthreads();
}
SLUICE_DEVICE void sync_warp() {
  __syncwarp();
}

inline constexpr unsigned all_lanes = 0xffffffffu;

template <class T>
SLUICE_DEVICE T shuffle(T value, int from) {
  return __shfl_sync(all_lanes, value, from);
}
template <class T>
SLUICE_DEVICE T shuffle_xor(T value, int mask) {
  return __shfl_xor_sync(all_lanes, value, mask);
}
template <class T>
SLUICE_DEVICE T shuffle_down(T value, int delta) {
  return __shfl_down_sync(all_lanes, value, delta);
}
SLUICE_DEVICE std::uint32_t ballot(bool yes) {
  return __ballot_sync(all_lanes, yes);
}

SLUICE_DEVICE unsigned shared_address(const void* pointer) {
  return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

SLUICE_DEVICE void copy_async16(void* shared, const void* global, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(
                   shared_address(shared)),
               "l"(global), "r"(valid ? 16 : 0)
               : "memory");
}
SLUICE_DEVICE void copy_async_commit() {
  asm volatile("cp.async.commit_group;\n" ::: "memory");
}
template <int Youngest>
SLUICE_DEVICE void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(Youngest) : "memory");
}

SLUICE_DEVICE void load_matrices(std::uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
SLUICE_DEVICE void load_matrices_transposed(std::uint32_t (&r)[4],
                                            const void* row) {
  asm volatile(
      "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
      : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
      : "r"(shared_address(row))
      : "memory");
}

SLUICE_DEVICE void multiply_bf16(float (&d)[4], const std::uint32_t (&a)[4],
                                 const std::uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
               "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),
                 "r"(b[1]));
}
SLUICE_DEVICE void multiply_f16(float (&d)[4], const std::uint32_t (&a)[4],
                                const std::uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
               "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),
                 "r"(b[1]));
}
SLUICE_DEVICE void multiply_s8(std::int32_t (&d)[4],
                               const std::uint32_t (&a)[4],
                               const std::uint32_t (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
               "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
               : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),
                 "r"(b[1]));
}

SLUICE_DEVICE std::uint32_t bits_of(float x) {
  return __float_as_uint(x);
}
SLUICE_DEVICE float float_of(std::uint32_t bits) {
  return __uint_as_float(bits);
}
SLUICE_DEVICE std::uint16_t bf16_of(float x) {
  return __bfloat16_as_ushort(__float2bfloat16_rn(x));
}
SLUICE_DEVICE float f32_of_bf16(std::uint16_t x) {
  return float_of(std::uint32_t{x} << 16);
}
SLUICE_DEVICE std::uint16_t f16_of(float x) {
  return __half_as_ushort(__float2half_rn(x));
}
SLUICE_DEVICE float f32_of_f16(std::uint16_t x) {
  return __half2float(__ushort_as_half(x));
}
SLUICE_DEVICE std::uint32_t bf16_pair(float low, float high) {
  const auto pair = __floats2bfloat162_rn(low, high);
  std::uint32_t bits;
  memcpy(&bits, &pair, sizeof bits);
  return bits;
}
SLUICE_DEVICE std::uint32_t f16_pair(float low, float high) {
  const auto pair = __floats2half2_rn(low, high);
  std::uint32_t bits;
  memcpy(&bits, &pair, sizeof bits);
  return bits;
}
SLUICE_DEVICE std::uint16_t e4m3_pair(float low, float high) {
  return __nv_cvt_float2_to_fp8x2(make_float2(low, high), __NV_SATFINITE,
                                  __NV_E4M3);
}
SLUICE_DEVICE std::uint32_t f16_pair_of_e4m3(std::uint16_t pair) {
#if __CUDA_ARCH__ >= 890
  const auto raw = __nv_cvt_fp8x2_to_halfraw2(pair, __NV_E4M3);
  return raw.x | std::uint32_t{raw.y} << 16;
#else
  // A byte moved to where f16 has its sign and its lower exponent and upper
  // mantissa is that number times 2^-8, subnormals too.
  const auto upper = __byte_perm(pair, 0, 0x1404);
  const auto halves = (upper & 0x80008000u) | (upper >> 1 & 0x3f803f80u);
  std::uint32_t wide; // times 256, plus -0
  asm("fma.rn.f16x2 %0, %1, %2, %3;\n"
      : "=r"(wide)
      : "r"(halves), "r"(0x5c005c00u), "r"(0x80008000u));
  return wide;
#endif
}
// Processors before 8.9 multiply no 8-bit floats: as f16 they are exact, in two
// steps of 16. A lane's columns of a step are its first two bytes of each
// register, then its last two, in a and in b alike.
SLUICE_DEVICE void multiply_e4m3(float (&d)[4], const std::uint32_t (&a)[4],
                                 const std::uint32_t (&b)[2]) {
#if __CUDA_ARCH__ >= 890
  asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 "
               "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]),
                 "r"(b[1]));
#else
  const auto half = [](std::uint32_t word, int i) {
    return f16_pair_of_e4m3(static_cast<std::uint16_t>(word >> (16 * i)));
  };
  SLUICE_UNROLL
  for (int i = 0; i < 2; ++i) {
    const std::uint32_t left[4] = {half(a[2 * i], 0), half(a[2 * i + 1], 0),
                                   half(a[2 * i], 1), half(a[2 * i + 1], 1)};
    const std::uint32_t right[2] = {half(b[i], 0), half(b[i], 1)};
    multiply_f16(d, left, right);
  }
#endif
}
SLUICE_DEVICE std::uint32_t half2_fma(std::uint32_t a, std::uint32_t b,
                                      std::uint32_t c) {
  std::uint32_t d;
  asm("fma.rn.f16x2 %0, %1, %2, %3;\n" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}
SLUICE_DEVICE std::uint32_t bf162_fma(std::uint32_t a, std::uint32_t b,
                                      std::uint32_t c) {
  std::uint32_t d;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;\n" : "=r"(d) : "r"(a), "r"(b), "r"(c));
  return d;
}

SLUICE_DEVICE std::int32_t dot4(std::uint32_t a, std::uint32_t b,
                                std::int32_t c) {
  return __dp4a(static_cast<int>(a), static_cast<int>(b), c);
}
SLUICE_DEVICE float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}
SLUICE_DEVICE float exp_fast(float x) {
  return __expf(x);
}
SLUICE_DEVICE float log_fast(float x) {
  return __logf(x);
}
SLUICE_DEVICE float inverse_sqrt(float x) {
  return 1.0f / sqrtf(x);
}
SLUICE_DEVICE double cosine(double x) {
  return ::cos(x);
}
SLUICE_DEVICE double sine(double x) {
  return ::sin(x);
}
SLUICE_DEVICE float larger_number(float a, float b) {
  return fmaxf(a, b);
}
SLUICE_DEVICE float fma(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}
SLUICE_DEVICE double fma(double a, double b, double c) {
  return __fma_rn(a, b, c);
}
template <class T>
SLUICE_DEVICE T min(T a, T b) {
  return a < b ? a : b;
}
template <class T>
SLUICE_DEVICE T max(T a, T b) {
  return a < b ? b : a;
}
SLUICE_DEVICE float multiply_alone(float a, float b) {
  return __fmul_rn(a, b);
}
SLUICE_DEVICE double exp_double(double x) {
  return exp(x);
}
SLUICE_DEVICE double log_double(double x) {
  return log(x);
}
SLUICE_DEVICE std::int32_t round_to_int(float x) {
  return __float2int_rn(x);
}
SLUICE_DEVICE std::uint32_t multiply_high(std::uint32_t a, std::uint32_t b) {
  return __umulhi(a, b);
}
SLUICE_DEVICE std::uint32_t permute_bytes(std::uint32_t a, std::uint32_t b,
                                          std::uint32_t selector) {
  return __byte_perm(a, b, selector);
}
template <int Table>
SLUICE_DEVICE std::uint32_t logic3(std::uint32_t a, std::uint32_t b,
                                   std::uint32_t c) {
  std::uint32_t d;
  asm("lop3.b32 %0, %1, %2, %3, %4;\n"
      : "=r"(d)
      : "r"(a), "r"(b), "r"(c), "n"(Table));
  return d;
}
SLUICE_DEVICE words4 load_streaming(const words4* from) {
  words4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from));
  return v;
}
SLUICE_DEVICE words4 load_fresh(const words4* from) {
  words4 v;
  asm volatile("ld.global.cg.v4.u32 {%0,%1,%2,%3}, [%4];\n"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from)
               : "memory");
  return v;
}
SLUICE_DEVICE std::int32_t atomic_add(std::int32_t* at, std::int32_t value) {
  return atomicAdd(at, value);
}
SLUICE_DEVICE std::uint64_t atomic_add(std::uint64_t* at, std::uint64_t value) {
  return atomicAdd(reinterpret_cast<unsigned long long*>(at),
                   static_cast<unsigned long long>(value));
}
SLUICE_DEVICE std::uint32_t atomic_or(std::uint32_t* at, std::uint32_t bits) {
  return atomicOr(at, bits);
}
SLUICE_DEVICE std::uint64_t atomic_max(std::uint64_t* at, std::uint64_t value) {
  return atomicMax(reinterpret_cast<unsigned long long*>(at),
                   static_cast<unsigned long long>(value));
}
SLUICE_DEVICE void memory_fence() {
  __threadfence();
}

SLUICE_DEVICE void wait_for_previous_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}
SLUICE_DEVICE void let_next_kernel_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

} // namespace sluice::cuda
