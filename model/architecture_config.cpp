// SPDX-License-Identifier: Apache-2.0
#include "model/architecture.hpp"

#include "model/architecture_quantization.hpp"
#include "model/checkpoint/json.hpp"

#include <limits>

namespace sluice {

namespace {

using nlohmann::json;

/// What config.json leaves to the family.
struct family_defaults {
  std::string_view name;
  bool qkv_bias;         ///< q, k and v always have biases
  bool bias_is_option;   ///< "attention_bias" would add one to o as well
  bool window_always;    ///< "sliding_window" needs no other switch
  std::uint64_t context; ///< of max_position_embeddings
};

constexpr family_defaults families[] = {
    {"llama", false, true, false, 2'048},
    {"mistral", false, false, true, 131'072},
    {"qwen2", true, false, false, 32'768},
};

class config_reader {
public:
  config_reader(const json& config, std::string_view file)
      : reader_(config, file), file_(file) {}

  architecture read(const json& generation);

private:
  [[noreturn]] void unsupported(std::string_view subject,
                                std::string_view rule) const {
    throw model_error(model_fault::unsupported, {file_, subject}, rule,
                      "known families: llama, mistral, qwen2");
  }
  std::uint32_t u32(std::string_view key) const {
    return narrow(reader_.u64(key), key);
  }
  std::uint32_t u32(std::string_view key, std::uint64_t fallback) const {
    return narrow(reader_.u64(key, fallback), key);
  }
  std::uint32_t narrow(std::uint64_t value, std::string_view key) const;

  const family_defaults& family() const;
  void refuse_options(const family_defaults& defaults) const;
  void read_sizes(architecture& arch, const family_defaults& defaults) const;
  void read_rope(architecture& arch) const;
  void read_scaling(rope_description& rope, const json& scaling) const;
  std::uint32_t sliding_window(const architecture& arch,
                               const family_defaults& defaults) const;
  void read_special_tokens(architecture& arch, const json& generation) const;

  json_reader reader_;
  std::string_view file_;
};

std::uint32_t config_reader::narrow(std::uint64_t value,
                                    std::string_view key) const {
  if (value > std::numeric_limits<std::uint32_t>::max())
    throw model_error(model_fault::limit, {file_, key},
                      std::to_string(value) + " is above 4294967295",
                      download_again);
  return static_cast<std::uint32_t>(value);
}

const family_defaults& config_reader::family() const {
  const auto type = reader_.text("model_type");
  for (const auto& known : families)
    if (known.name == type)
      return known;
  unsupported("", "model family '" + printable(type) + "' is not supported");
}

void config_reader::refuse_options(const family_defaults& defaults) const {
  if (const auto* quantization = reader_.object("quantization_config"))
    check_quantization(*quantization, file_);
  if (reader_.text("hidden_act", "silu") != "silu")
    unsupported("key 'hidden_act'", "only silu is supported");
  if (defaults.bias_is_option && reader_.flag("attention_bias", false))
    unsupported("key 'attention_bias'",
                "a bias of the attention output is not supported");
  if (reader_.flag("mlp_bias", false))
    unsupported("key 'mlp_bias'", "feed-forward biases are not supported");
}

void config_reader::read_sizes(architecture& arch,
                               const family_defaults& defaults) const {
  arch.layers = u32("num_hidden_layers");
  arch.hidden = u32("hidden_size");
  arch.heads = u32("num_attention_heads");
  arch.kv_heads = u32("num_key_value_heads", arch.heads);
  if (arch.heads == 0)
    throw model_error(model_fault::malformed,
                      {file_, "key 'num_attention_heads'"}, "it is 0",
                      download_again);
  arch.head_dim = u32("head_dim", arch.hidden / arch.heads);
  arch.ffn = u32("intermediate_size");
  arch.vocab = u32("vocab_size");
  arch.context = u32("max_position_embeddings", defaults.context);
  arch.norm_epsilon = static_cast<float>(reader_.number("rms_norm_eps", 1e-6));
}

void config_reader::read_rope(architecture& arch) const {
  // "rope_parameters" holds both since transformers 5; before, theta stood
  // alone and "rope_scaling" held the rest.
  const json* together = reader_.object("rope_parameters");
  const json* scaling = together ? together : reader_.object("rope_scaling");
  const double fallback = reader_.number("rope_theta", 10'000);
  arch.rope.theta =
      together ? json_reader(*together, file_).number("rope_theta", fallback)
               : fallback;
  const double share = reader_.number("partial_rotary_factor", 1);
  if (!(share > 0 && share <= 1))
    throw model_error(model_fault::malformed,
                      {file_, "key 'partial_rotary_factor'"},
                      "it is not between 0 and 1", download_again);
  arch.rope.rotary_dim = static_cast<std::uint32_t>(arch.head_dim * share);
  arch.rope.layout = rope_layout::half_split;
  if (scaling)
    read_scaling(arch.rope, *scaling);
}

void config_reader::read_scaling(rope_description& rope,
                                 const json& scaling) const {
  const json_reader reader(scaling, file_);
  const auto type = reader.text("rope_type", reader.text("type", "default"));
  if (type == "default")
    return;
  if (type != "linear" && type != "llama3")
    unsupported("key 'rope_scaling'", "'" + printable(type) +
                                          "' is not one of default, linear, "
                                          "llama3");
  rope.factor = reader.number("factor");
  rope.scaling = type == "linear" ? rope_scaling::linear : rope_scaling::llama3;
  if (rope.scaling == rope_scaling::linear)
    return;
  rope.low_frequency_factor = reader.number("low_freq_factor");
  rope.high_frequency_factor = reader.number("high_freq_factor");
  rope.original_context = narrow(reader.u64("original_max_position_embeddings"),
                                 "original_max_position_embeddings");
}

std::uint32_t
config_reader::sliding_window(const architecture& arch,
                              const family_defaults& defaults) const {
  const auto window = u32("sliding_window", 0);
  if (defaults.window_always || window == 0)
    return window;
  // qwen2: the first max_window_layers layers see everything.
  if (!reader_.flag("use_sliding_window", false) ||
      reader_.u64("max_window_layers", arch.layers) >= arch.layers)
    return 0;
  if (reader_.u64("max_window_layers", arch.layers) > 0)
    unsupported("key 'max_window_layers'",
                "a sliding window in some layers only is not supported");
  return window;
}

void config_reader::read_special_tokens(architecture& arch,
                                        const json& generation) const {
  const json_reader generated(generation, file_);
  for (const auto* reader : {&generated, &reader_}) {
    if (!arch.bos && reader->has("bos_token_id"))
      arch.bos = narrow(reader->u64("bos_token_id"), "bos_token_id");
    if (arch.eos.empty())
      for (auto id : reader->u64_list("eos_token_id"))
        arch.eos.push_back(narrow(id, "eos_token_id"));
  }
}

architecture config_reader::read(const json& generation) {
  const auto& defaults = family();
  refuse_options(defaults);
  architecture arch;
  arch.family = defaults.name;
  arch.attention_bias = defaults.qkv_bias;
  arch.tied_embeddings = reader_.flag("tie_word_embeddings", false);
  read_sizes(arch, defaults);
  read_rope(arch);
  arch.sliding_window = sliding_window(arch, defaults);
  read_special_tokens(arch,
                      generation.is_object() ? generation : json::object());
  check_architecture(arch, file_);
  return arch;
}

} // namespace

architecture architecture_from_config(const json& config,
                                      const json& generation,
                                      std::string_view file) {
  return config_reader(config, file).read(generation);
}

} // namespace sluice
