// SPDX-License-Identifier: Apache-2.0
#include "model/synth.hpp"

#include "model/gguf_writer.hpp"
#include "model/random_weights.hpp"
#include "model/synth_shapes.hpp"
#include "model/weight_names.hpp"

#include <algorithm>
#include <cmath>

namespace sluice {

namespace {

/// Declares tensors while remembering how to fill them, then fills them.
class synthesizer {
public:
  synthesizer(const synth_options& options, const std::filesystem::path& path)
      : shape_(find_synth_shape(options.shape)), options_(options),
        writer_(path) {}

  void run() {
    add_keys();
    add_vocabulary();
    declare_tensors();
    for (const auto& tensor : tensors_)
      fill(tensor);
    writer_.finish();
  }

private:
  struct tensor {
    dtype type;
    std::uint64_t bytes;
    float deviation; ///< 0: all elements are `constant`
    float constant = 1;
  };

  void add_keys();
  void add_vocabulary();
  void declare_tensors();
  void declare_layer(std::uint32_t layer);
  void matrix(const std::string& name, std::uint64_t rows,
              std::uint64_t columns);
  void experts(const std::string& name, std::uint64_t rows,
               std::uint64_t columns);
  void ones(const std::string& name, std::uint64_t columns);
  void add(const std::string& name, dtype type,
           std::span<const std::uint64_t> shape, float deviation,
           float constant = 1);
  void add_weight(const std::string& name, std::uint64_t rows,
                  std::uint64_t columns, float deviation);
  void fill(const tensor& tensor);

