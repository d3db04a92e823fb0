// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <numeric>

#include "tools/bench/kernels/cases.hpp"
#include "tools/bench/kernels/float_buffer.hpp"

namespace sluice::bench {
namespace {

constexpr std::int64_t page_tokens = 16;

double float_bytes(std::int64_t elements) {
  return static_cast<double>(elements) * sizeof(float);
}

void norm_case(const kernels_under_test& under, const model_shape& shape,
               std::int64_t m, const take_case& take) {
  float_buffer x{m, shape.hidden, beyond_caches()};
  float_buffer out{m, shape.hidden};
  const std::vector<float> weight(static_cast<std::size_t>(shape.hidden), 1);
  take({.op = "rms_norm",
        .type = "f32",
        .shape = std::to_string(shape.hidden),
        .m = m,
        .bytes = float_bytes(m * shape.hidden),
        .run = [&] { call_rms_norm(under, x.next(), weight, out.next()); }});
}

void swiglu_case(const kernels_under_test& under, const model_shape& shape,
                 std::int64_t m, const take_case& take) {
  float_buffer both{m, 2 * shape.ffn, beyond_caches()};
  float_buffer out{m, shape.ffn};
  take({.op = "swiglu",
        .type = "f32",
        .shape = std::to_string(shape.ffn),
        .m = m,
        .bytes = float_bytes(2 * m * shape.ffn),
        .run = [&] {
          auto gate = both.next();
          gate.columns = shape.ffn;
          auto up = gate;
          up.data += shape.ffn;
          call_swiglu(under, gate, up, out.next());
        }});
}

void rope_case(const kernels_under_test& under, const model_shape& shape,
               std::int64_t m, const take_case& take) {
  const auto heads = shape.heads + 2 * shape.kv_heads;
  float_buffer qkv{m, heads * shape.head_dim, beyond_caches()};
  // Turns by 45 degrees: the values that are turned again and again stay.
  const std::vector<float> angles(static_cast<std::size_t>(m * shape.head_dim),
                                  std::sqrt(0.5f));
  const auto pages = (m + page_tokens - 1) / page_tokens;
  const auto half = static_cast<std::size_t>(pages * page_tokens) *
                    row_bytes(dtype::f16, shape.kv_heads * shape.head_dim);
  const mapping cache{2 * half, "benchmark cache"};
  std::vector<std::int64_t> slots(static_cast<std::size_t>(m));
  std::iota(slots.begin(), slots.end(), 0);
  const auto run = [&] {
    auto q = qkv.next();
    q.columns = shape.heads * shape.head_dim;
    auto k = q;
    k.data += q.columns;
    k.columns = shape.kv_heads * shape.head_dim;
    auto v = k;
    v.data += k.columns;
    call_rope(under, {.q = q,
                      .k = k,
                      .v = v,
                      .cos_sin = angles,
                      .rotary_dim = shape.head_dim,
                      .slots = slots,
                      .cache = {.k = cache.data(),
                                .v = cache.data() + half,
                                .type = dtype::f16,
                                .pages = pages,
                                .kv_heads = shape.kv_heads,
                                .page_tokens = page_tokens,
                                .head_dim = shape.head_dim}});
  };
  take({.op = "rope_store_kv",
        .type = "f16",
        .shape = std::to_string(heads) + "x" + std::to_string(shape.head_dim),
        .m = m,
        .bytes = float_bytes(m * heads * shape.head_dim),
        .run = run});
}

} // namespace

void norm_cases(const kernels_under_test& under, const case_choice& choice,
                const take_case& take) {
  for (const auto m : choice.rows)
    norm_case(under, choice.shape, m, take);
}

void swiglu_cases(const kernels_under_test& under, const case_choice& choice,
                  const take_case& take) {
  for (const auto m : choice.rows)
    swiglu_case(under, choice.shape, m, take);
}

void rope_cases(const kernels_under_test& under, const case_choice& choice,
                const take_case& take) {
  for (const auto m : choice.rows)
    rope_case(under, choice.shape, m, take);
}

} // namespace sluice::bench
