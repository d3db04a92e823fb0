// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace sluice::cuda {

/// Row counts for which a decode step is recorded as a graph. A step of another
/// number of rows runs in the next larger graph, its last rows skipped: close
/// together where a step's time grows with its rows.
inline constexpr std::array<std::uint32_t, 13> graph_buckets{
    1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256};

/// The smallest bucket that holds so many rows; nothing if there is none, or
/// nothing to do: such a step runs without a graph.
std::optional<std::uint32_t> graph_bucket(std::uint64_t rows);

/// The buckets that steps of up to `most_rows` rows can need, ascending.
std::span<const std::uint32_t> graph_buckets_up_to(std::uint64_t most_rows);

} // namespace sluice::cuda
