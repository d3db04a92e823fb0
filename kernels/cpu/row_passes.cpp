// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu/ops.hpp"
#include "kernels/cpu/simd.hpp"

#include <cstddef>

// What the passes of the sampler do is in kernels/sampling/row_passes.hpp.

namespace sluice::SLUICE_ISA {

namespace {

constexpr float lowest = -3.40282347e38f;
constexpr float infinity = __builtin_inff();

// -- survey

struct survey_sums {
  vec unordered = set(0); // 0, or NaN after a NaN or +infinity
  vec smallest = set(0);
};

SLUICE_INLINE void look_at(vec x, vec& most, survey_sums& sums) {
  const vec bounded = SLUICE_ISA::max(set(lowest), x); // a NaN stays
  sums.unordered = add(sums.unordered, sub(bounded, bounded));
  sums.smallest = SLUICE_ISA::min(x, sums.smallest);
  most = SLUICE_ISA::max(x, most);
}

// -- mass: exp in double for as many lanes as there are floats

constexpr int wide_bytes = lanes * 8;
using wide = double __attribute__((vector_size(wide_bytes)));
using wide_bits = std::int64_t __attribute__((vector_size(wide_bytes)));
using narrow = float __attribute__((vector_size(lanes * 4)));

constexpr double negligible = -50; // e^-50 * 2^31 < mass_error / 2

// x = e^x for negligible <= x <= 0; 1 for 0. Relative error below 1e-14:
// e^x = 2^n e^r with |r| <= log(2) / 2 and a Taylor polynomial for e^r.
SLUICE_INLINE void exponentiate(wide& x) {
  constexpr double shift = 6755399441055744; // 1.5 * 2^52 rounds to integers
  const wide shifted = x * 1.4426950408889634 + shift;
  const wide n = shifted - shift;
  const wide r = (x - n * 0.693147180369123816490) - // log(2) in two parts
                 n * 1.90821492927058770002e-10;
  wide p = r * (1.0 / 479001600) + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 1.0 / 2;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const wide_bits exponent = reinterpret_cast<wide_bits>(shifted) << 52;
  x = reinterpret_cast<wide>(reinterpret_cast<wide_bits>(p) + exponent);
}

// Adds exp(scaled(logit)) of as many logits as there are lanes.
SLUICE_INLINE void add_mass(const float* logits, const surveyed_row& row,
                            wide& sums) {
  narrow x;
  __builtin_memcpy(&x, logits, sizeof x);
  const wide exact = (__builtin_convertvector(x, wide) - row.top) /
                     static_cast<double>(row.temperature);
  const wide scaled =
      __builtin_convertvector(__builtin_convertvector(exact, narrow), wide);
  const wide_bits counts = scaled >= negligible;
  wide mass = counts ? scaled : wide{};
  exponentiate(mass);
  sums += counts ? mass : wide{};
}

// The logits of the last, shorter block, filled up with -infinity.
struct padded_block {
  float logits[logit_block];

