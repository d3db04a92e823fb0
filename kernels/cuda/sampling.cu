// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/row_checks.hpp"
#include "kernels/cuda/sampling/layout.hpp"

namespace sluice::cuda {

std::size_t sampling::lay_out(std::int64_t rows, std::int64_t vocabulary,
                              std::byte* workspace, row_memory& memory) {
  constexpr std::size_t alignment = 256;
  const auto count = static_cast<std::size_t>(rows);
  std::size_t used = 0;
  const auto take = [&]<class T>(T*& part, std::size_t each) {
    part = reinterpret_cast<T*>(workspace + used);
    used += (count * each * sizeof(T) + alignment - 1) / alignment * alignment;
  };
  const auto slices = static_cast<std::size_t>(slices_of(vocabulary));
  memory.stride = count_stride(vocabulary);
  take(memory.surveys, slices);
  take(memory.measures, slices);
  take(memory.histogram, bins);
  take(memory.listed, 4);
  take(memory.list, static_cast<std::size_t>(list_room));
  take(memory.largest, static_cast<std::size_t>(runs_of(vocabulary)));
  take(memory.changed, static_cast<std::size_t>(memory.stride));
  return used;
}

std::size_t choice_workspace_bytes(std::int64_t rows, std::int64_t vocabulary) {
  require(rows >= 0 && rows <= most_choices && vocabulary > 0 &&
              vocabulary <= most_vocabulary,
          "choice_workspace_bytes: 0 to 65,535 rows and a vocabulary of up to "
          "1,048,576; give fewer rows a call");
  sampling::row_memory unused{};
  return sampling::lay_out(rows, vocabulary, nullptr, unused);
}

namespace {

void check(const choice_args& args) {
  const auto& logits = args.logits;
  const auto needed = choice_workspace_bytes(logits.rows, logits.columns);
  require(logits.rows == 0 || (logits.data && is_aligned(logits.data) &&
                               logits.row_stride % 4 == 0 &&
                               logits.row_stride >= logits.columns),
          "choose_tokens: logits must be 16-byte aligned rows with a stride of "
          "a multiple of 4; pad them");
  require(logits.rows == 0 || (args.rows && args.settings && args.out),
          "choose_tokens: rows, settings or out is missing; give all");
  require(args.most_top >= 0 && (args.most_top == 0 || args.top),
          "choose_tokens: no room for alternatives; give top, or most_top 0");
  require(args.workspace_bytes >= needed && (args.workspace || needed == 0) &&
              is_aligned(args.workspace),
          "choose_tokens: workspace too small or not 16-byte aligned; ask "
          "choice_workspace_bytes");
}

// A bounded list, once a sequence or a step: nothing to be fast for.
constexpr int count_threads = 128;

SLUICE_KERNEL(count_threads)
count_kernel(count_args args) {
  const auto i = std::int64_t{block_x()} * threads() + thread();
  let_next_kernel_start();
  wait_for_previous_kernel();
  if (i >= args.count)
    return;
  const count_change each = args.changes[i];
  if (each.row < 0 || each.token < 0 || each.token >= args.vocabulary)
    return;
  auto* at =
      args.counts + each.row * count_stride(args.vocabulary) + each.token;
  if (each.change == 0)
    atomic_or(at, count_in_prompt);
  else
    atomic_add(reinterpret_cast<std::int32_t*>(at), each.change);
}

} // namespace

void choose_tokens(const choice_args& args, stream& in) {
  check(args);
  if (args.logits.rows == 0)
    return;
  sampling::call made{args, {}};
  sampling::lay_out(args.logits.rows, args.logits.columns, args.workspace,
                    made.memory);
  sampling::start_survey(made, in);
  sampling::start_measure(made, in);
  sampling::start_gather(made, in);
  sampling::start_choose(made, in);
}

void count_tokens(const count_args& args, stream& in) {
  require(args.count >= 0 && args.vocabulary > 0 &&
              args.vocabulary <= most_vocabulary,
          "count_tokens: a negative count or no vocabulary; check the sizes");
  require(args.count == 0 || (args.counts && args.changes),
          "count_tokens: counts or changes are missing; give both");
  if (args.count == 0)
    return;
  const auto blocks = (args.count + count_threads - 1) / count_threads;
  launch(in,
         {.grid_x = static_cast<std::uint32_t>(blocks),
          .threads = count_threads,
          .early = true},
         count_kernel, args);
}

} // namespace sluice::cuda
