// SPDX-License-Identifier: Apache-2.0
#include "model/weights.hpp"

#include "kernels/convert.hpp"
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/model/small_model.hpp"

#include <algorithm>
#include <cmath>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(loading_weights)

weights load(const checkpoint& model, load_options options = {}) {
  return load_weights(model, describe_architecture(model), options);
}

std::vector<float> row_of(const matrix_view& matrix, std::int64_t row) {
  std::vector<float> values(static_cast<std::size_t>(matrix.columns));
  dequantize_row(matrix.type,
                 matrix.data +
                     static_cast<std::size_t>(row) * matrix.row_stride_bytes,
                 values);
  return values;
}

BOOST_AUTO_TEST_CASE(every_weight_arrives) {
  const auto model = small_model().open();
  const auto loaded = load(model);
  const auto& layer = loaded.layers.at(0);
  BOOST_TEST(loaded.embed.rows == 10);
  BOOST_TEST(row_of(loaded.embed, 2)[1] == 0.65f);
  BOOST_TEST(loaded.final_norm[31] == 0.31f);
  BOOST_TEST(layer.down.columns == 64);
  BOOST_TEST(row_of(layer.down, 31)[63] == 20.47f);
  BOOST_TEST(layer.q_bias.empty());
  BOOST_TEST(loaded.rope_divisors.empty());
  for (const auto* view : {&loaded.embed, &loaded.lm_head, &layer.q, &layer.k,
                           &layer.v, &layer.o, &layer.gate, &layer.up})
    BOOST_TEST(reinterpret_cast<std::uintptr_t>(view->data) % 64 == 0u);
  BOOST_TEST(loaded.memory.bytes() ==
             weight_bytes(model, describe_architecture(model)));
}

BOOST_AUTO_TEST_CASE(loading_outlives_the_file) {
  const temporary_directory folder;
  const auto path = folder.path() / "m.gguf";
  small_model().write(path);
  const auto model = checkpoint::open(path);
  const auto loaded = load(model);
  std::filesystem::resize_file(path, 0);
  BOOST_TEST(row_of(loaded.layers[0].down, 31)[63] == 20.47f);
  check_refused("cut after opening", model_fault::truncated,
                [&] { load(model); });
}

BOOST_AUTO_TEST_CASE(tied_embeddings_share_memory) {
  small_model model;
  model.shapes.erase("output.weight");
  const auto loaded = load(model.open());
  BOOST_TEST(loaded.lm_head.data == loaded.embed.data);
}

BOOST_AUTO_TEST_CASE(biases_and_rope_divisors_are_loaded) {
  small_model model;
  model.shapes["blk.0.attn_q.bias"] = {32};
  model.shapes["blk.0.attn_k.bias"] = {16};
  model.shapes["blk.0.attn_v.bias"] = {16};
  model.shapes["rope_freqs.weight"] = {4};
  const auto loaded = load(model.open());
  BOOST_TEST(loaded.layers[0].q_bias.size() == 32u);
  BOOST_TEST(loaded.layers[0].v_bias[3] == 0.03f);
  BOOST_TEST(loaded.rope_divisors[2] == 0.02f);
}

BOOST_AUTO_TEST_CASE(spoiled_models_are_refused) {
  using change = void (*)(small_model&);
  const std::tuple<const char*, model_fault, change> cases[] = {
      {"absent", model_fault::missing,
       [](auto& m) { m.shapes.erase("blk.0.ffn_up.weight"); }},
      {"transposed", model_fault::bad_shape,
       [](auto& m) {
         m.shapes["blk.0.ffn_up.weight"] = {32, 64};
       }},
      {"a vector for a matrix", model_fault::bad_shape,
       [](auto& m) { m.shapes["blk.0.ffn_up.weight"] = {2048}; }},
      {"a matrix for a vector", model_fault::bad_shape,
       [](auto& m) {
         m.shapes["output_norm.weight"] = {1, 32};
       }},
      {"a layer too many", model_fault::missing,
       [](auto& m) { m.numbers["llama.block_count"] = 2; }},
      {"a layer too few", model_fault::unsupported,
       [](auto& m) {
         m.shapes["blk.1.attn_q.weight"] = {32, 32};
       }},
      {"a bias without a role", model_fault::unsupported,
       [](auto& m) { m.shapes["blk.0.attn_output.bias"] = {32}; }},
      {"q_norm of another family", model_fault::unsupported,
       [](auto& m) { m.shapes["blk.0.attn_q_norm.weight"] = {8}; }},
  };
  for (const auto& [name, expected, spoil] : cases) {
    small_model model;
    spoil(model);
    const auto opened = model.open();
    check_refused(name, expected, [&] { load(opened); });
  }
  small_model model;
  model.shapes["blk.0.ffn_up.weight"] = {32, 64};
  const auto text = check_refused("text", model_fault::bad_shape,
                                  [&] { load(model.open()); });
  BOOST_TEST(text.find("expected shape [64, 32], found [32, 64]") != text.npos);
}

