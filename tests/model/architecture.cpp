// SPDX-License-Identifier: Apache-2.0
#include "model/architecture.hpp"

#include "tests/model/checkpoint/refusal.hpp"
#include "tests/model/small_model.hpp"

#include <numbers>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(architectures)

using nlohmann::json;

json llama_config() {
  return json::parse(R"({"model_type":"llama","num_hidden_layers":2,
      "hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,
      "intermediate_size":128,"vocab_size":100,"max_position_embeddings":256,
      "rms_norm_eps":1e-5,"hidden_act":"silu","bos_token_id":1,
      "eos_token_id":2})");
}

architecture read(const json& changes = json::object(),
                  const json& generation = json()) {
  auto config = llama_config();
  config.merge_patch(changes); // null removes a key
  return architecture_from_config(config, generation, "config.json");
}

/// A change that describes int8 weights.
json int_quantized(const json& weights) {
  return {{"quantization_config",
           {{"quant_method", "compressed-tensors"},
            {"format", "int-quantized"},
            {"config_groups", {{"group_0", {{"weights", weights}}}}}}}};
}

/// A change that describes FP8 weights.
json float_quantized(const json& weights) {
  auto change = int_quantized(weights);
  change["quantization_config"]["format"] = "float-quantized";
  return change;
}

