// SPDX-License-Identifier: Apache-2.0
#include "memory/block_hash.hpp"

#include <array>

#include <xxhash.h>

namespace sluice {

namespace {

block_hash of(const XXH128_hash_t& hash) {
  return {hash.high64, hash.low64};
}

} // namespace

block_hash hash_block(std::uint64_t seed, const block_hash& parent,
                      std::span<const std::uint32_t> tokens) {
  // Both parts are of fixed size, so that none can be taken for another.
  const auto body =
      XXH3_128bits_withSeed(tokens.data(), tokens.size_bytes(), seed);
  const std::array<std::uint64_t, 4> link{parent.high, parent.low, body.high64,
                                          body.low64};
  return of(XXH3_128bits_withSeed(link.data(), sizeof link, seed));
}

block_hash hash_scope(std::uint64_t seed, const prefix_scope& scope) {
  std::string bytes;
  for (const auto* part : {&scope.weights, &scope.kv_type, &scope.rope,
                           &scope.adapter, &scope.tenant}) {
    const std::uint64_t size = part->size(); // so that parts cannot run over
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
    bytes += *part;
  }
  return of(XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed));
}

} // namespace sluice
