// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/kernels/fixtures.hpp"

namespace sluice::test {

struct attention_shape {
  std::int64_t kv_heads;
  std::int64_t group; // query heads per kv head
  std::int64_t head_dim;
  std::int64_t window; // 0: none
};

/// A cache that holds several sequences of random keys and values in
/// scattered pages, and the queries of all their positions. The content
/// depends on the shape and the lengths, not on the page size or the order.
class kv_fixture {
public:
  kv_fixture(const attention_shape& shape, dtype type, std::int64_t page_tokens,
             std::vector<std::int64_t> lengths);

  /// One row of a call: a position of a sequence.
  struct row {
    std::int32_t sequence;
    std::int32_t position;
  };

  /// Whether the call gets a workspace, so that threads share spans.
  enum class workspace { given, none };

  /// Attention of these rows in one call: [rows, heads * head_dim].
  std::vector<float> attend(const op_table& ops, int threads,
                            const std::vector<row>& rows,
                            workspace = workspace::given);

  /// Positions [first, end) of a sequence as rows.
  static std::vector<row> range(std::int32_t sequence, std::int32_t first,
                                std::int32_t end);

  kv_view cache();

  /// Where a position lies: page * page_tokens + offset.
  std::int64_t slot(std::size_t sequence, std::int64_t position) const;
  const std::vector<page_list>& sequences() const { return lists_; }

private:
  void fill(std::int32_t sequence, std::int64_t length);

  attention_shape shape_;
  dtype type_;
  std::int64_t page_tokens_;
  std::int64_t pages_ = 0;
  std::vector<std::vector<std::uint32_t>> tables_;
  std::vector<page_list> lists_;
  std::vector<std::byte> k_;
  std::vector<std::byte> v_;
  std::vector<float> k_scales_;
  std::vector<float> v_scales_;
};

} // namespace sluice::test
