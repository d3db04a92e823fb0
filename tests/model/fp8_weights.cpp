// SPDX-License-Identifier: Apache-2.0
// Safetensors models whose matrices are F8_E4M3 with scales, as vLLM's are.
#include "kernels/convert.hpp"
#include "model/loaded_model.hpp"
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/support/temporary_directory.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>

namespace sluice::test {

namespace {

using nlohmann::json;

struct stored_tensor {
  std::string type;
  std::vector<std::uint64_t> shape;
  std::string bytes;
};

std::string bytes_of(dtype type, const std::vector<float>& values) {
  std::string bytes(row_bytes(type, std::ssize(values)), '\0');
  quantize_row(type, values, reinterpret_cast<std::byte*>(bytes.data()));
  return bytes;
}

std::vector<float> ramp(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(i % 41) / 16 - 1.25f;
  return values;
}

constexpr const char* k_weight = "model.layers.0.self_attn.k_proj.weight";
const std::string k_scale = std::string{k_weight} + "_scale";

/// A llama of one layer, hidden 32; k is F8_E4M3 with scales 0.5, 1, 1.5, ..
struct fp8_model {
  fp8_model() {
    add("model.embed_tokens.weight", {10, 32});
    add("lm_head.weight", {10, 32});
    add("model.norm.weight", {32});
    const std::string layer = "model.layers.0.";
    add(layer + "input_layernorm.weight", {32});
    add(layer + "post_attention_layernorm.weight", {32});
    add(layer + "self_attn.q_proj.weight", {32, 32});
    add(layer + "self_attn.v_proj.weight", {16, 32});
    add(layer + "self_attn.o_proj.weight", {32, 32});
    add(layer + "mlp.gate_proj.weight", {64, 32});
    add(layer + "mlp.up_proj.weight", {64, 32});
    add(layer + "mlp.down_proj.weight", {32, 64});
    tensors[k_weight] = {
        "F8_E4M3", {16, 32}, bytes_of(dtype::f8_e4m3, ramp(16 * 32))};
    std::vector<float> scales(16);
    for (std::size_t row = 0; row < 16; ++row)
      scales[row] = static_cast<float>(row + 1) / 2;
    tensors[k_scale] = {"F32", {16, 1}, bytes_of(dtype::f32, scales)};
  }

  void add(const std::string& name, std::vector<std::uint64_t> shape) {
    const auto count = shape[0] * (shape.size() > 1 ? shape[1] : 1);
    tensors[name] = {"F32", std::move(shape),
                     bytes_of(dtype::f32, ramp(count))};
  }

  void set_scale(std::vector<std::uint64_t> shape, dtype type, float value) {
    const auto count = [&] {
      std::uint64_t all = 1;
      for (const auto extent : shape)
        all *= extent;
      return all;
    }();
    tensors[k_scale] = {type == dtype::bf16 ? "BF16" : "F32", std::move(shape),
                        bytes_of(type, std::vector<float>(count, value))};
  }

  std::filesystem::path write() const {
    std::ofstream(folder.path() / "config.json") << config.dump();
    json header = json::object();
    std::string data;
    for (const auto& [name, tensor] : tensors) {
      const auto begin = data.size();
      data += tensor.bytes;
      header[name] = {{"dtype", tensor.type},
                      {"shape", tensor.shape},
                      {"data_offsets", {begin, data.size()}}};
    }
    const auto text = header.dump();
    const std::uint64_t length = text.size();
    std::ofstream file(folder.path() / "model.safetensors", std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), sizeof length);
    file << text << data.substr(0, data.size() - cut);
    return folder.path();
  }

  std::shared_ptr<const loaded_model> load(const load_options& options = {}) {
    return load_model(write(), options);
  }

  std::map<std::string, stored_tensor> tensors;
  json config = json::parse(R"({"model_type":"llama","hidden_size":32,
      "num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":2,
      "intermediate_size":64,"vocab_size":10,"rms_norm_eps":1e-5,
      "max_position_embeddings":64,"quantization_config":{
        "quant_method":"compressed-tensors","format":"float-quantized",
        "config_groups":{"group_0":{"weights":{"num_bits":8,"type":"float",
          "symmetric":true,"strategy":"channel"}}}}})");
  std::size_t cut = 0; // bytes that are missing at the end
  temporary_directory folder;
};

std::vector<float> row_of(const matrix_view& matrix, std::int64_t row) {
  std::vector<float> values(static_cast<std::size_t>(matrix.columns));
  dequantize_row(matrix.type,
                 matrix.data +
                     static_cast<std::size_t>(row) * matrix.row_stride_bytes,
                 values);
  return values;
}

/// What the file says of k.
float stored_k(std::size_t row, std::size_t column) {
  const auto value = ramp(16 * 32)[row * 32 + column];
  return f8_e4m3_to_f32(f32_to_f8_e4m3(value));
}

} // namespace

BOOST_AUTO_TEST_SUITE(fp8_weights)

BOOST_AUTO_TEST_CASE(rows_get_their_scales) {
  fp8_model model;
  const auto loaded = model.load({.fp8 = true});
  const auto& k = loaded->tensors.layers[0].k;
  BOOST_TEST((k.type == dtype::fp8));
  for (std::size_t row = 0; row < 16; ++row) {
    const auto values = row_of(k, static_cast<std::int64_t>(row));
    for (std::size_t i = 0; i < 32; ++i)
      BOOST_TEST(values[i] ==
                 stored_k(row, i) * (static_cast<float>(row + 1) / 2));
  }
}