  const synth_shape& shape_;
  const synth_options& options_;
  gguf_writer writer_;
  std::vector<tensor> tensors_;
  std::uint64_t done_bytes_ = 0;
};

void synthesizer::add_keys() {
  writer_.add_text("general.architecture", "llama");
  writer_.add_text("general.name", shape_.name);
  writer_.add_u32("llama.block_count", shape_.layers);
  writer_.add_u32("llama.context_length",
                  options_.context > 0 ? options_.context : shape_.context);
  writer_.add_u32("llama.embedding_length", shape_.hidden);
  writer_.add_u32("llama.feed_forward_length", shape_.ffn);
  writer_.add_u32("llama.attention.head_count", shape_.heads);
  writer_.add_u32("llama.attention.head_count_kv", shape_.kv_heads);
  writer_.add_f32("llama.attention.layer_norm_rms_epsilon",
                  shape_.norm_epsilon);
  writer_.add_u32("llama.rope.dimension_count", shape_.hidden / shape_.heads);
  writer_.add_f32("llama.rope.freq_base", shape_.rope_theta);
  writer_.add_u32("llama.vocab_size", synth_vocabulary_size);
  if (shape_.experts == 0)
    return;
  writer_.add_u32("llama.expert_count", shape_.experts);
  writer_.add_u32("llama.expert_used_count", shape_.experts_used);
}

void synthesizer::add_vocabulary() {
  const auto vocabulary = make_synth_vocabulary(synth_vocabulary_size);
  writer_.add_text("tokenizer.ggml.model", "llama");
  writer_.add_texts("tokenizer.ggml.tokens", vocabulary.pieces);
  writer_.add_f32s("tokenizer.ggml.scores", vocabulary.scores);
  writer_.add_i32s("tokenizer.ggml.token_type", vocabulary.types);
  writer_.add_u32("tokenizer.ggml.unknown_token_id", 0);
  writer_.add_u32("tokenizer.ggml.bos_token_id", 1);
  writer_.add_u32("tokenizer.ggml.eos_token_id", 2);
  writer_.add_bool("tokenizer.ggml.add_bos_token", true);
  writer_.add_bool("tokenizer.ggml.add_eos_token", false);
}

void synthesizer::declare_tensors() {
  const auto& names = names_for(checkpoint_format::gguf);
  add_weight(std::string(names.embed), synth_vocabulary_size, shape_.hidden, 1);
  for (std::uint32_t layer = 0; layer < shape_.layers; ++layer)
    declare_layer(layer);
  ones(std::string(names.final_norm), shape_.hidden);
  matrix(std::string(names.lm_head), synth_vocabulary_size, shape_.hidden);
}

void synthesizer::declare_layer(std::uint32_t layer) {
  const auto& names = names_for(checkpoint_format::gguf);
  const auto name = [&](std::string_view role) {
    return layer_weight(role, layer);
  };
  const std::uint64_t hidden = shape_.hidden, ffn = shape_.ffn;
  const std::uint64_t kv_rows = hidden / shape_.heads * shape_.kv_heads;
  ones(name(names.attn_norm), hidden);
  matrix(name(names.q), hidden, hidden);
  matrix(name(names.k), kv_rows, hidden);
  matrix(name(names.v), kv_rows, hidden);
  matrix(name(names.o), hidden, hidden);
  ones(name(names.ffn_norm), hidden);
  if (shape_.experts > 0) {
    const std::uint64_t router[] = {shape_.experts, hidden};
    add(name("blk.#.ffn_gate_inp.weight"), dtype::f32, router,
        1 / std::sqrt(static_cast<float>(hidden)));
    experts(name("blk.#.ffn_gate_exps.weight"), ffn, hidden);
    experts(name("blk.#.ffn_up_exps.weight"), ffn, hidden);
    experts(name("blk.#.ffn_down_exps.weight"), hidden, ffn);
    return;
  }
  matrix(name(names.gate), ffn, hidden);
  matrix(name(names.up), ffn, hidden);
  matrix(name(names.down), hidden, ffn);
}

void synthesizer::matrix(const std::string& name, std::uint64_t rows,
                         std::uint64_t columns) {
  add_weight(name, rows, columns, 1 / std::sqrt(static_cast<float>(columns)));
}

/// w8a8 is stored as two tensors.
void synthesizer::add_weight(const std::string& name, std::uint64_t rows,
                             std::uint64_t columns, float deviation) {
  const std::uint64_t extents[] = {rows, columns};
  if (options_.type != dtype::w8a8)
    return add(name, options_.type, extents, deviation);
  add(name, dtype::i8, extents, deviation);
  add(scale_name(name), dtype::f32, {&rows, 1}, 0,
      random_weights::i8_scale(deviation));
}

void synthesizer::experts(const std::string& name, std::uint64_t rows,
                          std::uint64_t columns) {
  const std::uint64_t extents[] = {shape_.experts, rows, columns};
  add(name, options_.type, extents, 1 / std::sqrt(static_cast<float>(columns)));
}

void synthesizer::ones(const std::string& name, std::uint64_t columns) {
  add(name, dtype::f32, {&columns, 1}, 0);
}

void synthesizer::add(const std::string& name, dtype type,
                      std::span<const std::uint64_t> shape, float deviation,
                      float constant) {
  const auto before = writer_.tensor_bytes();
  writer_.declare(name, type, shape);
  tensors_.push_back(
      {type, writer_.tensor_bytes() - before, deviation, constant});
}

void synthesizer::fill(const tensor& tensor) {
  if (tensor.deviation == 0) {
    const std::vector<float> values(tensor.bytes / sizeof(float),
                                    tensor.constant);
    writer_.write(std::as_bytes(std::span(values)));
    done_bytes_ += tensor.bytes;
    return;
  }
  const auto number = static_cast<std::uint64_t>(&tensor - tensors_.data());
  const auto key = random_words(options_.seed).next() + number;
  random_weights weights(tensor.type, tensor.deviation,
                         random_words(key).next());
  const std::uint64_t chunk = block_bytes(tensor.type) << 17;
  std::vector<std::byte> bytes(std::min(chunk, tensor.bytes));
  for (std::uint64_t left = tensor.bytes; left > 0;) {
    const auto part = std::span(bytes).first(std::min(chunk, left));
    weights.fill(part);
    writer_.write(part);
    left -= part.size();
    done_bytes_ += part.size();
    if (options_.progress)
      options_.progress(done_bytes_, writer_.tensor_bytes());
  }
}

} // namespace

void synth(const synth_options& options, const std::filesystem::path& path) {
  if (options.type == dtype::w8a8 &&
      find_synth_shape(options.shape).experts > 0)
    throw model_error(model_fault::unsupported, {options.shape, ""},
                      "experts are not stored as w8a8", "choose another type");
  if (options.type == dtype::fp8)
    throw model_error(model_fault::unsupported, {options.shape, ""},
                      "GGUF files hold no fp8",
                      "write bf16 and load it with model.weight_type = fp8");
  synthesizer(options, path).run();
}

} // namespace sluice
