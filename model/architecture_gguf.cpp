// SPDX-License-Identifier: Apache-2.0
#include "model/architecture.hpp"

#include <algorithm>

namespace sluice {

namespace {

struct family_layout {
  std::string_view name;
  rope_layout layout;
};

// Mistral files carry the architecture "llama".
constexpr family_layout families[] = {
    {"llama", rope_layout::interleaved},
    {"qwen2", rope_layout::half_split},
};

class key_reader {
public:
  key_reader(const gguf_metadata& metadata, std::string_view file)
      : metadata_(metadata), file_(file) {}

  architecture read();

private:
  [[noreturn]] void unsupported(std::string_view subject,
                                std::string_view rule) const {
    throw model_error(model_fault::unsupported, {file_, subject}, rule,
                      "known GGUF architectures: llama (also Mistral), qwen2");
  }
  std::string own(std::string_view key) const {
    return prefix_ + "." + std::string(key);
  }
  std::uint32_t u32(std::string_view key) const {
    return metadata_.u32(own(key));
  }
  std::uint32_t u32(std::string_view key, std::uint32_t fallback) const {
    return metadata_.u32(own(key), fallback);
  }

  rope_layout family();
  void refuse_options() const;
  /// A number that some files give per layer; it must be the same in all.
  std::uint32_t same_in_all_layers(std::string_view key) const;
  std::uint32_t vocabulary() const;
  void read_sizes(architecture& arch) const;
  void read_rope(architecture& arch) const;
  void read_special_tokens(architecture& arch) const;

  const gguf_metadata& metadata_;
  std::string_view file_;
  std::string prefix_;
};

rope_layout key_reader::family() {
  prefix_ = metadata_.text("general.architecture");
  for (const auto& known : families)
    if (known.name == prefix_)
      return known.layout;
  unsupported("", "architecture '" + printable(prefix_) + "' is not supported");
}

void key_reader::refuse_options() const {
  if (const auto experts = u32("expert_count", 0); experts > 0)
    unsupported("", "a mixture of " + std::to_string(experts) +
                        " experts (mixtral) is not supported");
  const auto scaling = metadata_.text(own("rope.scaling.type"), "none");
  if (scaling != "none" && scaling != "linear")
    unsupported("key '" + own("rope.scaling.type") + "'",
                "'" + printable(scaling) + "' is not one of none, linear");
}

std::uint32_t key_reader::same_in_all_layers(std::string_view key) const {
  const auto values = metadata_.u32_list(own(key));
  if (values.empty() ||
      std::ranges::adjacent_find(values, std::not_equal_to{}) != values.end())
    unsupported("key '" + own(key) + "'",
                "layers of different sizes are not supported");
  return values.front();
}

std::uint32_t key_reader::vocabulary() const {
  const std::string key = own("vocab_size");
  const auto* tokens = metadata_.find("tokenizer.ggml.tokens");
  const bool has_tokens = tokens && tokens->type == gguf_type::array;
  if (!metadata_.has(key) && !has_tokens)
    throw model_error(model_fault::missing, {file_, "key '" + key + "'"},
                      "neither this key nor tokenizer.ggml.tokens is there",
                      "convert the model again with a current converter");
  const auto count = static_cast<std::uint32_t>(has_tokens ? tokens->count : 0);
  const auto rows = metadata_.u32(key, count);
  if (count > rows)
    throw model_error(model_fault::malformed, {file_, "key '" + key + "'"},
                      "the tokenizer has " + std::to_string(count) +
                          " tokens for a vocabulary of " + std::to_string(rows),
                      download_again);
  return rows;
}

void key_reader::read_sizes(architecture& arch) const {
  arch.layers = u32("block_count");
  arch.hidden = u32("embedding_length");
  arch.heads = same_in_all_layers("attention.head_count");
  arch.kv_heads = metadata_.has(own("attention.head_count_kv"))
                      ? same_in_all_layers("attention.head_count_kv")
                      : arch.heads;
  if (arch.heads == 0)
    throw model_error(model_fault::malformed,
                      {file_, "key '" + own("attention.head_count") + "'"},
                      "it is 0", download_again);
  arch.head_dim = u32("attention.key_length", arch.hidden / arch.heads);
  if (u32("attention.value_length", arch.head_dim) != arch.head_dim)
    unsupported("key '" + own("attention.value_length") + "'",
                "keys and values of different sizes are not supported");
  arch.ffn = same_in_all_layers("feed_forward_length");
  arch.vocab = vocabulary();
  arch.context = u32("context_length");
  arch.sliding_window = u32("attention.sliding_window", 0);
  arch.norm_epsilon = metadata_.f32(own("attention.layer_norm_rms_epsilon"));
}

void key_reader::read_rope(architecture& arch) const {
  auto& rope = arch.rope;
  rope.theta = metadata_.f32(own("rope.freq_base"), 10'000);
  rope.rotary_dim = u32("rope.dimension_count", arch.head_dim);
  const float old_name = metadata_.f32(own("rope.scale_linear"), 1);
  if (metadata_.text(own("rope.scaling.type"), "linear") == "linear")
    rope.factor = metadata_.f32(own("rope.scaling.factor"), old_name);
  if (rope.factor != 1)
    rope.scaling = rope_scaling::linear;
}

void key_reader::read_special_tokens(architecture& arch) const {
  const auto token = [&](std::string_view role) {
    const auto key = "tokenizer.ggml." + std::string(role) + "_token_id";
    return metadata_.has(key) ? std::optional(metadata_.u32(key))
                              : std::nullopt;
  };
  arch.bos = token("bos");
  for (auto role : {"eos", "eot", "eom"})
    if (const auto id = token(role);
        id && std::ranges::find(arch.eos, *id) == arch.eos.end())
      arch.eos.push_back(*id);
}

architecture key_reader::read() {
  architecture arch;
  arch.rope.layout = family();
  arch.family = prefix_;
  refuse_options();
  read_sizes(arch);
  read_rope(arch);
  read_special_tokens(arch);
  check_architecture(arch, file_);
  return arch;
}

} // namespace

architecture architecture_from_gguf(const gguf_metadata& metadata,
                                    std::string_view file) {
  return key_reader(metadata, file).read();
}

} // namespace sluice