  SLUICE_INLINE padded_block(const float* from, std::int64_t count) {
    for (std::int64_t i = 0; i < logit_block; ++i) {
      logits[i] = i < count ? from[i] : -infinity;
    }
  }
};

// -- noise

constexpr int noise_blocks = noise_tokens / 4;

// philox() of 64 neighbouring counters; out[r][j] is word r of counter j.
struct philox_words {
  std::uint32_t word[4][noise_blocks];
};

SLUICE_INLINE void philox_rounds(philox_words& state, std::uint64_t seed) {
  auto k0 = static_cast<std::uint32_t>(seed);
  auto k1 = static_cast<std::uint32_t>(seed >> 32);
  auto& c = state.word;
  for (int round = 0; round < 10; ++round) {
    for (int j = 0; j < noise_blocks; ++j) {
      const std::uint64_t a = std::uint64_t{0xD2511F53u} * c[0][j];
      const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * c[2][j];
      c[0][j] = static_cast<std::uint32_t>(b >> 32) ^ c[1][j] ^ k0;
      c[1][j] = static_cast<std::uint32_t>(b);
      c[2][j] = static_cast<std::uint32_t>(a >> 32) ^ c[3][j] ^ k1;
      c[3][j] = static_cast<std::uint32_t>(a);
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

// (2^32 - 1 - word) / 2^32, rounded down by at most 2^-31: 1 - u of
// gumbel_noise, a hair too small.
SLUICE_INLINE void complements(const noise_search& search, float* out) {
  philox_words state;
  const auto first = static_cast<std::uint32_t>(search.first / 4);
  for (int j = 0; j < noise_blocks; ++j) {
    state.word[0][j] = first + static_cast<std::uint32_t>(j);
    state.word[1][j] = search.key.position;
    state.word[2][j] = search.key.sequence;
    state.word[3][j] = 0;
  }
  philox_rounds(state, search.key.seed);
  for (int j = 0; j < noise_blocks; ++j) {
    for (int r = 0; r < 4; ++r) {
      const auto half = static_cast<std::int32_t>(~state.word[r][j] >> 1);
      out[4 * j + r] = static_cast<float>(half) * 0x1p-31f;
    }
  }
}

row_survey survey(const float* logits, std::int64_t count, float* largest_of) {
  survey_sums sums;
  vec top = set(-infinity);
  for (std::int64_t first = 0; first < count; first += logit_block) {
    vec most = set(-infinity);
    if (first + logit_block <= count) {
      for (std::int64_t i = 0; i < logit_block; i += lanes) {
        look_at(load(logits + first + i), most, sums);
      }
    } else {
      // The padding must not look like an infinite logit.
      for (std::int64_t i = first; i < count; ++i) {
        look_at(set(logits[i]), most, sums);
      }
    }
    largest_of[first / logit_block] = largest(most);
    top = SLUICE_ISA::max(most, top);
  }
  const float unordered = sum(sums.unordered);
  const bool ordered = unordered == 0;
  const float smallest = -largest(sub(set(0), sums.smallest));
  return {ordered && smallest >= lowest, ordered, largest(top)};
}

double mass(const surveyed_row& row) {
  wide sums{};
  const std::int64_t blocks = logit_blocks(row.vocabulary);
  for (std::int64_t b = 0; b < blocks; ++b) {
    if (static_cast<double>(row.scaled(row.largest[b])) < negligible) {
      continue;
    }
    const std::int64_t first = b * logit_block;
    const std::int64_t count = row.vocabulary - first;
    if (count >= logit_block) {
      for (std::int64_t i = 0; i < logit_block; i += lanes) {
        add_mass(row.logits + first + i, row, sums);
      }
    } else {
      const padded_block last(row.logits + first, count);
      for (std::int64_t i = 0; i < logit_block; i += lanes) {
        add_mass(last.logits + i, row, sums);
      }
    }
  }
  double total = 0;
  for (int i = 0; i < lanes; ++i) {
    total += sums[i];
  }
  return total;
}

// In f32: a scaled logit of -80, the last whose rounding matters, is off by
// 4 * 2^-24 * 80 at most.
double rough_mass(const surveyed_row& row, float limit) {
  const vec top = set(static_cast<float>(row.top));
  const vec scale = set(1.0f / row.temperature);
  const auto mass_of = [&](vec x) {
    const vec each = SLUICE_ISA::exp(mul(sub(x, top), scale));
    return sub(each, zero_below(x, set(limit), each));
  };
  double total = 0;
  for (std::int64_t first = 0; first < row.vocabulary; first += logit_block) {
    const std::int64_t count = row.vocabulary - first;
    vec sums = set(0);
    if (count >= logit_block) {
      for (std::int64_t i = 0; i < logit_block; i += lanes) {
        sums = add(sums, mass_of(load(row.logits + first + i)));
      }
    } else {
      const padded_block last(row.logits + first, count);
      for (std::int64_t i = 0; i < logit_block; i += lanes) {
        sums = add(sums, mass_of(load(last.logits + i)));
      }
    }
    total += static_cast<double>(sum(sums));
  }
  return total;
}

// A token cannot win if scaled + noise < best. With 1 - u as in gumbel_noise,
// noise <= -log(1 - u), so it cannot if 1 - u > exp(scaled - best). The margin
// covers the rounding of f32.
std::int64_t rivals(const surveyed_row& row, const noise_search& search,
                    std::int32_t* out) {
  constexpr float margin = 1.001f;
  float complement[noise_tokens];
  complements(search, complement);
  const vec top = set(static_cast<float>(row.top));
  const vec scale = set(1.0f / row.temperature);
  const vec best = set(static_cast<float>(search.best));
  std::int64_t found = 0;
  for (std::int64_t i = 0; i < search.count; i += lanes) {
    const std::int64_t left = search.count - i;
    const float* at = row.logits + search.first + i;
    const vec x =
        left >= lanes ? load(at) : load_some(at, static_cast<int>(left));
    const vec scaled = mul(sub(x, top), scale);
    const vec reach = mul(SLUICE_ISA::exp(sub(scaled, best)), set(margin));
    const vec spare = sub(reach, load(complement + i));
    if (largest(spare) < 0) {
      continue;
    }
    float lane[lanes];
    store(lane, spare);
    for (int l = 0; l < lanes && l < left; ++l) {
      out[found] = static_cast<std::int32_t>(search.first + i + l);
      found += lane[l] >= 0;
    }
  }
  return found;
}

} // namespace

sampled sample(const sample_args& args) {
  static constexpr row_passes passes{survey, mass, rough_mass, rivals};
  return sample_with(args, passes);
}

} // namespace sluice::SLUICE_ISA
