// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_tables.hpp"

#include <algorithm>

namespace sluice {

cuda_tables::cuda_tables(const bounds& most, std::byte* device)
    : most_{most}, pages_{reinterpret_cast<std::uint32_t*>(device)},
      slots_{most.tables} {
  places_.reserve(most.tables);
  changes_.reserve(std::size_t{most.tables} + most.entries);
}

std::uint64_t cuda_tables::bytes_for(const bounds& most) {
  constexpr std::uint64_t alignment = 256;
  const auto bytes =
      std::uint64_t{most.tables} * most.entries * sizeof(std::uint32_t);
  return (bytes + alignment - 1) / alignment * alignment;
}

void cuda_tables::plan(const lane_batch& batch) {
  slots_.begin();
  places_.clear();
  changes_.clear();
  for (const auto& row : batch.rows())
    add(*row.sequence);
}

void cuda_tables::add(lane_sequence& sequence) {
  auto& there = sequence.on_device();
  if (!slots_.claim(there.table))
    there.table_entries = 0;
  places_.push_back(static_cast<std::int32_t>(there.table.index));
  const auto pages = sequence.pages().pages();
  const auto end = std::min(pages.size(), std::size_t{most_.entries});
  for (auto& entry = there.table_entries; entry < end; ++entry)
    changes_.push_back({there.table.index, entry, pages[entry]});
}

void cuda_tables::write(const cuda::table_entry* entries, std::size_t count,
                        cuda::stream& in) const {
  cuda::write_table_entries({.pages = pages_,
                             .tables = most_.tables,
                             .stride = most_.entries,
                             .entries = entries,
                             .count = static_cast<std::int64_t>(count)},
                            in);
}

} // namespace sluice