BOOST_AUTO_TEST_CASE(llama) {
  const auto arch = read();
  BOOST_TEST(arch.family == "llama");
  BOOST_TEST(arch.head_dim == 16u);
  BOOST_TEST(arch.kv_heads == 2u);
  BOOST_TEST(arch.norm_epsilon == 1e-5f);
  BOOST_TEST(arch.rope.theta == 10'000);
  BOOST_TEST(arch.rope.rotary_dim == 16u);
  BOOST_TEST((arch.rope.layout == rope_layout::half_split));
  BOOST_TEST(!arch.tied_embeddings);
  BOOST_TEST(!arch.attention_bias);
  BOOST_TEST(arch.bos.value() == 1u);
  BOOST_TEST(arch.kv_bytes_per_token(2) == 2u * 2 * 2 * 16 * 2);
}

BOOST_AUTO_TEST_CASE(what_absent_keys_mean) {
  const auto arch = read({{"num_key_value_heads", nullptr},
                          {"bos_token_id", nullptr},
                          {"eos_token_id", nullptr},
                          {"max_position_embeddings", nullptr}});
  BOOST_TEST(arch.kv_heads == 4u);
  BOOST_TEST(arch.context == 2048u);
  BOOST_TEST(!arch.bos.has_value());
  BOOST_TEST(arch.eos.empty());
}

BOOST_AUTO_TEST_CASE(mistral_always_has_its_window) {
  const json mistral = {{"model_type", "mistral"}};
  BOOST_TEST(read(mistral).sliding_window == 0u);
  BOOST_TEST(read({{"model_type", "mistral"}, {"sliding_window", 32}})
                 .sliding_window == 32u);
  BOOST_TEST(read({{"sliding_window", 32}}).sliding_window == 0u);
}

BOOST_AUTO_TEST_CASE(qwen2_has_biases_and_a_switched_window) {
  json config = {{"model_type", "qwen2"}, {"sliding_window", 32}};
  BOOST_TEST(read(config).attention_bias);
  BOOST_TEST(read(config).sliding_window == 0u);
  config["use_sliding_window"] = true;
  config["max_window_layers"] = 2;
  BOOST_TEST(read(config).sliding_window == 0u);
  config["max_window_layers"] = 0;
  BOOST_TEST(read(config).sliding_window == 32u);
  config["max_window_layers"] = 1;
  check_refused("some layers", model_fault::unsupported, [&] { read(config); });
}

BOOST_AUTO_TEST_CASE(rope_scaling_in_both_spellings) {
  const json llama3 = {{"rope_type", "llama3"},
                       {"factor", 8},
                       {"low_freq_factor", 1},
                       {"high_freq_factor", 4},
                       {"original_max_position_embeddings", 32}};
  const auto old_form = read({{"rope_scaling", llama3}, {"rope_theta", 5e5}});
  json parameters = llama3;
  parameters["rope_theta"] = 5e5;
  const auto new_form = read({{"rope_parameters", parameters}});
  for (const auto& arch : {old_form, new_form}) {
    BOOST_TEST((arch.rope.scaling == rope_scaling::llama3));
    BOOST_TEST(arch.rope.theta == 5e5);
    BOOST_TEST(arch.rope.factor == 8);
    BOOST_TEST(arch.rope.original_context == 32u);
  }
  const auto linear =
      read({{"rope_scaling", {{"type", "linear"}, {"factor", 2.0}}}});
  BOOST_TEST((linear.rope.scaling == rope_scaling::linear));
  const auto none = read({{"rope_parameters", {{"rope_type", "default"}}}});
  BOOST_TEST((none.rope.scaling == rope_scaling::none));
}

BOOST_AUTO_TEST_CASE(generation_config_adds_end_tokens) {
  const auto arch =
      read(json::object(), {{"eos_token_id", {7, 9}}, {"bos_token_id", 3}});
  BOOST_TEST(arch.eos == (std::vector<std::uint32_t>{7, 9}),
             boost::test_tools::per_element());
  BOOST_TEST(arch.bos.value() == 3u);
}

BOOST_AUTO_TEST_CASE(unknown_families_are_refused_with_the_known_ones) {
  for (auto family : {"mixtral", "gemma2", "LLAMA", ""}) {
    const auto text = check_refused(family, model_fault::unsupported, [&] {
      read({{"model_type", family}});
    });
    BOOST_TEST(text.find("'" + std::string(family) + "'") != text.npos);
    BOOST_TEST(text.find("llama, mistral, qwen2") != text.npos);
  }
}

BOOST_AUTO_TEST_CASE(hostile_configurations) {
  const auto yarn = json{{"rope_type", "yarn"}, {"factor", 4}};
  const std::pair<model_fault, json> cases[] = {
      {model_fault::missing, {{"model_type", nullptr}}},
      {model_fault::missing, {{"num_hidden_layers", nullptr}}},
      {model_fault::missing, {{"rope_scaling", {{"type", "linear"}}}}},
      {model_fault::wrong_type, {{"model_type", 3}}},
      {model_fault::wrong_type, {{"num_hidden_layers", "2"}}},
      {model_fault::wrong_type, {{"num_hidden_layers", 2.5}}},
      {model_fault::wrong_type, {{"hidden_size", -64}}},
      {model_fault::wrong_type, {{"hidden_size", json::array()}}},
      {model_fault::wrong_type, {{"rms_norm_eps", "1e-5"}}},
      {model_fault::wrong_type, {{"rope_scaling", "linear"}}},
      {model_fault::wrong_type, {{"eos_token_id", "2"}}},
      {model_fault::wrong_type, {{"tie_word_embeddings", 1}}},
      {model_fault::limit, {{"hidden_size", 18446744073709551615u}}},
      {model_fault::limit, {{"hidden_size", 4294967296 + 64}}},
      {model_fault::limit, {{"hidden_size", 1u << 30}}},
      {model_fault::limit, {{"num_hidden_layers", 0}}},
      {model_fault::limit, {{"num_hidden_layers", 4'000'000'000u}}},
      {model_fault::limit, {{"vocab_size", 0}}},
      {model_fault::limit, {{"head_dim", 0}}},
      {model_fault::limit, {{"num_key_value_heads", 0}}},
      {model_fault::limit, {{"num_key_value_heads", 8}}},
      {model_fault::limit, {{"eos_token_id", 4294967296}}},
      {model_fault::malformed, {{"num_attention_heads", 0}}},
      {model_fault::malformed, {{"num_key_value_heads", 3}}},
      {model_fault::malformed, {{"head_dim", 15}}},
      {model_fault::malformed, {{"rms_norm_eps", 0}}},
      {model_fault::malformed, {{"rms_norm_eps", -1e-5}}},
      {model_fault::malformed, {{"rope_theta", 0}}},
      {model_fault::malformed, {{"partial_rotary_factor", 2}}},
      {model_fault::malformed,
       {{"rope_scaling", {{"type", "linear"}, {"factor", 0}}}}},
      {model_fault::malformed, {{"eos_token_id", 100}}},
      {model_fault::malformed, {{"bos_token_id", 100}}},
      {model_fault::unsupported, {{"hidden_act", "gelu"}}},
      {model_fault::unsupported, {{"attention_bias", true}}},
      {model_fault::unsupported, {{"mlp_bias", true}}},
      {model_fault::unsupported, {{"rope_scaling", yarn}}},
      {model_fault::unsupported,
       {{"quantization_config", {{"quant_method", "gptq"}}}}},
      {model_fault::unsupported, {{"quantization_config", json::object()}}},
      {model_fault::wrong_type, {{"quantization_config", "int8"}}},
      {model_fault::unsupported, int_quantized({{"num_bits", 4}})},
      {model_fault::unsupported, int_quantized({{"type", "float"}})},
      {model_fault::unsupported, int_quantized({{"symmetric", false}})},
      {model_fault::unsupported, int_quantized({{"strategy", "group"}})},
      {model_fault::wrong_type, int_quantized({{"num_bits", "8"}})},
      {model_fault::unsupported, int_quantized({{"strategy", "tensor"}})},
      {model_fault::unsupported, float_quantized({{"type", "int"}})},
      {model_fault::unsupported, float_quantized(json::object())},
      {model_fault::unsupported,
       float_quantized({{"type", "float"}, {"num_bits", 4}})},
      {model_fault::unsupported,
       float_quantized({{"type", "float"}, {"strategy", "block"}})},
      {model_fault::unsupported,
       {{"quantization_config",
         {{"quant_method", "fp8"}, {"weight_block_size", {128, 128}}}}}},
  };
  for (const auto& [expected, changes] : cases)
    check_refused(changes.dump(), expected, [&] { read(changes); });
}

BOOST_AUTO_TEST_CASE(int8_weights_with_a_scale_a_channel_are_described) {
  const json weights = {{"num_bits", 8},
                        {"type", "int"},
                        {"symmetric", true},
                        {"strategy", "channel"}};
  BOOST_TEST(read(int_quantized(weights)).layers == 2u);
}

BOOST_AUTO_TEST_CASE(
    fp8_weights_with_a_scale_a_channel_or_tensor_are_described) {
  for (const char* strategy : {"channel", "tensor"}) {
    const json weights = {{"num_bits", 8},
                          {"type", "float"},
                          {"symmetric", true},
                          {"strategy", strategy}};
    BOOST_TEST(read(float_quantized(weights)).layers == 2u);
  }
  BOOST_TEST(read({{"quantization_config",
                    {{"quant_method", "fp8"},
                     {"activation_scheme", "static"},
                     {"weight_block_size", nullptr}}}})
                 .layers == 2u);
}

BOOST_AUTO_TEST_CASE(gguf_llama) {
  small_model model;
  model.fractions["llama.rope.freq_base"] = 500'000;
  model.numbers["tokenizer.ggml.eot_token_id"] = 5;
  const auto arch = describe_architecture(model.open());
  BOOST_TEST(arch.family == "llama");
  BOOST_TEST(arch.head_dim == 8u);
  BOOST_TEST((arch.rope.layout == rope_layout::interleaved));
  BOOST_TEST(arch.rope.theta == 500'000);
  BOOST_TEST(!arch.tied_embeddings);
  BOOST_TEST(arch.eos == (std::vector<std::uint32_t>{2, 5}),
             boost::test_tools::per_element());
  model.shapes.erase("output.weight");
  BOOST_TEST(describe_architecture(model.open()).tied_embeddings);
}

BOOST_AUTO_TEST_CASE(gguf_scaling_and_families) {
  small_model linear;
  linear.texts["llama.rope.scaling.type"] = "linear";
  linear.fractions["llama.rope.scaling.factor"] = 4;
  BOOST_TEST(describe_architecture(linear.open()).rope.factor == 4);

  const auto refused = [](auto change, std::string_view words) {
    small_model model;
    change(model);
    const auto text =
        check_refused(std::string(words), model_fault::unsupported,
                      [&] { describe_architecture(model.open()); });
    BOOST_TEST(text.find(words) != text.npos, text);
  };
  refused([](auto& m) { m.texts["general.architecture"] = "gemma2"; },
          "'gemma2'");
  refused([](auto& m) { m.numbers["llama.expert_count"] = 8; }, "8 experts");
  refused([](auto& m) { m.texts["llama.rope.scaling.type"] = "yarn"; },
          "'yarn'");
  refused([](auto& m) { m.numbers["llama.attention.value_length"] = 4; },
          "different sizes");
}

BOOST_AUTO_TEST_CASE(gguf_tokens_fit_the_vocabulary) {
  small_model model;
  model.tokens.assign(11, "t");
  check_refused("too many", model_fault::malformed,
                [&] { describe_architecture(model.open()); });
  model.numbers.erase("llama.vocab_size");
  BOOST_TEST(describe_architecture(model.open()).vocab == 11u);
  model.tokens.clear();
  check_refused("neither", model_fault::missing,
                [&] { describe_architecture(model.open()); });
}

BOOST_AUTO_TEST_CASE(plain_frequencies_fall_geometrically) {
  const rope_description rope{.theta = 10'000, .rotary_dim = 8};
  const auto frequencies = rope_frequencies(rope, {});
  const float expected[] = {1, 0.1f, 0.01f, 0.001f};
  for (std::size_t i = 0; i < 4; ++i)
    BOOST_TEST(frequencies[i] == expected[i],
               boost::test_tools::tolerance(1e-6f));
  const float divisors[] = {1, 2, 4, 8};
  BOOST_TEST(rope_frequencies(rope, divisors)[3] == 0.000125f,
             boost::test_tools::tolerance(1e-6f));
}

BOOST_AUTO_TEST_CASE(scaled_frequencies) {
  rope_description rope{.theta = 500'000,
                        .rotary_dim = 128,
                        .scaling = rope_scaling::llama3,
                        .factor = 8,
                        .low_frequency_factor = 1,
                        .high_frequency_factor = 4,
                        .original_context = 8192};
  const auto scaled = rope_frequencies(rope, {});
  rope.scaling = rope_scaling::linear;
  const auto linear = rope_frequencies(rope, {});
  rope.scaling = rope_scaling::none;
  const auto plain = rope_frequencies(rope, {});
  int kept = 0, stretched = 0;
  for (std::size_t i = 0; i < 64; ++i) {
    BOOST_TEST(linear[i] == plain[i] / 8, boost::test_tools::tolerance(1e-6f));
    const double wavelength = 2 * std::numbers::pi / plain[i];
    const bool fast = wavelength<8192 / 4.0, slow = wavelength> 8192;
    kept += fast;
    stretched += slow;
    if (fast || slow)
      BOOST_TEST(scaled[i] == (fast ? plain[i] : linear[i]));
    else
      BOOST_TEST((scaled[i] < plain[i] && scaled[i] > linear[i]));
  }
  BOOST_TEST((kept > 20 && stretched > 20 && kept + stretched < 64));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
