// SPDX-License-Identifier: Apache-2.0
#include "model/show.hpp"

#include "model/weights.hpp"

#include <algorithm>
#include <charconv>
#include <iomanip>
#include <iterator>
#include <sstream>

namespace sluice {

namespace {

using nlohmann::json;

constexpr std::uint32_t f16_bytes = 2;

std::string_view name(rope_layout layout) {
  return layout == rope_layout::half_split ? "half_split" : "interleaved";
}

std::string_view name(rope_scaling scaling) {
  switch (scaling) {
  case rope_scaling::linear:
    return "linear";
  case rope_scaling::llama3:
    return "llama3";
  case rope_scaling::none:
    break;
  }
  return "none";
}

/// The decimal number that was meant: 1e-05, not 9.999999747378752e-06.
double shortest(float value) {
  char text[32];
  const auto end = std::to_chars(text, std::end(text), value).ptr;
  double decimal = value;
  std::from_chars(text, end, decimal);
  return decimal;
}

json architecture_json(const architecture& arch) {
  return {{"family", arch.family},
          {"layers", arch.layers},
          {"hidden", arch.hidden},
          {"heads", arch.heads},
          {"kv_heads", arch.kv_heads},
          {"head_dim", arch.head_dim},
          {"ffn", arch.ffn},
          {"vocab", arch.vocab},
          {"context", arch.context},
          {"norm_epsilon", shortest(arch.norm_epsilon)},
          {"rope_theta", arch.rope.theta},
          {"rope_dim", arch.rope.rotary_dim},
          {"rope_layout", name(arch.rope.layout)},
          {"rope_scaling", name(arch.rope.scaling)},
          {"rope_factor", arch.rope.factor},
          {"sliding_window", arch.sliding_window},
          {"attention_bias", arch.attention_bias},
          {"tied_embeddings", arch.tied_embeddings},
          {"bos", arch.bos ? json(*arch.bos) : json()},
          {"eos", arch.eos}};
}

json tensor_json(const tensor_info& tensor) {
  const auto shape = tensor.dimensions();
  return {{"name", printable(tensor.name)},
          {"type", tensor.type->name},
          {"shape", std::vector(shape.begin(), shape.end())},
          {"bytes", tensor.bytes},
          {"usable", tensor.type->usable.has_value()}};
}

json types_json(const checkpoint& model) {
  json types = json::object();
  for (const auto& tensor : model.tensors()) {
    auto& entry = types[std::string(tensor.type->name)];
    if (entry.is_null())
      entry = {{"tensors", 0}, {"bytes", 0}, {"elements", 0}};
    const auto elements = tensor.bytes * 8 / tensor.type->block_bits *
                          tensor.type->block_elements;
    entry["tensors"] = entry["tensors"].get<std::uint64_t>() + 1;
    entry["bytes"] = entry["bytes"].get<std::uint64_t>() + tensor.bytes;
    entry["elements"] = entry["elements"].get<std::uint64_t>() + elements;
  }
  return types;
}

std::string_view tokenizer_name(tokenizer_source::kind kind) {
  switch (kind) {
  case tokenizer_source::kind::tokenizer_json:
    return "tokenizer.json";
  case tokenizer_source::kind::sentencepiece:
    return "tokenizer.model";
  case tokenizer_source::kind::gguf:
    return "inside the GGUF file";
  case tokenizer_source::kind::none:
    break;
  }
  return "none";
}

std::string size_text(std::uint64_t bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit)
    value /= 1024;
  std::ostringstream text;
  text << std::fixed << std::setprecision(unit == 0 ? 0 : 1) << value << ' '
       << units[unit];
  return text.str();
}

void print_tensors(std::ostream& out, const json& tensors) {
  std::size_t width = 0;
  for (const auto& tensor : tensors)
    width =
        std::max(width, tensor["name"].get_ref<const std::string&>().size());
  for (const auto& tensor : tensors) {
    const auto shape = tensor["shape"].get<std::vector<std::uint64_t>>();
    out << "  " << std::left << std::setw(static_cast<int>(width))
        << tensor["name"].get<std::string>() << "  " << std::setw(8)
        << tensor["type"].get<std::string>() << std::setw(18)
        << shape_text(shape) << std::right << std::setw(10)
        << size_text(tensor["bytes"]) << '\n';
  }
}

} // namespace

json describe(const checkpoint& model, const architecture& arch) {
  json tensors = json::array();
  for (const auto& tensor : model.tensors())
    tensors.push_back(tensor_json(tensor));
  const bool gguf = model.format() == checkpoint_format::gguf;
  return {{"model", printable(model.label())},
          {"format", gguf ? "gguf" : "safetensors"},
          {"tokenizer", tokenizer_name(model.tokenizer().from)},
          {"architecture", architecture_json(arch)},
          {"types", types_json(model)},
          {"memory",
           {{"weights_bytes", model.tensor_bytes()},
            {"kv_bytes_per_1000_tokens",
             1000 * arch.kv_bytes_per_token(f16_bytes)}}},
          {"tensors", std::move(tensors)}};
}

std::string show_text(const json& description) {
  std::ostringstream out;
  out << description["model"].get<std::string>() << " ("
      << description["format"].get<std::string>()
      << ", tokenizer: " << description["tokenizer"].get<std::string>()
      << ")\n\narchitecture\n";
  for (const auto& [key, value] : description["architecture"].items())
    out << "  " << std::left << std::setw(17) << key
        << (value.is_string() ? value.get<std::string>() : value.dump())
        << '\n';
  out << "\ntensors\n";
  print_tensors(out, description["tensors"]);
  out << "\ntypes\n";
  for (const auto& [type, use] : description["types"].items())
    out << "  " << std::left << std::setw(9) << type << use["tensors"]
        << " tensors, " << use["elements"] << " weights, "
        << size_text(use["bytes"]) << '\n';
  const auto& memory = description["memory"];
  out << "\nmemory\n  weights                   "
      << size_text(memory["weights_bytes"]) << "\n  KV cache per 1,000 tokens "
      << size_text(memory["kv_bytes_per_1000_tokens"]) << " (f16)\n";
  return out.str();
}

} // namespace sluice
