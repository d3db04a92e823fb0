// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace sluice {

/// All that two prompts must have in common, beside their tokens, to have the
/// same KV, and the tenant: tenants with the same text share nothing.
struct prefix_scope {
  std::string weights; ///< names the model's bytes, e.g. their digest
  std::string kv_type;
  std::string rope; ///< every setting that changes K
  std::string adapter;
  std::string tenant; ///< the tenant's salt

  auto operator<=>(const prefix_scope&) const = default;
};

/// 128 bits that name a block of tokens and all that comes before it.
struct block_hash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  bool operator==(const block_hash&) const = default;
};

/// For unordered containers.
struct block_hash_bits {
  std::size_t operator()(const block_hash& of) const noexcept { return of.low; }
};

/// Hashes a block behind its parent.
/// @param seed  random and secret, so that nobody can prepare collisions.
using block_hash_function = block_hash (*)(std::uint64_t seed,
                                           const block_hash& parent,
                                           std::span<const std::uint32_t>);

/// XXH3-128 over the parent's hash and the tokens. Equal hashes are a hint
/// only: whoever looks a block up compares its tokens and its parent.
block_hash hash_block(std::uint64_t seed, const block_hash& parent,
                      std::span<const std::uint32_t> tokens);

/// What the first block of a scope has for a parent.
block_hash hash_scope(std::uint64_t seed, const prefix_scope& scope);

} // namespace sluice
