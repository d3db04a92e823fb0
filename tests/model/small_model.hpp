// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/checkpoint.hpp"
#include "model/gguf_writer.hpp"
#include "tests/support/temporary_directory.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sluice::test {

/// A complete GGUF llama of a few hundred numbers, to be spoiled in places.
struct small_model {
  std::map<std::string, std::uint32_t> numbers{
      {"llama.block_count", 1},          {"llama.context_length", 64},
      {"llama.embedding_length", 32},    {"llama.feed_forward_length", 64},
      {"llama.attention.head_count", 4}, {"llama.attention.head_count_kv", 2},
      {"llama.vocab_size", 10},          {"tokenizer.ggml.bos_token_id", 1},
      {"tokenizer.ggml.eos_token_id", 2}};
  std::map<std::string, float> fractions{
      {"llama.attention.layer_norm_rms_epsilon", 1e-5f}};
  std::map<std::string, std::string> texts{{"general.architecture", "llama"}};
  std::map<std::string, std::vector<std::uint64_t>> shapes{
      {"token_embd.weight", {10, 32}},
      {"output.weight", {10, 32}},
      {"output_norm.weight", {32}},
      {"blk.0.attn_norm.weight", {32}},
      {"blk.0.attn_q.weight", {32, 32}},
      {"blk.0.attn_k.weight", {16, 32}},
      {"blk.0.attn_v.weight", {16, 32}},
      {"blk.0.ffn_norm.weight", {32}},
      {"blk.0.attn_output.weight", {32, 32}},
      {"blk.0.ffn_gate.weight", {64, 32}},
      {"blk.0.ffn_up.weight", {64, 32}},
      {"blk.0.ffn_down.weight", {32, 64}}};
  std::vector<std::string> tokens;    ///< of the vocabulary, if not empty
  dtype type = dtype::f32;            ///< of every tensor but
  std::map<std::string, dtype> types; ///< these

  /// Turns a matrix into I8 and gives it scales, one for each of its rows.
  void make_w8a8(const std::string& name) {
    types[name] = dtype::i8;
    types[name + "_scale"] = dtype::f32;
    shapes[name + "_scale"] = {shapes.at(name)[0]};
  }

  /// Element i of a tensor is i / 100, in f32 before encoding; of an I8 tensor
  /// it is i % 200 - 100.
  checkpoint open() const {
    const auto path = folder_.path() / "small.gguf";
    write(path);
    return checkpoint::open(path);
  }
  void write(const std::filesystem::path& path) const;
  dtype type_of(const std::string& name) const {
    const auto found = types.find(name);
    return found == types.end() ? type : found->second;
  }

private:
  temporary_directory folder_;
};

} // namespace sluice::test
