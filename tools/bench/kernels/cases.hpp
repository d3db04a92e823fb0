// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/bench/kernels/model_shape.hpp"
#include "tools/bench/kernels/op_calls.hpp"
#include "tools/bench/kernels/op_case.hpp"

namespace sluice::bench {

/// Which cases to measure.
struct case_choice {
  model_shape shape = model_shapes[0];
  std::vector<std::int64_t> rows; // M of matmul and of the row-wise ops
  bool each_matrix = false;       // matmul: also q|k|v, o, gate|up, down apart
};

/// Takes each case as soon as its data is ready; the data lives as long as
/// the call, so that cases need not fit into memory together.
using take_case = std::function<void(const op_case&)>;

// Each makes the cases of one op. They throw contract_violation for a type
// that the path cannot compute with, memory_error.

void matmul_cases(const kernels_under_test& under, const case_choice& choice,
                  dtype type, const take_case& take);

/// Prompt of 512 tokens, and decodes of one token at contexts of 1k, 4k, 16k.
void attention_cases(const kernels_under_test& under, const case_choice& choice,
                     dtype cache_type, const take_case& take);

void norm_cases(const kernels_under_test& under, const case_choice& choice,
                const take_case& take);
void swiglu_cases(const kernels_under_test& under, const case_choice& choice,
                  const take_case& take);
void rope_cases(const kernels_under_test& under, const case_choice& choice,
                const take_case& take);

/// 32 rows of 32,000 and of 128,256 logits; the largest, and top-p.
void sample_cases(const kernels_under_test& under, const take_case& take);

/// Bytes of data that no cache holds.
std::uint64_t beyond_caches();

} // namespace sluice::bench
