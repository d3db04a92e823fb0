// SPDX-License-Identifier: Apache-2.0
#include "kernels/formats/fit.hpp"

#include "kernels/formats/block_codec.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace sluice::formats {

namespace {

// Independent partial sums, so that the loops become vector code as written.
constexpr std::size_t lanes = 8;

// Far below the smallest half, and its inverse and square are finite in f32.
constexpr float negligible = 1e-15f;

double total(const float (&part)[lanes]) {
  double sum = 0;
  for (const float value : part)
    sum += value;
  return sum;
}

/// Weighted sums over a part for quants that a candidate chose.
struct quant_sums {
  double q = 0;  ///< sum w q
  double qq = 0; ///< sum w q^2
  double xq = 0; ///< sum w x q
};

template <class Quant>
quant_sums sum_quants(std::span<const float> x, std::span<const float> w,
                      Quant quant) {
  float q_sum[lanes] = {}, qq_sum[lanes] = {}, xq_sum[lanes] = {};
  for (std::size_t i = 0; i < x.size(); i += lanes)
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const float q = quant(x[i + lane]);
      const float wq = w[i + lane] * q;
      q_sum[lane] += wq;
      qq_sum[lane] += wq * q;
      xq_sum[lane] += wq * x[i + lane];
    }
  return {total(q_sum), total(qq_sum), total(xq_sum)};
}

float clamp(float value, float low, float high) {
  value = value < low ? low : value;
  return value > high ? high : value;
}

// The element of largest magnitude, with its sign; the first of equals.
float extreme(std::span<const float> x) {
  float found = 0;
  for (const float value : x)
    found = std::fabs(value) > std::fabs(found) ? value : found;
  return found;
}

/// Keeps the scale that explains most of sum w x^2: (sum w x q)^2 / sum w q^2.
struct best_scale {
  double explained = 0;
  float scale = 0;

  void offer(const quant_sums& sums) {
    if (sums.qq <= 0 || sums.xq * sums.xq <= explained * sums.qq)
      return;
    explained = sums.xq * sums.xq / sums.qq;
    scale = static_cast<float>(sums.xq / sums.qq);
  }
};

} // namespace

affine_fit fit_affine(std::span<const float> x, std::span<const float> weights,
                      int levels) {
  const auto [lowest, highest] = std::minmax_element(x.begin(), x.end());
  const float low = std::min(*lowest, 0.0f), range = *highest - low;
  if (range < negligible)
    return {0, -low};
  double w = 0, wx = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    w += weights[i];
    wx += double{weights[i]} * x[i];
  }
  const auto top = static_cast<float>(levels);
  affine_fit best{range / top, -low};
  double best_error = 0;
  for (int step = -10; step <= 10; ++step) {
    const float inverse = (top + 0.1f * static_cast<float>(step)) / range;
    const auto s = sum_quants(x, weights, [=](float value) {
      return clamp(nearest(inverse * (value - low)), 0, top);
    });
    const double divisor = w * s.qq - s.q * s.q;
    if (divisor <= 0)
      continue;
    double scale = (w * s.xq - wx * s.q) / divisor;
    double base = (s.qq * wx - s.q * s.xq) / divisor;
    if (base > 0) {
      base = 0;
      scale = s.xq / s.qq;
    }
    // The weighted squared error, less sum w x^2.
    const double error = scale * (scale * s.qq + 2 * (base * s.q - s.xq)) +
                         base * (base * w - 2 * wx);
    if (scale > 0 && error < best_error) {
      best_error = error;
      best = {static_cast<float>(scale), static_cast<float>(-base)};
    }
  }
  return best;
}

float fit_symmetric(std::span<const float> x, std::span<const float> weights,
                    int levels) {
  const float most = extreme(x);
  if (std::fabs(most) < negligible)
    return 0;
  const auto top = static_cast<float>(levels);
  best_scale best;
  for (int step = -9; step <= 9; ++step) {
    const float inverse = -(top + 0.1f * static_cast<float>(step)) / most;
    best.offer(sum_quants(x, weights, [=](float value) {
      return clamp(nearest(inverse * value), -top, top - 1);
    }));
  }
  return best.scale;
}

int nearest_entry(float value) {
  int index = 0;
  for (int i = 0; i < 15; ++i)
    index += 2 * value > static_cast<float>(iq4_values[i] + iq4_values[i + 1]);
  return index;
}

float fit_table(std::span<const float> x, std::span<const float> weights) {
  const float most = extreme(x);
  if (std::fabs(most) < negligible)
    return 0;
  best_scale best;
  for (const int end : {iq4_values[0], iq4_values[15]})
    for (int step = -7; step <= 7; ++step) {
      const float inverse = static_cast<float>(end + step) / most;
      best.offer(sum_quants(x, weights, [=](float value) {
        return static_cast<float>(iq4_values[nearest_entry(inverse * value)]);
      }));
    }
  return best.scale;
}

} // namespace sluice::formats
