// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_inventor.hpp"

#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "model/random_weights.hpp"

#include <cmath>
#include <span>
#include <vector>

namespace sluice {

namespace {

constexpr std::int64_t pool_rows = 256; // 16 tiles

/// Types whose rows end in a scale, as w8a8.
bool has_row_scale(dtype type) {
  const auto block = block_elements(type);
  return row_bytes(type, 2 * block) != 2 * row_bytes(type, block);
}

void quantize_rows(dtype type, std::span<std::byte> rows, std::int64_t columns,
                   float deviation) {
  const auto stride = row_bytes(type, columns);
  std::vector<float> row(static_cast<std::size_t>(columns));
  random_weights numbers{dtype::f32, deviation, 1};
  for (std::size_t at = 0; at < rows.size(); at += stride) {
    numbers.fill(std::as_writable_bytes(std::span{row}));
    quantize_row(type, row, &rows[at]);
  }
}

std::vector<std::byte> packed_pool(dtype type, std::int64_t columns,
                                   float deviation) {
  const auto row = row_bytes(type, columns);
  std::vector<std::byte> rows(row * pool_rows);
  if (has_row_scale(type))
    quantize_rows(type, rows, columns, deviation);
  else
    random_weights{type, deviation, 1}.fill(rows);
  std::vector<std::byte> packed(
      cuda::device_weight_bytes(cuda::form_of(type), pool_rows, columns));
  cuda::pack_device_weight({.data = rows.data(),
                            .type = type,
                            .rows = pool_rows,
                            .columns = columns,
                            .row_stride_bytes = row},
                           packed);
  return packed;
}

} // namespace

cuda::tile_pool cuda_inventor::pool(const key& of, cuda::stream& in) {
  const auto& [type, columns, deviation] = of;
  auto& memory = pools_[of];
  if (memory.bytes() == 0) {
    const auto host = packed_pool(type, columns, deviation);
    memory = cuda::device_memory{host.size()};
    in.copy(memory.data(), host.data(), host.size());
    in.wait(); // before the host's copy goes
  }
  return {memory.data(), pool_rows / 16};
}

cuda::device_weight cuda_inventor::weight(dtype type, std::int64_t rows,
                                          std::int64_t columns, std::byte* at,
                                          cuda::stream& in) {
  const cuda::device_weight made{at, cuda::form_of(type), rows, columns};
  const auto deviation = 1 / std::sqrt(static_cast<float>(columns));
  cuda::deal_tiles(pool({type, columns, deviation}, in), made, at, seed_++, in);
  return made;
}

// Tiles of 16-bit numbers are as good as rows of them.
void cuda_inventor::embedding(dtype type, std::int64_t rows,
                              std::int64_t columns, std::byte* at,
                              cuda::stream& in) {
  require((type == dtype::bf16 || type == dtype::f16) && rows % 16 == 0 &&
              columns % 32 == 0,
          "cuda_inventor: an embedding is bf16 or f16, of whole tiles");
  cuda::deal_tiles(pool({type, columns, 1.0f}, in),
                   {at, cuda::form_of(type), rows, columns}, at, seed_++, in);
}

} // namespace sluice