BOOST_AUTO_TEST_CASE(without_kernels_they_become_bf16) {
  fp8_model model;
  const auto loaded = model.load();
  const auto& k = loaded->tensors.layers[0].k;
  BOOST_TEST((k.type == dtype::bf16));
  const float wanted = stored_k(2, 7) * 1.5f;
  BOOST_TEST(row_of(k, 2)[7] == bf16_to_f32(f32_to_bf16(wanted)));
}

BOOST_AUTO_TEST_CASE(one_scale_may_serve_a_whole_matrix) {
  for (const auto& shape :
       std::vector<std::vector<std::uint64_t>>{{}, {1}, {1, 1}}) {
    fp8_model model;
    model.set_scale(shape, dtype::bf16, 0.75f);
    const auto loaded = model.load({.fp8 = true});
    for (const std::int64_t row : {0, 15})
      BOOST_TEST(row_of(loaded->tensors.layers[0].k, row)[9] ==
                 stored_k(static_cast<std::size_t>(row), 9) * 0.75f);
  }
  fp8_model flat;
  flat.set_scale({16}, dtype::f32, 2);
  BOOST_CHECK_NO_THROW(flat.load());
}

// Activations and the cache get scales of their own.
BOOST_AUTO_TEST_CASE(calibrated_scales_are_not_needed) {
  fp8_model model;
  model.tensors["model.layers.0.self_attn.k_proj.input_scale"] = {
      "F32", {1}, bytes_of(dtype::f32, {0.1f})};
  model.tensors["model.layers.0.self_attn.k_scale"] = {
      "F32", {}, bytes_of(dtype::f32, {1})};
  model.config["quantization_config"] = {{"quant_method", "fp8"},
                                         {"activation_scheme", "static"}};
  BOOST_CHECK_NO_THROW(model.load());
}

BOOST_AUTO_TEST_CASE(other_weights_can_be_rounded_to_fp8) {
  fp8_model model;
  const auto kept = model.load({.weight_type = dtype::fp8, .fp8 = true});
  const auto& fp8 = kept->tensors.layers[0].up;
  BOOST_TEST((fp8.type == dtype::fp8));
  const auto widened = model.load({.weight_type = dtype::fp8});
  const auto& bf16 = widened->tensors.layers[0].up;
  BOOST_TEST((bf16.type == dtype::bf16));
  const auto same = row_of(fp8, 5);
  for (std::size_t i = 0; i < 32; ++i)
    BOOST_TEST(row_of(bf16, 5)[i] == bf16_to_f32(f32_to_bf16(same[i])));
}

BOOST_AUTO_TEST_CASE(spoiled_scales_are_refused) {
  using change = void (*)(fp8_model&);
  constexpr auto nan = std::numeric_limits<float>::quiet_NaN();
  const std::tuple<const char*, model_fault, change> cases[] = {
      {"absent", model_fault::missing,
       [](auto& m) { m.tensors.erase(k_scale); }},
      {"one too few", model_fault::bad_shape,
       [](auto& m) { m.set_scale({15}, dtype::f32, 1); }},
      {"across", model_fault::bad_shape,
       [](auto& m) {
         m.set_scale({1, 16}, dtype::f32, 1);
       }},
      {"blocks", model_fault::bad_shape,
       [](auto& m) {
         m.set_scale({16, 2}, dtype::f32, 1);
       }},
      {"none", model_fault::bad_shape,
       [](auto& m) { m.set_scale({0}, dtype::f32, 1); }},
      {"not a number", model_fault::malformed,
       [](auto& m) {
         m.set_scale({16, 1}, dtype::f32, nan);
       }},
      {"infinite for all", model_fault::malformed,
       [](auto& m) { m.set_scale({1}, dtype::bf16, INFINITY); }},
      {"of bytes", model_fault::unsupported,
       [](auto& m) {
         m.tensors[k_scale] = {"F8_E4M3", {16}, std::string(16, '\x38')};
       }},
      {"an element", model_fault::malformed,
       [](auto& m) { m.tensors[k_weight].bytes[77] = '\xff'; }},
      {"of a norm", model_fault::unsupported,
       [](auto& m) {
         m.tensors["model.norm.weight"] = {
             "F8_E4M3", {32}, std::string(32, '\x38')};
       }},
      {"E5M2", model_fault::unsupported,
       [](auto& m) { m.tensors[k_weight].type = "F8_E5M2"; }},
      {"inverse, of blocks", model_fault::unsupported,
       [](auto& m) {
         m.tensors[std::string{k_weight} + "_scale_inv"] = m.tensors[k_scale];
       }},
  };
  for (const auto& [name, expected, spoil] : cases) {
    fp8_model model;
    spoil(model);
    check_refused(name, expected, [&] { model.load(); });
  }
}

BOOST_AUTO_TEST_CASE(a_short_file_is_refused) {
  fp8_model model;
  model.cut = 1;
  BOOST_CHECK_THROW(model.load(), model_error);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
