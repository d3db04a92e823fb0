// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/storage_type.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace sluice {

/// Where one tensor lies and what it is. Offsets and sizes were checked against
/// the real file when the header was read.
struct tensor_info {
  std::string name;
  const storage_type* type = nullptr; ///< never null after reading
  /// Outermost dimension first, whatever the file's own order: a weight is
  /// [rows = outputs, columns = inputs]. Only the first `rank` entries count.
  std::array<std::uint64_t, 4> shape{};
  std::uint32_t rank = 0;
  std::uint64_t offset = 0; ///< from the start of the file
  std::uint64_t bytes = 0;
  std::uint32_t file = 0; ///< index of the shard that holds it

  std::span<const std::uint64_t> dimensions() const {
    return {shape.data(), rank};
  }
};

/// @return "[4096, 14336]", for messages and tables.
std::string shape_text(std::span<const std::uint64_t> dimensions);

} // namespace sluice
