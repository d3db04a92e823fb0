// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/loaded_model.hpp"

#include <cstdint>
#include <memory>

namespace sluice::test {

/// What varies between the small random models of these tests.
struct tiny_options {
  dtype type = dtype::f32;
  std::uint32_t sliding_window = 0;
  bool attention_bias = false;
  std::uint32_t vocab = 100;
  std::uint64_t seed = 1;
  std::uint32_t head_dim = 16;
};

/// Two layers, hidden 64, four heads on two, context 128, with weights large
/// enough that every choice matters. No tokenizer.
std::shared_ptr<const loaded_model> tiny_model(const tiny_options& options);

/// The same with a NaN in the embedding of one token.
std::shared_ptr<const loaded_model> poisoned_model(std::int32_t token);

} // namespace sluice::test
