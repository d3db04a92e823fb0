// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/attention_values.hpp"
#include "kernels/cpu/ops.hpp"

namespace sluice::SLUICE_ISA {

namespace {

// Neighbouring rows of one sequence and one kv head: they share K and V.
struct block {
  const paged_attention_args& args;
  std::int64_t first_row;
  std::int64_t end_row;
  std::int64_t kv_head;

  std::int64_t group() const { return args.heads / args.cache.kv_heads; }

  std::int64_t column() const {
    return kv_head * group() * args.cache.head_dim;
  }

  kv_rows rows() const {
    const auto sequence = args.row_sequences.data()[first_row];
    return {args.cache, args.sequences.data()[sequence].data(), kv_head};
  }
};

std::int64_t span_of(std::int64_t position) {
  return position / span_positions;
}

// The positions that a row sees.
position_range visible(const paged_attention_args& args, std::int64_t row) {
  const std::int64_t end = args.positions.data()[row] + std::int64_t{1};
  return {args.window > 0 ? higher(0, end - args.window) : 0, end};
}

position_range visible(const block& at) {
  position_range all{0, 0};
  for (std::int64_t row = at.first_row; row < at.end_row; ++row) {
    all = around(all, visible(at.args, row));
  }
  return all;
}

std::int64_t spans(const position_range& seen) {
  return span_of(seen.end - 1) + 1 - span_of(seen.first);
}

// Calls `query(index, row, column)` for every query head of the block.
template <class Query>
void each_query(const block& at, const Query& query) {
  int index = 0;
  for (std::int64_t row = at.first_row; row < at.end_row; ++row) {
    for (std::int64_t g = 0; g < at.group(); ++g) {
      query(index++, row, at.column() + g * at.args.cache.head_dim);
    }
  }
}

// Narrows the queries to the span at `start`; returns what any of them sees,
// counted from there.
position_range look_at(const block& at, std::int64_t start,
                       span_queries& queries) {
  position_range any{0, 0};
  const std::int64_t group = at.group();
  for (std::int64_t row = at.first_row; row < at.end_row; ++row) {
    const position_range all = visible(at.args, row);
    const position_range seen =
        both({all.first - start, all.end - start}, {0, span_positions});
    any = around(any, seen);
    position_range* to = queries.seen + (row - at.first_row) * group;
    for (std::int64_t g = 0; g < group; ++g) {
      to[g] = seen;
    }
  }
  return any;
}

// Memory of one block of work; on the stack of the thread that does it.
struct block_memory {
  span_queries queries;
  running_sum results[most_queries];
  merge_factors factors[most_queries];
  span_scratch scratch;
};

// Turns the scores of a span into the weights of its values, and merges the
// softmax of each query.
void weigh_positions(const kv_rows& rows, std::int64_t start,
                     const position_range& any, block_memory& memory) {
  const bool scaled = rows.kv.type == dtype::i8;
  span_scratch& scratch = memory.scratch;
  if (scaled) {
    gather_scales(rows, rows.kv.v_scales, {start + any.first, start + any.end},
                  start, scratch.value_scales);
  }
  for (int i = 0; i < memory.queries.count; ++i) {
    const position_range& seen = memory.queries.seen[i];
    if (seen.first >= seen.end) {
      continue;
    }
    float* weights = scratch.scores + i * span_scratch::stride;
    memory.factors[i] =
        merge(memory.results[i].state, exponentiate(weights, seen));
    if (scaled) {
      scale_weights(weights, scratch.value_scales, seen);
    }
  }
}

// Adds the span at `start` to the results of every query that sees part of it.
// Memory works ahead: values are asked for while scores are computed, the next
// span's keys while values are summed. Nobody has asked for the keys of the
// first span.
void ask_for_span(const kv_rows& rows, const position_range& span, bool first,
                  const span_queries& queries, row_prefetcher& ahead) {
  const int lines = (queries.count <= 4 ? 2 : 1) * (first ? 2 : 1);
  if (!first) {
    return ahead.start(rows.kv.v, span, lines);
  }
  const std::int64_t early = lower(span.first + tile_positions, span.end);
  ahead.start(rows.kv.k, {span.first, early}, lines);
  ahead.finish();
  ahead.start(rows.kv.k, {early, span.end}, lines);
  ahead.then(rows.kv.v, span);
}

// Adds the span at `start` to the results of every query that sees part of it.
template <class Format>
void add_span(const block& at, std::int64_t start, const position_range& all,
              block_memory& memory) {
  span_queries& queries = memory.queries;
  const position_range any = look_at(at, start, queries);
  if (any.first >= any.end) {
    return;
  }
  const kv_rows rows = at.rows();
  row_prefetcher ahead{rows, rows.kv.head_dim * Format::bytes};
  ask_for_span(rows, {start + any.first, start + any.end}, start <= all.first,
               queries, ahead);
  score_span<Format>(rows, queries, start, any, memory.scratch, ahead);
  ahead.start(
      rows.kv.k,
      {start + span_positions, lower(start + 2 * span_positions, all.end)}, 1);
  weigh_positions(rows, start, any, memory);
  weigh_span<Format>(rows, start,
                     {queries, memory.scratch, memory.factors, memory.results},
                     ahead);
}

void begin(const block& at, block_memory& memory) {
  memory.queries.count =
      static_cast<int>((at.end_row - at.first_row) * at.group());
  memory.queries.scale = at.args.scale;
  each_query(at, [&](int index, std::int64_t row, std::int64_t column) {
    const paged_attention_args& args = at.args;
    memory.queries.q[index] = args.q.data + row * args.q.row_stride + column;
    memory.results[index] = {.values = args.out.data +
                                       row * args.out.row_stride + column};
  });
}

void finish(const running_sum& result, std::int64_t head_dim) {
  const float inverse = 1.0f / result.state.weight;
  for (std::int64_t i = 0; i < head_dim; ++i) {
    result.values[i] *= inverse;
  }
}

template <class Format>
void attend(const block& at) {
  block_memory memory;
  begin(at, memory);
  const position_range all = visible(at);
  for (std::int64_t start = span_of(all.first) * span_positions;
       start < all.end; start += span_positions) {
    add_span<Format>(at, start, all, memory);
  }
  for (int i = 0; i < memory.queries.count; ++i) {
    finish(memory.results[i], at.args.cache.head_dim);
  }
}

// A call of few blocks and long contexts: each block's spans are dealt to
// several threads. A query's result of each span waits in the workspace; who
// finishes the last part of a block merges them in order, as attend() does.
struct split {
  std::int64_t parts = 1; // of each block
  std::int64_t spans = 0; // most of any query
  std::int64_t slot_floats = 0;
  std::uint32_t* parts_left = nullptr; // [blocks, kv_heads]
  float* slots = nullptr;              // [rows, heads, spans, slot_floats]

