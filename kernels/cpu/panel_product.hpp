// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/contracts.hpp"
#include "kernels/cpu/panel_group.hpp"

// The products of one group of 256 k. Every output is summed in this order,
// whatever the tile:
// - the products below one scale of the weights (16, 32 or 256 k) in integers;
// - those sums as floats times their scales, one after the other, with fused
//   multiply-adds from 0 on; a float min times the sum of x after its block;
// - K types: that times the super-block's scale, onto the mins' part, which is
//   an integer sum times the scale of the mins;
// - the group's sum times the scale of x onto the total, group after group;
// - at the end the row's scale, if the type has one, then the bias.

namespace sluice::SLUICE_ISA {

/// One group of `Columns` neighbouring rows of x.
struct group_input {
  const std::int8_t* values;   // [columns, 256]
  const float* scales;         // [columns]
  const std::int32_t* sums16;  // [columns, 16], negated like all sums
  const std::int32_t* sums32;  // [columns, 8]
  const std::int16_t* short32; // [columns, 8]
  const std::int32_t* sums;    // [columns]

  SLUICE_INLINE bytes four(int column, int j) const {
    return broadcast_four(values + column * group_columns + 4 * j);
  }
};

SLUICE_INLINE group_input input_at(const integer_input& x, std::int64_t group,
                                   std::int64_t column) {
  const std::int64_t at = group * x.rows + column;
  return {x.values + at * group_columns,
          x.scales + at,
          x.sums16 + at * 16,
          x.sums32 + at * 8,
          x.short32 + at * 8,
          x.sums + at};
}

template <panel_format Format, bool Unpacked, int Panels, int Columns>
struct group_product {
  const panel_group<Format, Unpacked>* panels; // [Panels]
  group_input x;
  int blocks;
  float* totals; // [Columns, stride, panel_rows], of which Panels are ours
  int stride;    // in panels

  using integer_sums = ints[Columns][Panels];

  // What integer sums start with: -zero * sum of x.
  SLUICE_INLINE static ints start(std::int32_t negative_sum) {
    const ints sum = broadcast(negative_sum);
    return is_wide(Format) ? wide_start(sum)
                           : times_power_of_two(sum, Format.zero_exponent);
  }

  SLUICE_INLINE static void begin(integer_sums& sums, const std::int32_t* of_x,
                                  int stride) {
#pragma GCC unroll 16
    for (int c = 0; c < Columns; ++c) {
      const ints first =
          Format.zero_exponent < 0 ? broadcast(0) : start(of_x[c * stride]);
#pragma GCC unroll 2
      for (int p = 0; p < Panels; ++p) {
        sums[c][p] = first;
      }
    }
  }

  // Adds the products of four k's number j of the group to all sums: what
  // `add_products(sum, codes, x)` makes of them.
  template <class Sums, class Add>
  SLUICE_INLINE void multiply(int j, Sums& sums, Add add_products) const {
    if (Panels == 1 && j % 8 == 0) {
      panels[0].fetch(j / 8);
    }
    bytes codes[Panels];
#pragma GCC unroll 2
    for (int p = 0; p < Panels; ++p) {
      codes[p] = panels[p].line(j / 8, j % 8);
    }
#pragma GCC unroll 16
    for (int c = 0; c < Columns; ++c) {
      const bytes four = x.four(c, j);
#pragma GCC unroll 2
      for (int p = 0; p < Panels; ++p) {
        sums[c][p] = add_products(sums[c][p], codes[p], four);
      }
    }
  }

  // Adds `Count` fours from number j on, as many as fit in narrow sums first.
  template <int Count>
  SLUICE_INLINE void multiply_all(int j, integer_sums& sums) const {
    constexpr int fit =
        is_wide(Format) ? 0 : lines_in_shorts(largest_code(Format));
    constexpr int step = fit < 2 ? 1 : (fit < Count ? fit : Count);
    static_assert(Count % step == 0);
    if constexpr (step == 1) {
#pragma GCC unroll 8
      for (int i = 0; i < Count; ++i) {
        multiply(j + i, sums, [](ints sum, bytes codes, bytes four) {
          return is_wide(Format) ? dot_wide(sum, codes, four)
                                 : dot(sum, codes, four);
        });
      }
    } else {
#pragma GCC unroll 4
      for (int first = 0; first < Count; first += step) {
        shorts parts[Columns][Panels];
        each([&](int c, int p) { parts[c][p] = shorts{}; });
#pragma GCC unroll 8
        for (int i = 0; i < step; ++i) {
          multiply(j + first + i, parts,
                   [](shorts sum, bytes codes, bytes four) {
                     return add_line(sum, codes, four);
                   });
        }
        each(
            [&](int c, int p) { sums[c][p] = widen(sums[c][p], parts[c][p]); });
      }
    }
  }

