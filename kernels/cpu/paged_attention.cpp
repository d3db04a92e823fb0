// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attention_split.hpp"
#include "kernels/cpu/ops.hpp"

namespace sluice::SLUICE_ISA {

namespace {

constexpr std::int64_t block_queries = 64; // most, but of rows of a large group

// How a call is cut into blocks and parts. Influences no result.
struct call_plan {
  const paged_attention_args& args;
  std::int64_t most_kv_heads; // of a block
  attention_split split;

  // Rows of one sequence that share each tile of keys.
  std::int64_t most_rows() const {
    return higher(1, block_queries * args.cache.kv_heads / args.heads);
  }

  std::int64_t kv_heads(std::int64_t rows) const {
    const std::int64_t queries = rows * args.heads / args.cache.kv_heads;
    return lower(most_kv_heads, higher(1, block_queries / queries));
  }
};

// Calls `use(block)` for each block of the call: kv heads of a run of rows of
// one sequence.
template <class Use>
void each_block(const call_plan& plan, const Use& use) {
  const paged_attention_args& args = plan.args;
  const std::int32_t* sequences = args.row_sequences.data();
  const std::int64_t most = plan.most_rows();
  for (std::int64_t first = 0; first < args.q.rows;) {
    std::int64_t end = first + 1;
    while (end < args.q.rows && end < first + most &&
           sequences[end] == sequences[first]) {
      ++end;
    }
    const std::int64_t heads = plan.kv_heads(end - first);
    for (std::int64_t h = 0; h < args.cache.kv_heads; h += heads) {
      use(block{args, first, end, h, lower(heads, args.cache.kv_heads - h)});
    }
    first = end;
  }
}

std::int64_t count_blocks(const call_plan& plan) {
  std::int64_t count = 0;
  each_block(plan, [&](const block&) { ++count; });
  return count;
}

// Calls `use(block)` for block number `index`.
template <class Use>
void with_block(const call_plan& plan, std::int64_t index, const Use& use) {
  each_block(plan, [&](const block& at) {
    if (index-- == 0) {
      use(at);
    }
  });
}

// Whether the whole call takes less time than waking a thread.
bool tiny(const paged_attention_args& args) {
  std::int64_t pairs = 0;
  for (std::int64_t row = 0; row < args.q.rows; ++row) {
    const position_range seen = visible(args, row);
    pairs += seen.end - seen.first;
  }
  return pairs * args.q.columns < 32768;
}

std::int64_t most_spans(const paged_attention_args& args) {
  std::int64_t most = 0;
  for (std::int64_t row = 0; row < args.q.rows; ++row) {
    const position_range seen = visible(args, row);
    most = higher(most, span_of(seen.end - 1) + 1 - span_of(seen.first));
  }
  return most;
}

// Splits blocks into parts if there are too few of them to keep all threads
// busy, as far as the workspace reaches.
void split_blocks(call_plan& plan, std::int64_t wanted) {
  const paged_attention_args& args = plan.args;
  attention_split& split = plan.split;
  const std::int64_t blocks = count_blocks(plan);
  const std::int64_t parts = lower((wanted + blocks - 1) / blocks, split.spans);
  const std::int64_t counters = (blocks * 4 + 63) / 64 * 64;
  split.slot_floats =
      state_floats + (args.cache.head_dim + lanes - 1) / lanes * lanes;
  const std::int64_t slots = args.q.rows * args.heads * split.spans;
  const auto room = static_cast<std::int64_t>(args.workspace.size());
  if (parts < 2 || counters > room ||
      slots > (room - counters) / (split.slot_floats * 4)) {
    return;
  }
  split.parts = parts;
  split.parts_left = reinterpret_cast<std::uint32_t*>(args.workspace.data());
  split.slots = reinterpret_cast<float*>(args.workspace.data() + counters);
  for (std::int64_t b = 0; b < blocks; ++b) {
    split.parts_left[b] = static_cast<std::uint32_t>(parts);
  }
}

// Blocks of all kv heads read memory fastest; where they leave threads idle
// even in parts, blocks of fewer.
call_plan plan_call(const paged_attention_args& args, int threads) {
  constexpr std::int64_t tasks_a_thread = 4;
  const std::int64_t wanted = threads > 1 ? tasks_a_thread * threads : 1;
  call_plan plan{args, args.cache.kv_heads, {.spans = most_spans(args)}};
  split_blocks(plan, wanted);
  while (plan.most_kv_heads > 1 &&
         count_blocks(plan) * plan.split.parts < wanted) {
    plan.most_kv_heads = (plan.most_kv_heads + 1) / 2;
    plan.split.parts = 1;
    split_blocks(plan, wanted);
  }
  return plan;
}

template <class Format>
void run(const paged_attention_args& args, thread_pool& pool) {
  if (args.q.rows == 0) {
    return;
  }
  const call_plan plan = plan_call(args, pool.threads());
  const attention_split& split = plan.split;
  const auto claim = [&](std::int64_t task) {
    const std::int64_t index = task / split.parts;
    with_block(plan, index, [&](const block& at) {
      if (split.parts == 1) {
        return attend<Format>(at);
      }
      attend_part<Format>(at, split, task % split.parts);
      if (__atomic_sub_fetch(split.parts_left + index, 1, __ATOMIC_ACQ_REL) ==
          0) {
        merge_parts(at, split);
      }
    });
  };
  const std::int64_t tasks = count_blocks(plan) * split.parts;
  if (!tiny(args)) {
    return pool.parallel_for(tasks, claim);
  }
  for (std::int64_t t = 0; t < tasks; ++t) {
    claim(t);
  }
}

} // namespace

void paged_attention(const paged_attention_args& args, thread_pool& pool) {
  check(args);
  switch (args.cache.type) {
  case dtype::f16:
    return run<f16_format>(args, pool);
  case dtype::bf16:
    return run<bf16_format>(args, pool);
  case dtype::i8:
    return run<i8_format>(args, pool);
  case dtype::f8_e4m3:
    return run<f8_format>(args, pool);
  default:
    return run<f32_format>(args, pool);
  }
}

} // namespace sluice::SLUICE_ISA