  float* slot(const block& at, std::int64_t row, std::int64_t column,
              std::int64_t span) const {
    const paged_attention_args& args = at.args;
    const std::int64_t head = column / args.cache.head_dim;
    const std::int64_t first = span_of(visible(args, row).first);
    return slots +
           ((row * args.heads + head) * spans + span - first) * slot_floats;
  }
};

constexpr std::int64_t state_floats = 16; // a span_softmax, padded

template <class Format>
void attend_part(const block& at, const split& plan, std::int64_t part) {
  block_memory memory;
  begin(at, memory);
  const position_range all = visible(at);
  const std::int64_t first = span_of(all.first);
  const std::int64_t count = spans(all);
  const std::int64_t begin_span = first + count * part / plan.parts;
  const std::int64_t end = first + count * (part + 1) / plan.parts;
  const position_range mine =
      both(all, {begin_span * span_positions, end * span_positions});
  for (std::int64_t span = begin_span; span < end; ++span) {
    each_query(at, [&](int index, std::int64_t row, std::int64_t column) {
      float* slot = plan.slot(at, row, column, span);
      memory.results[index] = {.values = slot + state_floats};
    });
    add_span<Format>(at, span * span_positions, mine, memory);
    for (int i = 0; i < memory.queries.count; ++i) {
      const running_sum& result = memory.results[i];
      if (result.state.weight != 0) {
        __builtin_memcpy(result.values - state_floats, &result.state,
                         sizeof result.state);
      }
    }
  }
}

void merge_parts(const block& at, const split& plan) {
  const paged_attention_args& args = at.args;
  const std::int64_t head_dim = args.cache.head_dim;
  each_query(at, [&](int, std::int64_t row, std::int64_t column) {
    running_sum result = {.values = args.out.data + row * args.out.row_stride +
                                    column};
    const position_range seen = visible(args, row);
    for (std::int64_t span = span_of(seen.first); span <= span_of(seen.end - 1);
         ++span) {
      const float* slot = plan.slot(at, row, column, span);
      span_softmax next;
      __builtin_memcpy(&next, slot, sizeof next);
      const merge_factors factors = merge(result.state, next);
      for (std::int64_t i = 0; i < head_dim; i += lanes) {
        merge_values(result.values + i, head_dim - i,
                     load(slot + state_floats + i), factors);
      }
    }
    finish(result, head_dim);
  });
}

// Rows of one sequence that share each tile of keys. Influences no result.
std::int64_t block_rows(const paged_attention_args& args) {
  return higher(1, 64 * args.cache.kv_heads / args.heads);
}

// Calls `block(first_row, end_row)` for each run of rows of one sequence.
template <class Block>
void each_block(const paged_attention_args& args, const Block& block) {
  const std::int32_t* sequences = args.row_sequences.data();
  const std::int64_t most = block_rows(args);
  for (std::int64_t first = 0; first < args.q.rows;) {
    std::int64_t end = first + 1;
    while (end < args.q.rows && end < first + most &&
           sequences[end] == sequences[first]) {
      ++end;
    }
    block(first, end);
    first = end;
  }
}

std::int64_t count_blocks(const paged_attention_args& args) {
  std::int64_t count = 0;
  each_block(args, [&](std::int64_t, std::int64_t) { ++count; });
  return count;
}

block find_block(const paged_attention_args& args, std::int64_t index,
                 std::int64_t kv_head) {
  block found{args, 0, 0, kv_head};
  each_block(args, [&](std::int64_t first, std::int64_t end) {
    if (index-- == 0) {
      found.first_row = first;
      found.end_row = end;
    }
  });
  return found;
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

// Splits blocks if there are too few of them to keep all threads busy, as far
// as the workspace reaches.
split plan_split(const paged_attention_args& args, std::int64_t tasks,
                 int threads) {
  constexpr std::int64_t tasks_a_thread = 4;
  split plan;
  for (std::int64_t row = 0; row < args.q.rows; ++row) {
    plan.spans = higher(plan.spans, spans(visible(args, row)));
  }
  const std::int64_t wanted = (tasks_a_thread * threads + tasks - 1) / tasks;
  const std::int64_t parts = lower(wanted, plan.spans / 2);
  const std::int64_t counters = (tasks * 4 + 63) / 64 * 64;
  plan.slot_floats =
      state_floats + (args.cache.head_dim + lanes - 1) / lanes * lanes;
  const std::int64_t slots = args.q.rows * args.heads * plan.spans;
  const auto room = static_cast<std::int64_t>(args.workspace.size());
  if (threads == 1 || parts < 2 || counters > room ||
      slots > (room - counters) / (plan.slot_floats * 4)) {
    return plan;
  }
  plan.parts = parts;
  plan.parts_left = reinterpret_cast<std::uint32_t*>(args.workspace.data());
  plan.slots = reinterpret_cast<float*>(args.workspace.data() + counters);
  for (std::int64_t t = 0; t < tasks; ++t) {
    plan.parts_left[t] = static_cast<std::uint32_t>(parts);
  }
  return plan;
}

template <class Format>
void run(const paged_attention_args& args, thread_pool& pool) {
  const std::int64_t kv_heads = args.cache.kv_heads;
  const std::int64_t tasks = count_blocks(args) * kv_heads;
  if (tasks == 0) {
    return;
  }
  const split plan = plan_split(args, tasks, pool.threads());
  const auto claim = [&](std::int64_t t) {
    const std::int64_t task = t / plan.parts;
    const block at = find_block(args, task / kv_heads, task % kv_heads);
    if (plan.parts == 1) {
      return attend<Format>(at);
    }
    attend_part<Format>(at, plan, t % plan.parts);
    if (__atomic_sub_fetch(plan.parts_left + task, 1, __ATOMIC_ACQ_REL) == 0) {
      merge_parts(at, plan);
    }
  };
  if (!tiny(args)) {
    return pool.parallel_for(tasks * plan.parts, claim);
  }
  for (std::int64_t t = 0; t < tasks * plan.parts; ++t) {
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
  default:
    return run<f32_format>(args, pool);
  }
}

} // namespace sluice::SLUICE_ISA
