// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernels/ops.hpp"

namespace sluice::bench {

/// How a probe reads memory. Which is fastest depends on the machine, so all
/// are tried.
struct read_pattern {
  int streams;          // 1 or 4 places that one thread reads from in turn
  std::size_t prefetch; // bytes ahead of each stream; 0: none
};

/// A loop over registers alone.
struct peak_loop {
  std::string_view instructions;  // what it repeats; empty: this CPU has none
  double operations_per_turn = 0; // a multiply-add counts two
  std::uint64_t (*run)(std::int64_t turns) = nullptr;
};

/// What one instruction set can do at most, as loops that a thread runs.
/// Values that they return are of no meaning: they keep the work alive.
struct probe_set {
  /// @param data   64-byte aligned. @param bytes  a multiple of 1024.
  std::uint64_t (*read)(const std::byte* data, std::size_t bytes,
                        read_pattern pattern);
  peak_loop int8;
  peak_loop bf16;
  peak_loop f32;
};

/// The probes that suit the kernels of a path; `isa` must be available.
probe_set probes_for(instruction_set isa);

} // namespace sluice::bench

// One file of probes an instruction set, each compiled with its own flags.
namespace sluice::bench::portable {
probe_set probes();
}
namespace sluice::bench::avx2 {
probe_set probes();
}
namespace sluice::bench::avx512 {
probe_set probes();
}
namespace sluice::bench::amx {
peak_loop int8_peak();
peak_loop bf16_peak();
} // namespace sluice::bench::amx
namespace sluice::bench::avx512_bf16 {
peak_loop bf16_peak();
}
