// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/runtime.hpp"
#include "kernels/cuda/tile_dealer.hpp"

#include <cstdint>
#include <map>
#include <tuple>

namespace sluice {

/// Makes random weights where they will lie, for bare models: the host packs a
/// few rows of each type and width, and the device deals them out.
class cuda_inventor {
public:
  /// Weights of mean 0 and variance 1 / columns.
  /// @param type  any that files have.
  /// @param at    device_weight_bytes() of device memory.
  /// @throws contract_violation for a shape that kernels do not take,
  ///         cuda::out_of_device_memory, cuda::device_error.
  cuda::device_weight weight(dtype type, std::int64_t rows,
                             std::int64_t columns, std::byte* at,
                             cuda::stream& in);

  /// An embedding in rows, of variance 1.
  /// @param type     bf16 or f16.
  /// @param rows     a multiple of 16.
  /// @param columns  a multiple of 32.
  void embedding(dtype type, std::int64_t rows, std::int64_t columns,
                 std::byte* at, cuda::stream& in);

private:
  using key = std::tuple<dtype, std::int64_t, float>; // type, width, deviation

  cuda::tile_pool pool(const key& of, cuda::stream& in);

  std::map<key, cuda::device_memory> pools_;
  std::uint32_t seed_ = 0;
};

} // namespace sluice
