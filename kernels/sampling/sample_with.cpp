// SPDX-License-Identifier: Apache-2.0
#include "kernels/contracts.hpp"
#include "kernels/sampling/noise_source.hpp"
#include "kernels/sampling/shortlist.hpp"

#include <algorithm>
#include <cmath>

namespace sluice {

namespace {

// Temperatures whose scaled logits are neither all 0 nor all infinite in f32.
constexpr float coldest = 1e-20f;
constexpr float hottest = 1e20f;

bool filters(const sampling_params& params, std::int64_t vocabulary) {
  return (params.top_k > 0 && params.top_k < vocabulary) || params.top_p < 1 ||
         params.min_p > 0;
}

// The lowest id of the largest logit.
std::int32_t find(float top, const surveyed_row& row) {
  const float* block = row.largest;
  while (*block != top) {
    ++block;
  }
  const float* logit = row.logits + (block - row.largest) * logit_block;
  while (*logit != top) {
    ++logit;
  }
  return static_cast<std::int32_t>(logit - row.logits);
}

// log(sum(exp(scaled))) of the whole row in id order.
double log_sum_of_row(const surveyed_row& row) {
  double sum = 0;
  for (std::int64_t t = 0; t < row.vocabulary; ++t) {
    sum += std::exp(static_cast<double>(row.scaled(row.logits[t])));
  }
  return std::log(sum);
}

// The largest scaled logit + noise of a run of tokens, if it beats `best`.
void draw_from_run(const surveyed_row& row, const row_passes& passes,
                   noise_search& search, candidate& best) {
  std::int32_t rivals[noise_tokens];
  noise_source source(search.key);
  const auto found = passes.rivals(row, search, rivals);
  for (std::int64_t i = 0; i < found; ++i) {
    const std::int32_t token = rivals[i];
    const float scaled = row.scaled(row.logits[token]);
    const double value = scaled + source.noise(token);
    if (value > search.best || (value == search.best && token < best.token)) {
      best = {scaled, token};
      search.best = value;
    }
  }
}

// `draw` among all tokens of a row: most are ruled out in vectors.
candidate draw_from_row(const surveyed_row& row, const sample_key& key,
                        const row_passes& passes) {
  constexpr std::int64_t run_blocks = noise_tokens / logit_block;
  candidate best{0, row.top_token};
  noise_search search{.key = key,
                      .first = 0,
                      .count = 0,
                      .best = noise_source(key).noise(best.token)};
  const std::int64_t blocks = logit_blocks(row.vocabulary);
  for (std::int64_t b = 0; b < blocks; b += run_blocks) {
    const float* end = row.largest + std::min(blocks, b + run_blocks);
    const float run_top = *std::max_element(row.largest + b, end);
    if (row.scaled(run_top) + most_noise < search.best) {
      continue;
    }
    search.first = b * logit_block;
    search.count = std::min(noise_tokens, row.vocabulary - search.first);
    draw_from_run(row, passes, search, best);
  }
  return best;
}

void choose(const surveyed_row& row, const sample_args& args,
            const row_passes& passes, sampled& result) {
  const sample_memory memory = split_workspace(args);
  const auto& params = args.params;
  if (params.temperature == 0) {
    result.token = row.top_token;
    return;
  }
  if (params.temperature > coldest && params.temperature < hottest) {
    if (!filters(params, row.vocabulary)) {
      const candidate drawn = draw_from_row(row, args.key, passes);
      result.token = drawn.token;
      if (args.want_logprobs) {
        result.logprob = static_cast<float>(drawn.logit - log_sum_of_row(row));
      }
      return;
    }
    if (const auto kept =
            shortlist(row, params, passes, {memory.room, memory.order})) {
      return draw_among(*kept, args, result);
    }
  }
  choose_among_all({row.logits, args.logits.size()}, args, memory.room, result);
}

} // namespace

sampled sample_with(const sample_args& args, const row_passes& passes) {
  check(args);
  const sample_memory memory = split_workspace(args);
  const auto vocabulary = static_cast<std::int64_t>(args.logits.size());
  sampled result;
  const float* logits = args.logits.data();
  row_survey seen = passes.survey(logits, vocabulary, memory.largest.data());
  if (!seen.finite) {
    result.status = sample_status::non_finite;
    return result;
  }
  if (changes_logits(args)) {
    change_logits(args, memory.changed);
    logits = memory.changed.data();
    seen = passes.survey(logits, vocabulary, memory.largest.data());
  }
  if (!seen.ordered) {
    result.status = sample_status::non_finite; // a penalty or bias overflowed
  } else if (std::isinf(seen.top)) {
    result.status = sample_status::nothing_allowed;
  } else {
    surveyed_row row{.logits = logits,
                     .largest = memory.largest.data(),
                     .vocabulary = vocabulary,
                     .temperature = args.params.temperature,
                     .forbids = !seen.finite};
    row.top_token = find(seen.top, row);
    row.top = logits[row.top_token]; // may be 0 where seen.top is -0
    choose(row, args, passes, result);
    add_raw_logprobs(args, result);
  }
  return result;
}

} // namespace sluice
