// SPDX-License-Identifier: Apache-2.0
#include "kernels/reference/row_output.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::reference {

namespace {

constexpr std::size_t group = integer_input::group;

float largest_magnitude(std::span<const float> x) {
  float found = 0;
  for (const float value : x) {
    if (!std::isfinite(value)) {
      return std::numeric_limits<float>::quiet_NaN();
    }
    found = std::fmax(found, std::fabs(value));
  }
  return found;
}

void quantize_group(std::span<const float> x, std::int8_t* values,
                    float& scale) {
  const float largest = largest_magnitude(x);
  scale = largest / 127.0f;
  std::fill_n(values, group, std::int8_t{0});
  if (largest > 1e-30f) {
    for (const float value : x) {
      *values++ =
          static_cast<std::int8_t>(std::nearbyint(value * (127.0f / largest)));
    }
  }
}

// Minus the sums of every `length` values of a group.
template <class Sum>
void negative_sums(const std::int8_t* values, std::size_t length, Sum* sums) {
  for (std::size_t i = 0; i < group; ++i) {
    sums[i / length] =
        static_cast<Sum>((i % length == 0 ? 0 : sums[i / length]) - values[i]);
  }
}

} // namespace

void quantize_row(std::span<const float> x, std::int64_t row,
                  const integer_input& to) {
  for (std::int64_t g = 0; g < to.groups; ++g) {
    const std::int64_t at = g * to.rows + row;
    const auto left = x.subspan(static_cast<std::size_t>(g) * group);
    std::int8_t* values = to.values + at * integer_input::group;
    quantize_group(left.first(std::min(left.size(), group)), values,
                   to.scales[at]);
    negative_sums(values, 16, to.sums16 + at * 16);
    negative_sums(values, 32, to.sums32 + at * 8);
    negative_sums(values, 32, to.short32 + at * 8);
    negative_sums(values, group, to.sums + at);
  }
}

} // namespace sluice::reference
