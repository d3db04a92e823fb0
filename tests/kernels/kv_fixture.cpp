// SPDX-License-Identifier: Apache-2.0
#include "tests/kernels/kv_fixture.hpp"

#include <cmath>
#include <limits>

namespace sluice::test {

kv_fixture::kv_fixture(const attention_shape& shape, dtype type,
                       std::int64_t page_tokens,
                       std::vector<std::int64_t> lengths)
    : shape_(shape), type_(type), page_tokens_(page_tokens) {
  for (const std::int64_t length : lengths) {
    pages_ += (length + page_tokens - 1) / page_tokens;
  }
  // Pages are dealt from the last to the first and in turns, so that no
  // sequence lies in one piece.
  auto free = static_cast<std::uint32_t>(pages_);
  tables_.resize(lengths.size());
  for (bool dealt = true; dealt;) {
    dealt = false;
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      const auto held = static_cast<std::int64_t>(tables_[s].size());
      if (held * page_tokens < lengths[s]) {
        tables_[s].push_back(--free);
        dealt = true;
      }
    }
  }
  lists_.assign(tables_.begin(), tables_.end());
  const std::size_t bytes =
      row_bytes(type, pages_ * shape.kv_heads * page_tokens * shape.head_dim);
  // NaN wherever nothing is stored: a path that reads it is found out.
  k_.assign(bytes, std::byte{0xff});
  v_.assign(bytes, std::byte{0xff});
  const auto heads =
      static_cast<std::size_t>(pages_ * shape.kv_heads * page_tokens);
  k_scales_.assign(heads, std::numeric_limits<float>::quiet_NaN());
  v_scales_ = k_scales_;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    fill(static_cast<std::int32_t>(s), lengths[s]);
  }
}

kv_view kv_fixture::cache() {
  return {k_.data(),       v_.data(),        type_,
          pages_,          shape_.kv_heads,  page_tokens_,
          shape_.head_dim, k_scales_.data(), v_scales_.data()};
}

std::int64_t kv_fixture::slot(std::size_t sequence,
                              std::int64_t position) const {
  const auto page = static_cast<std::size_t>(position / page_tokens_);
  return tables_[sequence][page] * page_tokens_ + position % page_tokens_;
}

void kv_fixture::fill(std::int32_t sequence, std::int64_t length) {
  const auto seed = static_cast<std::uint32_t>(sequence) * 10;
  const std::int64_t width = shape_.kv_heads * shape_.head_dim;
  rows q(length, 0);
  rows k(length, width, seed + 1, 2);
  rows v(length, width, seed + 2);
  std::vector<std::int64_t> slots;
  for (std::int64_t p = 0; p < length; ++p) {
    slots.push_back(slot(static_cast<std::size_t>(sequence), p));
  }
  thread_pool pool(1);
  oracle().rope_store_kv({.q = q.view(),
                          .k = k.view(),
                          .v = v.view(),
                          .slots = slots,
                          .cache = cache()},
                         pool);
}

std::vector<kv_fixture::row>
kv_fixture::range(std::int32_t sequence, std::int32_t first, std::int32_t end) {
  std::vector<row> found;
  for (std::int32_t p = first; p < end; ++p) {
    found.push_back({sequence, p});
  }
  return found;
}

std::vector<float> kv_fixture::attend(const op_table& ops, int threads,
                                      const std::vector<row>& wanted,
                                      workspace lent) {
  const std::int64_t heads = shape_.kv_heads * shape_.group;
  const std::int64_t width = heads * shape_.head_dim;
  std::vector<std::int32_t> sequences;
  std::vector<std::int32_t> positions;
  rows q(0, width);
  for (const row& r : wanted) {
    sequences.push_back(r.sequence);
    positions.push_back(r.position);
    const auto seed =
        static_cast<std::uint32_t>(r.sequence * 100000 + r.position + 7);
    const auto values = random_floats(width, seed, 2);
    q.values.insert(q.values.end(), values.begin(), values.end());
  }
  q.height = static_cast<std::int64_t>(wanted.size());
  rows out(q.height, width);
  scratch memory(lent == workspace::given
                     ? paged_attention_workspace_bytes(heads, shape_.head_dim)
                     : 0);
  thread_pool pool(threads);
  ops.paged_attention(
      {.q = q.view(),
       .cache = cache(),
       .sequences = lists_,
       .row_sequences = sequences,
       .positions = positions,
       .heads = heads,
       .scale = 1 / std::sqrt(static_cast<float>(shape_.head_dim)),
       .window = shape_.window,
       .out = out.view(),
       .workspace = memory.span()},
      pool);
  return out.values;
}

} // namespace sluice::test
