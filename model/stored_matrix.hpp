// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/checkpoint.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice {

/// A weight as its file stores it: one tensor, or an I8 or F8_E4M3 matrix with
/// the tensor that holds one scale for each of its rows, or of F8_E4M3 one for
/// all of them, which together are `w8a8` or `fp8`.
struct stored_matrix {
  const tensor_info* tensor = nullptr;
  const tensor_info* scales = nullptr; ///< of such a matrix, else nullptr
  dtype type = dtype::f32;             ///< of the rows that read_rows() gives
  std::uint64_t rows = 0;              ///< 1 for a vector
  std::uint64_t columns = 0;

  /// Bytes in the file.
  std::uint64_t bytes() const {
    return tensor->bytes + (scales ? scales->bytes : 0);
  }
};

/// Finds a weight and checks its type and shape; nothing is read.
/// @param shape  [rows, columns] of a matrix, [columns] of a vector.
/// @return nothing if there is no tensor of that name.
/// @throws model_error: bad_shape (with the expected and the found shape),
///         unsupported (a type without kernels, by name), missing (I8 or
///         F8_E4M3 without its scales).
std::optional<stored_matrix> find_matrix(const checkpoint& model,
                                         const std::string& name,
                                         std::span<const std::uint64_t> shape);

/// Reads rows [first, first + count) of a weight.
/// @param out  count * row_bytes(type, columns) bytes.
/// @throws model_error: truncated if the file has shrunk, malformed if a scale
///         is infinite or not a number, or an element of fp8 not a number.
void read_rows(const checkpoint& model, const stored_matrix& matrix,
               std::uint64_t first, std::uint64_t count,
               std::span<std::byte> out);

} // namespace sluice
