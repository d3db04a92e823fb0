// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/thread_pool.hpp"
#include "memory/mapping.hpp"
#include "tools/bench/roofline/probes.hpp"

namespace sluice::bench {

/// What limits an op that computes, or none that it only moves bytes.
enum class peak_kind : std::uint8_t { none, int8, bf16, f32 };

/// "int8", "bf16", "f32", or "none".
std::string_view name(peak_kind kind);

/// The limits of this machine for all threads of a pool together, measured by
/// loops of the same instruction set as the kernels'. They drift where a
/// machine is shared: measure again beside what is compared with them.
class roofline {
public:
  /// Takes memory far larger than the last cache and looks for the fastest
  /// way to read it.
  /// @param pool        outlives this; its threads should be pinned.
  /// @param most_bytes  of that memory, where the caches of a whole host,
  ///                    which a virtual machine sees, would want more.
  /// @throws contract_violation if `isa` is not available, memory_error.
  roofline(instruction_set isa, thread_pool& pool,
           std::uint64_t most_bytes = 2ull << 30);

  /// Bytes per second that all threads together read from memory.
  double read_bytes_per_second();

  /// Operations per second of one kind, a multiply-add being two.
  /// @returns 0 for `none` and for what the instruction set lacks.
  double operations_per_second(peak_kind kind);

  /// `wanted`, or f32 where the instruction set computes it so.
  peak_kind supported(peak_kind wanted) const;

  /// The instructions behind a peak; empty if there are none.
  std::string_view instructions(peak_kind kind) const;

  /// How memory is read, e.g. "1 stream, prefetch 1024 bytes ahead".
  std::string pattern() const;

  /// Bytes of the memory that is read.
  std::uint64_t buffer_bytes() const { return buffer_.bytes(); }

private:
  const peak_loop& loop(peak_kind kind) const;
  double read_with(read_pattern pattern);
  void choose_pattern();

  probe_set probes_;
  thread_pool& pool_;
  mapping buffer_;
  read_pattern pattern_{1, 0};
};

/// Bytes of the last cache level, as the system says; 32 MiB if it does not.
/// In a virtual machine it may be that of the host.
std::uint64_t last_cache_bytes();

} // namespace sluice::bench
