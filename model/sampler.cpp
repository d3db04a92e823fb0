// SPDX-License-Identifier: Apache-2.0
#include "model/sampler.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <string>
#include <utility>

namespace sluice {

namespace {

std::span<float> logits_of(const activations& logits, std::uint32_t row) {
  return {logits.data + std::int64_t{row} * logits.row_stride,
          static_cast<std::size_t>(logits.columns)};
}

} // namespace

sampler::sampler(const op_table& ops, std::uint32_t vocab)
    : ops_{&ops}, vocab_{vocab} {}

void sampler::run(const sampler_step& step, step_answer& answer) {
  using clock = std::chrono::steady_clock;
  const auto all = static_cast<std::uint32_t>(step.batch.wanted());
  const auto most = step.source.most_rows();
  reserve(std::min(all, most), step.pool.threads());
  for (std::uint32_t first = 0; first < all; first += most) {
    const auto count = std::min(most, all - first);
    const auto begin = clock::now();
    const auto logits = step.source.logits(first, count);
    const auto computed = clock::now();
    plan_jobs(step.batch, {first, count});
    if (step.observer)
      show(logits, first, step.observer);
    run_jobs(logits, first, step.pool);
    collect(first, answer);
    answer.times().kernels += computed - begin;
    answer.times().sampling += clock::now() - computed;
  }
}

void sampler::reserve(std::size_t positions, int threads) {
  outcomes_.resize(std::max(outcomes_.size(), positions));
  workspace_.resize(static_cast<std::size_t>(threads));
  for (auto& workspace : workspace_)
    workspace.resize(sample_workspace_bytes(vocab_) / sizeof(std::uint64_t) +
                     1);
}

void sampler::plan_jobs(const lane_batch& batch, slice part) {
  jobs_.clear();
  for (const auto& row : batch.rows()) {
    const auto begin = std::max(part.first, row.first_wanted);
    const auto end = std::min(part.first + part.count, row.end_wanted());
    const bool in_order = row.sequence->sampling().has_penalties();
    for (auto at = begin; at < end;) {
      // Penalties count the tokens before a position: they go one by one.
      const auto length = in_order && !row.is_scored(at) ? end - at : 1;
      jobs_.push_back({&row, {at, length}});
      at += length;
    }
  }
}

void sampler::show(const activations& logits, std::uint32_t first,
                   const logits_observer& observer) const {
  for (const auto& work : jobs_)
    for (auto i = work.part.first; i < work.part.first + work.part.count; ++i)
      observer({work.row->sequence->key(), work.row->position_of(i),
                logits_of(logits, i - first)});
}

void sampler::run_jobs(const activations& logits, std::uint32_t first,
                       thread_pool& pool) {
  // A tile takes job after job into a workspace of its own; what a job gives
  // does not depend on its tile.
  const auto tiles = std::min(workspace_.size(), jobs_.size());
  std::atomic<std::size_t> next{0};
  pool.parallel_for(static_cast<std::int64_t>(tiles), [&](std::int64_t tile) {
    auto& own = workspace_[static_cast<std::size_t>(tile)];
    for (auto j = next++; j < jobs_.size(); j = next++) {
      const auto [row, part] = jobs_[j];
      for (auto i = part.first; i < part.first + part.count; ++i)
        run_one(*row, i, {logits_of(logits, i - first), own},
                outcomes_[i - first]);
    }
  });
}

void sampler::run_one(const batch_row& row, std::uint32_t index,
                      const buffers& memory,
                      position_outcome& out) const noexcept {
  try {
    out.error.clear();
    if (!row.is_scored(index))
      return sample_one(row, index, memory, out);
    out.top.resize(row.sequence->sampling().top_scores);
    out.score = score(memory.logits, row.next_tokens[index - row.first_wanted],
                      out.top);
  } catch (const std::exception& error) {
    out.error = error.what();
  }
}

void sampler::sample_one(const batch_row& row, std::uint32_t index,
                         const buffers& memory, position_outcome& out) const {
  const auto& sampling = row.sequence->sampling();
  const auto position = row.position_of(index) + 1; // of the new token
  out.top.resize(sampling.top_logprobs);
  out.result =
      ops_->sample({.logits = memory.logits,
                    .params = sampling.params,
                    .bias = sampling.bias,
                    .counts = row.sequence->counts_before(position),
                    .allowed = {},
                    .key = {sampling.seed, sampling.index, position},
                    .want_logprobs = sampling.want_logprobs,
                    .top = out.top,
                    .workspace = std::as_writable_bytes(memory.workspace)});
}

void sampler::collect(std::uint32_t first, step_answer& all) const {
  for (const auto& [row, part] : jobs_) {
    auto& answer = all.row(row->plan_row);
    for (auto i = part.first; i < part.first + part.count; ++i)
      if (answer.code == messages::ErrorCode::none)
        add_outcome(answer, *row, i, outcomes_[i - first]);
  }
}

} // namespace sluice
