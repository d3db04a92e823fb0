// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>

#include "kernels/convert.hpp"
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
    half_bytes_ = static_cast<std::size_t>(one.pages) * page_tokens *
                  row_bytes(type, shape.kv_heads * shape.head_dim);
    fill(one);
    workspace_ =
        mapping{attention_workspace_bytes(next_call()), "benchmark workspace"};
  }

  void run() {
    auto call = next_call();
    call.workspace = {workspace_.data(), workspace_.bytes()};
    call_attention(under_, call);
  }

  double cache_bytes() const { return 2 * static_cast<double>(half_bytes_); }

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
    const auto count =
        std::max<std::uint64_t>(2, beyond_caches() / (2 * half_bytes_));
    memory_ = mapping{count * 2 * half_bytes_, "benchmark cache"};
    fill_half(one, memory_.data());
    under_.pool.parallel_for(
        static_cast<std::int64_t>(2 * count) - 1, [&](std::int64_t i) {
          std::memcpy(memory_.data() +
                          static_cast<std::size_t>(i + 1) * half_bytes_,
                      memory_.data(), half_bytes_);
        });
    for (std::size_t i = 0; i < count; ++i) {
      one.k = memory_.data() + 2 * i * half_bytes_;
      one.v = one.k + half_bytes_;
      caches_.push_back(one);
    }
  }

  void fill_half(const kv_view& one, std::byte* at) const {
    const auto width = one.kv_heads * one.head_dim;
    float_buffer values{page_tokens * one.pages, width};
    const auto source = values.next();
    const auto bytes = row_bytes(one.type, width);
    for (std::int64_t i = 0; i < source.rows; ++i)
      quantize_row(one.type,
                   {source.data + i * width, static_cast<std::size_t>(width)},
                   at + static_cast<std::size_t>(i) * bytes);
  }

  const kernels_under_test& under_;
  std::int64_t heads_;
  std::vector<std::uint32_t> pages_;
  std::vector<std::int32_t> sequences_;
  std::vector<std::int32_t> positions_;
  float_buffer q_;
  float_buffer out_;
  std::size_t half_bytes_ = 0;
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