BOOST_AUTO_TEST_CASE(types_without_kernels_are_refused_by_name) {
  small_model model;
  model.type = dtype::f32;
  const temporary_directory folder;
  const auto path = folder.path() / "m.gguf";
  model.write(path);
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  const auto at = bytes.find("blk.0.attn_k.weight") + 19 + 4 + 16;
  BOOST_REQUIRE(bytes[at] == 0);
  bytes[at] = 26; // I32 has the size of F32
  const auto opened = checkpoint::open(folder.write("i.gguf", bytes));
  const auto text =
      check_refused("I32", model_fault::unsupported, [&] { load(opened); });
  BOOST_TEST(text.find("I32") != text.npos);
  BOOST_TEST(text.find("F32, F16, BF16, Q8_0, Q4_0") != text.npos);
}

BOOST_AUTO_TEST_CASE(progress_runs_from_nothing_to_all) {
  std::vector<std::uint64_t> steps;
  std::uint64_t total = 0;
  const auto model = small_model().open();
  load(model, {.progress = [&](std::uint64_t done, std::uint64_t all) {
         steps.push_back(done);
         total = all;
       }});
  BOOST_TEST(steps.front() == 0u);
  BOOST_TEST(steps.back() == total);
  BOOST_TEST(total == model.tensor_bytes());
  BOOST_TEST(std::ranges::is_sorted(steps));
}

/// The published rule in double: the largest error a block may have.
double largest_error(dtype type, std::span<const float> block) {
  double peak = 0;
  for (double value : block)
    peak = std::max(peak, std::abs(value));
  const double step = type == dtype::q8_0 ? peak / 127 : peak / 8;
  const double half_rounding = std::ldexp(peak, -10); // of the f16 scale
  // q4_0 has 16 levels for 17 steps: the far end is one step short.
  return (type == dtype::q8_0 ? 0.5 : 1.0) * step + half_rounding;
}

BOOST_AUTO_TEST_CASE(conversion_while_loading_keeps_the_values) {
  const auto model = small_model().open();
  const auto plain = load(model);
  for (auto type : {dtype::f16, dtype::bf16, dtype::q8_0, dtype::q4_0}) {
    const auto converted = load(model, {.weight_type = type});
    BOOST_TEST((converted.layers[0].up.type == type));
    BOOST_TEST(converted.final_norm[31] == 0.31f);
    for (std::int64_t row = 0; row < 64; ++row) {
      const auto before = row_of(plain.layers[0].up, row);
      const auto after = row_of(converted.layers[0].up, row);
      for (std::size_t i = 0; i < before.size(); ++i) {
        const double allowed = type == dtype::f16 ? before[i] * 0x1p-11
                               : type == dtype::bf16
                                   ? before[i] * 0x1p-8
                                   : largest_error(type, before);
        BOOST_REQUIRE(std::abs(before[i] - after[i]) <= allowed);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(weights_that_are_no_numbers_are_not_quantised) {
  const temporary_directory folder;
  const auto path = folder.path() / "m.gguf";
  small_model().write(path);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const auto model = checkpoint::open(path);
  file.seekp(static_cast<std::streamoff>(
      model.find("blk.0.attn_q.weight")->offset + 8));
  file.write("\0\0\x80\x7f", 4); // infinity
  file.close();
  check_refused("infinity", model_fault::malformed,
                [&] { load(model, {.weight_type = dtype::q8_0}); });
}

BOOST_AUTO_TEST_CASE(subnormal_blocks_become_zeros) {
  const std::vector<float> tiny{0, 1e-40f, -1e-40f, 0};
  std::vector<float> block(32), back(32, 1.0f);
  std::ranges::copy(tiny, block.begin());
  for (auto type : {dtype::q8_0, dtype::q4_0}) {
    std::vector<std::byte> packed(row_bytes(type, 32));
    quantize_row(type, block, packed.data());
    dequantize_row(type, packed.data(), back);
    BOOST_TEST(std::ranges::count(back, 0.0f) == 32);
  }
}

BOOST_AUTO_TEST_CASE(rows_that_are_no_blocks_keep_their_type) {
  small_model model;
  model.numbers["llama.feed_forward_length"] = 50;
  model.shapes["blk.0.ffn_gate.weight"] = {50, 32};
  model.shapes["blk.0.ffn_up.weight"] = {50, 32};
  model.shapes["blk.0.ffn_down.weight"] = {32, 50};
  const auto loaded = load(model.open(), {.weight_type = dtype::q4_0});
  BOOST_TEST((loaded.layers[0].up.type == dtype::q4_0));
  BOOST_TEST((loaded.layers[0].down.type == dtype::f32));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
