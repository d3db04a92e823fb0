// SPDX-License-Identifier: Apache-2.0
#include "model/quantize/gguf_keys.hpp"

namespace sluice {

std::string gguf_family(const architecture& arch) {
  return arch.family == "mistral" ? "llama" : arch.family;
}

rope_layout gguf_rope_layout(const architecture& arch) {
  return gguf_family(arch) == "llama" ? rope_layout::interleaved
                                      : rope_layout::half_split;
}

void add_architecture_keys(const architecture& arch, const std::string& name,
                           gguf_writer& out) {
  const auto family = gguf_family(arch);
  const auto own = [&](const char* key) { return family + "." + key; };
  out.add_text("general.architecture", family);
  out.add_text("general.name", name);
  out.add_u32(own("block_count"), arch.layers);
  out.add_u32(own("context_length"), arch.context);
  out.add_u32(own("embedding_length"), arch.hidden);
  out.add_u32(own("feed_forward_length"), arch.ffn);
  out.add_u32(own("attention.head_count"), arch.heads);
  out.add_u32(own("attention.head_count_kv"), arch.kv_heads);
  out.add_u32(own("attention.key_length"), arch.head_dim);
  out.add_u32(own("attention.value_length"), arch.head_dim);
  out.add_f32(own("attention.layer_norm_rms_epsilon"), arch.norm_epsilon);
  if (arch.sliding_window > 0)
    out.add_u32(own("attention.sliding_window"), arch.sliding_window);
  out.add_u32(own("rope.dimension_count"), arch.rope.rotary_dim);
  out.add_f32(own("rope.freq_base"), static_cast<float>(arch.rope.theta));
  if (arch.rope.scaling == rope_scaling::linear) {
    out.add_text(own("rope.scaling.type"), "linear");
    out.add_f32(own("rope.scaling.factor"),
                static_cast<float>(arch.rope.factor));
  }
  out.add_u32(own("vocab_size"), arch.vocab);
}

void add_vocabulary_keys(const gguf_vocabulary& words, gguf_writer& out) {
  const std::string prefix = "tokenizer.ggml.";
  out.add_text(prefix + "model", words.model);
  if (!words.pre.empty())
    out.add_text(prefix + "pre", words.pre);
  out.add_texts(prefix + "tokens", words.tokens);
  if (!words.scores.empty())
    out.add_f32s(prefix + "scores", words.scores);
  if (!words.types.empty())
    out.add_i32s(prefix + "token_type", words.types);
  if (!words.merges.empty())
    out.add_texts(prefix + "merges", words.merges);
  const auto add_id = [&](const char* role, std::optional<std::uint32_t> id) {
    if (id)
      out.add_u32(prefix + role + "_token_id", *id);
  };
  add_id("bos", words.bos);
  add_id("eos", words.eos);
  add_id("eot", words.eot);
  add_id("unknown", words.unk);
  const auto add_flag = [&](const char* key, std::optional<bool> value) {
    if (value)
      out.add_bool(prefix + key, *value);
  };
  add_flag("add_bos_token", words.add_bos);
  add_flag("add_eos_token", words.add_eos);
  add_flag("add_space_prefix", words.add_space_prefix);
}

void copy_keys(const gguf_metadata& from, gguf_writer& out) {
  for (const auto key : from.keys())
    if (key != "general.file_type" && key != "general.quantization_version" &&
        key != "general.alignment" && !key.starts_with("split."))
      out.add_value(key, *from.find(key), from.encoded(*from.find(key)));
}

} // namespace sluice
