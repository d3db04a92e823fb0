// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"
#include "model/checkpoint/checked.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

/// How a file stores a tensor's elements. Every published type is known, so
/// that any file can be listed; only some can be computed with.
struct storage_type {
  std::string_view name;        ///< as published: "Q4_K", "F8_E4M3"
  std::uint32_t block_elements; ///< elements in one block, >= 1
  std::uint32_t block_bits;     ///< bits of one block
  std::optional<dtype> usable;  ///< the kernels' type, if they have one
};

/// @param id  the number in a GGUF tensor record.
/// @return nullptr for unknown numbers and for types that were removed.
const storage_type* ggml_type(std::uint32_t id);

/// @param name  the "dtype" of a safetensors header, e.g. "BF16".
/// @return nullptr if the format has no such type.
const storage_type* safetensors_type(std::string_view name);

/// @return the GGUF number of a type that the kernels can use, or of i8.
/// @throws contract_violation for w8a8, which is two tensors, i32 and fp8.
std::uint32_t ggml_id(dtype type);

/// Bytes of `elements` elements.
/// @throws model_error (malformed) if they do not fill whole blocks and bytes,
///         (overflow) if the size does not fit 64 bits.
std::uint64_t storage_bytes(const storage_type& type, std::uint64_t elements,
                            fault_site site);

/// @return "F32, F16, BF16, Q8_0, ..": for error texts.
std::string_view usable_type_list();

} // namespace sluice
