// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/contracts.hpp"
#include "kernels/sampling/row_passes.hpp"
#include "kernels/sampling/steps.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

bool all_finite(std::span<const float> logits) {
  return std::all_of(logits.begin(), logits.end(),
                     [](float x) { return std::isfinite(x); });
}

bool nothing_possible(std::span<const float> row) {
  return std::all_of(row.begin(), row.end(),
                     [](float x) { return x == -infinity; });
}

// Neither NaN, which would break every comparison, nor infinite above.
bool all_ordered(std::span<const float> row) {
  return std::all_of(row.begin(), row.end(),
                     [](float x) { return x < infinity; });
}

candidate_list list_possible(std::span<const float> row, candidate_list room) {
  std::size_t size = 0;
  for (std::size_t t = 0; t < row.size(); ++t) {
    if (row[t] != -infinity) {
      room[size++] = {row[t], static_cast<std::int32_t>(t)};
    }
  }
  return room.first(size);
}

candidate_list filter(candidate_list list, const sampling_params& params) {
  apply_temperature(list, params.temperature);
  list = keep_top_k(list, params.top_k);
  list = keep_top_p(list, params.top_p);
  return keep_min_p(list, params.min_p);
}

bool usable(const sampling_params& p) {
  return std::isfinite(p.temperature) && p.temperature >= 0 && p.top_k >= 0 &&
         p.top_p > 0 && p.top_p <= 1 && p.min_p >= 0 && p.min_p <= 1 &&
         std::isfinite(p.repetition_penalty) && p.repetition_penalty > 0 &&
         std::isfinite(p.frequency_penalty) &&
         std::isfinite(p.presence_penalty);
}

} // namespace

std::size_t sample_workspace_bytes(std::int64_t vocabulary) {
  require(vocabulary >= 0 && vocabulary < (std::int64_t{1} << 31),
          "sample_workspace_bytes: vocabulary must be 0..2^31-1");
  const auto floats = vocabulary + 2 * logit_blocks(vocabulary);
  return static_cast<std::size_t>(vocabulary) * sizeof(candidate) +
         static_cast<std::size_t>(floats) * sizeof(float);
}

sample_memory split_workspace(const sample_args& args) {
  const std::size_t size = args.logits.size();
  const auto blocks =
      static_cast<std::size_t>(logit_blocks(static_cast<std::int64_t>(size)));
  auto* room = reinterpret_cast<candidate*>(args.workspace.data());
  auto* floats = reinterpret_cast<float*>(room + size);
  return {.room = {room, size},
          .changed = {floats, size},
          .largest = {floats + size, blocks},
          .order = {floats + size + blocks, blocks}};
}

void check(const sample_args& args) {
  const auto vocabulary = static_cast<std::int64_t>(args.logits.size());
  const auto known = [vocabulary](std::int32_t token) {
    return token >= 0 && token < vocabulary;
  };
  require(vocabulary > 0 && usable(args.params),
          "sample: no logits, or a parameter out of range; see "
          "sampling_params for the ranges");
  require(args.workspace.size() >= sample_workspace_bytes(vocabulary) &&
              reinterpret_cast<std::uintptr_t>(args.workspace.data()) % 8 == 0,
          "sample: workspace too small or not 8-byte aligned; ask "
          "sample_workspace_bytes");
  require(args.allowed.empty() ||
              args.allowed.size() * 64 >= args.logits.size(),
          "sample: mask shorter than the vocabulary; size it by the model");
  for (const logit_bias& b : args.bias) {
    require(known(b.token) && !std::isnan(b.bias) && b.bias < HUGE_VALF,
            "sample: bias of an unknown token, or NaN or +infinity; correct "
            "the request");
  }
  for (const token_count& seen : args.counts) {
    require(known(seen.token) && seen.generated >= 0,
            "sample: count of an unknown token, or below 0; check the ids");
  }
}

void choose_among_all(std::span<const float> row, const sample_args& args,
                      candidate_list room, sampled& result) {
  const candidate_list list = list_possible(row, room);
  if (args.params.temperature == 0) {
    result.token = largest(list).token;
  } else {
    draw_among(filter(list, args.params), args, result);
  }
}

void draw_among(candidate_list kept, const sample_args& args, sampled& result) {
  const candidate& drawn = draw(kept, args.key);
  result.token = drawn.token;
  if (args.want_logprobs) {
    result.logprob = static_cast<float>(drawn.logit - std::log(mass(kept)));
  }
}

sampled sample(const sample_args& args) {
  check(args);
  const sample_memory memory = split_workspace(args);
  sampled result;
  std::span<const float> row = args.logits;
  if (changes_logits(args)) {
    change_logits(args, memory.changed);
    row = memory.changed;
  }
  if (!all_finite(args.logits)) {
    result.status = sample_status::non_finite;
  } else if (nothing_possible(row)) {
    result.status = sample_status::nothing_allowed;
  } else if (!all_ordered(row)) {
    result.status = sample_status::non_finite; // a penalty or bias overflowed
  } else {
    choose_among_all(row, args, memory.room, result);
    add_raw_logprobs(args, result);
  }
  return result;
}

} // namespace sluice
