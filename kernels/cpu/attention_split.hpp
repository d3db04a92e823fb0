// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cpu/attention_block.hpp"

// A call of few blocks and long contexts: each block's spans are dealt to
// several threads. A query's sums of each span wait in the workspace; who
// finishes the last part of a block merges them in order, as attend() does.

namespace sluice::SLUICE_ISA {

struct attention_split {
  std::int64_t parts = 1; // of each block
  std::int64_t spans = 0; // most of any query
  std::int64_t slot_floats = 0;
  std::uint32_t* parts_left = nullptr; // [blocks]
  float* slots = nullptr;              // [rows, heads, spans, slot_floats]

  float* slot(const block& at, std::int64_t row, std::int64_t head,
              std::int64_t span) const {
    const std::int64_t first = span_of(visible(at.args, row).first);
    return slots +
           ((row * at.args.heads + head) * spans + span - first) * slot_floats;
  }
};

inline constexpr std::int64_t state_floats = 16; // a span_softmax, padded

/// Part number `part` of a block, into its slots.
template <class Format>
void attend_part(const block& at, const attention_split& plan,
                 std::int64_t part) {
  block_memory memory;
  begin(at, memory);
  const position_range all = visible(at);
  const std::int64_t first = span_of(all.first);
  const std::int64_t count = span_of(all.end - 1) + 1 - first;
  const std::int64_t head_dim = at.args.cache.head_dim;
  each_span<Format>(
      at, first + count * part / plan.parts,
      first + count * (part + 1) / plan.parts, memory, [&](std::int64_t span) {
        each_query(at, [&](int i, std::int64_t row, std::int64_t head) {
          const span_softmax next = memory.softmax(i);
          if (next.weight != 0) {
            float* slot = plan.slot(at, row, head, span);
            __builtin_memcpy(slot, &next, sizeof next);
            merge_sums(slot + state_floats, memory.values(i), head_dim,
                       {.fresh = true});
          }
        });
      });
}

/// The results of a block from its slots.
inline void merge_parts(const block& at, const attention_split& plan) {
  const paged_attention_args& args = at.args;
  const std::int64_t head_dim = args.cache.head_dim;
  each_query(at, [&](int, std::int64_t row, std::int64_t head) {
    running_sum result = {.values = args.out.data + row * args.out.row_stride +
                                    head * head_dim};
    const position_range seen = visible(args, row);
    for (std::int64_t span = span_of(seen.first); span <= span_of(seen.end - 1);
         ++span) {
      const float* slot = plan.slot(at, row, head, span);
      span_softmax next;
      __builtin_memcpy(&next, slot, sizeof next);
      const merge_factors factors = merge(result.state, next);
      merge_sums(result.values, slot + state_floats, head_dim, factors);
    }
    finish(result, head_dim);
  });
}

} // namespace sluice::SLUICE_ISA
