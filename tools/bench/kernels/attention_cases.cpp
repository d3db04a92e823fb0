// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>

#include "tools/bench/kernels/cases.hpp"
#include "tools/bench/kernels/float_buffer.hpp"

namespace sluice::bench {
namespace {

constexpr std::int64_t page_tokens = 16;
constexpr std::int64_t prompt_tokens = 512;
constexpr std::int64_t contexts[] = {1'024, 4'096, 16'384};

/// Caches of many layers that hold one sequence each, and a call on them.
class attention_bench {
public:
  /// Rows of the last `rows` positions of `context`.
  attention_bench(const kernels_under_test& under, const model_shape& shape,
                  dtype type, std::int64_t context, std::int64_t rows)
      : under_{under}, heads_{shape.heads}, pages_(pages_for(context)),
        sequences_(static_cast<std::size_t>(rows), 0),
        positions_(static_cast<std::size_t>(rows)),
        q_{rows, shape.heads * shape.head_dim}, out_{rows, shape.heads *
                                                               shape.head_dim} {
    std::iota(pages_.begin(), pages_.end(), 0u);
    std::iota(positions_.begin(), positions_.end(),
              static_cast<std::int32_t>(context - rows));
    kv_view one{.type = type,
                .pages = static_cast<std::int64_t>(pages_.size()),
                .kv_heads = shape.kv_heads,
                .page_tokens = page_tokens,
                .head_dim = shape.head_dim};
    fill(one);
    workspace_ =
        mapping{attention_workspace_bytes(next_call()), "benchmark workspace"};
  }

  void run() {
    auto call = next_call();
    call.workspace = {workspace_.data(), workspace_.bytes()};
    call_attention(under_, call);
  }

  double cache_bytes() const { return static_cast<double>(cache_bytes_); }

private:
  static std::size_t pages_for(std::int64_t tokens) {
    return static_cast<std::size_t>((tokens + page_tokens - 1) / page_tokens);
  }

  attention_call next_call() {
    return {.q = q_.next(),
            .cache = caches_[next_++ % caches_.size()],
            .pages = pages_,
            .row_sequences = sequences_,
            .positions = positions_,
            .heads = heads_,
            .out = out_.next(),
            .workspace = {}};
  }

  /// K and V are the same random rows in every cache.
  void fill(kv_view one) {
    const auto heads =
        static_cast<std::size_t>(one.pages * page_tokens * one.kv_heads);
    const auto half = heads * row_bytes(one.type, one.head_dim);
    const auto scales = is_scaled(one.type) ? heads * sizeof(float) : 0;
    cache_bytes_ = 2 * (half + scales);
    const auto count =
        std::max<std::uint64_t>(2, beyond_caches() / cache_bytes_);
    memory_ = mapping{count * cache_bytes_, "benchmark cache"};
    for (std::size_t i = 0; i < count; ++i) {
      one.k = memory_.data() + i * cache_bytes_;
      one.v = one.k + half;
      if (scales > 0) {
        one.k_scales = reinterpret_cast<float*>(one.v + half);
        one.v_scales = one.k_scales + heads;
      }
      caches_.push_back(one);
    }
    store_rows(caches_.front());
    under_.pool.parallel_for(
        static_cast<std::int64_t>(count) - 1, [&](std::int64_t i) {
          std::memcpy(caches_[static_cast<std::size_t>(i) + 1].k,
                      memory_.data(), cache_bytes_);
        });
  }

  void store_rows(const kv_view& cache) const {
    float_buffer values{page_tokens * cache.pages,
                        cache.kv_heads * cache.head_dim};
    const auto row = values.next();
    std::vector<std::int64_t> slots(static_cast<std::size_t>(row.rows));
    std::iota(slots.begin(), slots.end(), 0);
    call_rope(under_, {.q = row,
                       .k = row,
                       .v = row,
                       .cos_sin = {},
                       .slots = slots,
                       .cache = cache});
  }

  const kernels_under_test& under_;
  std::int64_t heads_;
  std::vector<std::uint32_t> pages_;
  std::vector<std::int32_t> sequences_;
  std::vector<std::int32_t> positions_;
  float_buffer q_;
  float_buffer out_;
  std::size_t cache_bytes_ = 0;
  mapping memory_;
  mapping workspace_;
  std::vector<kv_view> caches_;
  std::size_t next_ = 0;
};

/// Products of q with K, and of the weights with V, below the diagonal.
double operations_of(const model_shape& shape, std::int64_t context,
                     std::int64_t rows) {
  const auto pairs =
      static_cast<double>(rows) *
      (static_cast<double>(context) - static_cast<double>(rows - 1) / 2);
  return 4 * pairs * static_cast<double>(shape.heads * shape.head_dim);
}

op_case case_of(attention_bench& bench, const model_shape& shape, dtype type,
                std::int64_t context, std::int64_t rows) {
  return {.op = "paged_attention",
          .type = std::string{name(type)},
          .shape = rows == 1 ? "context " + std::to_string(context) : "prompt",
          .m = rows,
          .bytes = bench.cache_bytes(),
          .operations = operations_of(shape, context, rows),
          .peak = peak_kind::f32,
          .run = [&bench] { bench.run(); }};
}

} // namespace

void attention_cases(const kernels_under_test& under, const case_choice& choice,
                     dtype cache_type, const take_case& take) {
  const auto measure = [&](std::int64_t context, std::int64_t rows) {
    attention_bench bench{under, choice.shape, cache_type, context, rows};
    take(case_of(bench, choice.shape, cache_type, context, rows));
  };
  measure(prompt_tokens, prompt_tokens);
  for (const auto context : contexts)
    measure(context, 1);
}

} // namespace sluice::bench