  template <class Each>
  SLUICE_INLINE static void each(Each use) {
#pragma GCC unroll 16
    for (int c = 0; c < Columns; ++c) {
#pragma GCC unroll 2
      for (int p = 0; p < Panels; ++p) {
        use(c, p);
      }
    }
  }

  // Adds the group's sum to the total.
  SLUICE_INLINE void finish(int c, int p, vec sum) const {
    float* total = totals + (c * stride + p) * panel_rows;
    store(total, fma(sum, set(x.scales[c]), load(total)));
  }

  // Scales of floats per 32 k.
  SLUICE_INLINE void add_blocks() const {
    vec parts[Columns][Panels];
    each([&](int c, int p) { parts[c][p] = set(0); });
    for (int b = 0; b < blocks; ++b) {
      integer_sums sums;
      begin(sums, x.sums32 + b, 8);
      multiply_all<8>(b * 8, sums);
      vec scales[Panels];
#pragma GCC unroll 2
      for (int p = 0; p < Panels; ++p) {
        scales[p] = panels[p].scale(b);
      }
      each([&](int c, int p) {
        parts[c][p] = fma(to_float(sums[c][p]), scales[p], parts[c][p]);
      });
      if constexpr (Format.scales == scale_kind::f16_and_min_per_32) {
        each([&](int c, int p) {
          const vec sum = to_float(broadcast(-x.sums32[c * 8 + b]));
          parts[c][p] = fma(panels[p].min(b), sum, parts[c][p]);
        });
      }
    }
    each([&](int c, int p) { finish(c, p, parts[c][p]); });
  }

  static constexpr bool subs_of_16 =
      Format.scales == scale_kind::super_16 ||
      Format.scales == scale_kind::super_16_and_min;
  static constexpr bool has_mins =
      Format.scales == scale_kind::super_32_and_min ||
      Format.scales == scale_kind::super_16_and_min;

  // The sum of mins times the sums of x, from the negated ones.
  SLUICE_INLINE ints negative_mins(int c, int p) const {
    ints sum = broadcast(0);
    if constexpr (subs_of_16) {
      for (int s = 0; s < 16; ++s) {
        sum = add(sum,
                  mul(panels[p].sub_min(s), broadcast(x.sums16[c * 16 + s])));
      }
    } else {
#pragma GCC unroll 4
      for (int pair = 0; pair < 4; ++pair) {
        sum = dot_pairs(sum, panels[p].min_pair(pair),
                        broadcast_two(x.short32 + c * 8 + 2 * pair));
      }
    }
    return sum;
  }

  // The part of the group below one integer scale.
  template <int Fours>
  SLUICE_INLINE void add_sub(int sub, vec (&parts)[Columns][Panels]) const {
    integer_sums sums;
    begin(sums, (subs_of_16 ? x.sums16 : x.sums32) + sub, 64 / Fours);
    multiply_all<Fours>(sub * Fours, sums);
    vec scales[Panels];
#pragma GCC unroll 2
    for (int p = 0; p < Panels; ++p) {
      scales[p] = to_float(panels[p].sub_scale(sub));
    }
    each([&](int c, int p) {
      parts[c][p] = fma(to_float(sums[c][p]), scales[p], parts[c][p]);
    });
  }

  // Integer scales of 16 or 32 k below one float for all 256.
  SLUICE_INLINE void add_super() const {
    vec parts[Columns][Panels];
    each([&](int c, int p) { parts[c][p] = set(0); });
    for (int b = 0; b < group_blocks; ++b) {
      if constexpr (subs_of_16) {
        add_sub<4>(2 * b, parts);
        add_sub<4>(2 * b + 1, parts);
      } else {
        add_sub<8>(b, parts);
      }
    }
    each([&](int c, int p) {
      const vec scale = panels[p].super_scale();
      if constexpr (has_mins) {
        const vec mins =
            mul(to_float(negative_mins(c, p)), panels[p].super_min());
        finish(c, p, fma(parts[c][p], scale, mins));
      } else {
        finish(c, p, mul(parts[c][p], scale));
      }
    });
  }

  // One scale for the whole row.
  SLUICE_INLINE void add_plain() const {
    integer_sums sums;
    begin(sums, x.sums, 1);
    for (int b = 0; b < blocks; ++b) {
      multiply_all<8>(b * 8, sums);
    }
    each([&](int c, int p) { finish(c, p, to_float(sums[c][p])); });
  }

  SLUICE_INLINE void run() const {
    if (Panels == 1) {
      panels[0].fetch_scales();
    }
    if constexpr (Format.scales == scale_kind::row) {
      add_plain();
    } else if constexpr (Format.scales == scale_kind::f16_per_32 ||
                         Format.scales == scale_kind::f16_and_min_per_32 ||
                         Format.scales == scale_kind::e8m0_per_32) {
      add_blocks();
    } else {
      add_super();
    }
  }
};

} // namespace sluice::SLUICE_ISA
