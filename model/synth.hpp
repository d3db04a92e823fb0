// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/tensor.hpp"
#include "model/weights.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// What to invent.
struct synth_options {
  std::string shape; ///< one of synth_shapes()
  dtype type = dtype::q4_0;
  std::uint64_t seed = 0;
  std::uint32_t context = 0; ///< positions; 0: the shape's own
  progress_fn progress;
};

/// Names of the shapes: llama-160m, llama-1b, llama-8b, mixtral-small.
std::vector<std::string_view> synth_shapes();

/// Writes a GGUF file with random weights of a known shape and a usable
/// SentencePiece vocabulary of 32,000 pieces, for benchmarks. The same options
/// give the same bytes. Weights have mean 0 and variance 1 / columns, so that
/// activations and logits stay near unit size.
/// @throws model_error: unsupported for an unknown shape (the text lists them)
///         or type, io if the file cannot be written.
void synth(const synth_options& options, const std::filesystem::path& path);

/// Pieces of the invented vocabulary, in id order.
struct synth_vocabulary {
  std::vector<std::string> pieces;
  std::vector<float> scores;
  std::vector<std::int32_t> types; ///< 1 normal, 2 unknown, 3 control, 6 byte
};

/// <unk>, <s>, </s>, 256 byte tokens, then characters, words and their
/// prefixes, letter pairs and triples, in order of falling score.
/// @param size  at least 1,000.
synth_vocabulary make_synth_vocabulary(std::uint32_t size);

} // namespace sluice
