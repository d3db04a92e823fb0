// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/attention.hpp"
#include "tests/kernels/cuda/device_array.hpp"
#include "tests/kernels/kv_fixture.hpp"

#include <vector>

namespace sluice::test {

/// How a call of cuda::paged_attention is made.
struct attention_call {
  enum class kernels { decode, planned, prompt };
  kernels use = kernels::planned; // prompt: every row is in a tile
  dtype out = dtype::bf16;
  std::vector<float> slopes = {}; // ALiBi
  std::int64_t longest = 0;       // 0: as the rows need
  bool little_workspace = false;  // room for one single row
};

/// Attention on the device over what a kv_fixture holds, and by the oracle with
/// the very same queries.
class attention_fixture {
public:
  using row = kv_fixture::row;

  attention_fixture(const attention_shape& shape, dtype type,
                    std::int64_t page_tokens,
                    std::vector<std::int64_t> lengths);

  /// [rows, heads * head_dim], widened from `call.out`; rows at a position
  /// below 0 are NaN.
  std::vector<float> attend(const std::vector<row>& rows,
                            const attention_call& call = {});
  /// The bytes of the result (of i8: elements and then scales).
  std::vector<std::byte> bytes(const std::vector<row>& rows,
                               const attention_call& call = {});
  std::vector<float> expected(const std::vector<row>& rows);

  std::int64_t width() const {
    return shape_.kv_heads * shape_.group * shape_.head_dim;
  }
  kv_fixture& kv() { return kv_; }

private:
  std::vector<std::uint16_t> queries(const std::vector<row>& rows) const;
  std::vector<std::uint32_t> tables() const;
  std::size_t stride() const;
  dtype query_type() const {
    return type_ == dtype::bf16 ? dtype::bf16 : dtype::f16;
  }

  attention_shape shape_;
  dtype type_;
  kv_fixture kv_;
};

} // namespace sluice::test
