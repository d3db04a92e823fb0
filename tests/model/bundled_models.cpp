// SPDX-License-Identifier: Apache-2.0
// The reference models that the repository ships, in every format.
#include "model/weights.hpp"

#include <cstring>
#include <filesystem>
#include <string>

#include <boost/test/unit_test.hpp>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(bundled_models)

const std::filesystem::path tests_folder = SLUICE_SOURCE_DIR "/tests";

struct loaded_files {
  checkpoint file;
  architecture arch;
  weights tensors;

  explicit loaded_files(const std::string& name, load_options options = {})
      : file(checkpoint::open(tests_folder / name)),
        arch(describe_architecture(file)),
        tensors(load_weights(file, arch, options)) {}
};

std::size_t bytes_of(const matrix_view& matrix) {
  return static_cast<std::size_t>(matrix.rows) * matrix.row_stride_bytes;
}

bool same_bytes(const matrix_view& a, const matrix_view& b) {
  return a.type == b.type && bytes_of(a) == bytes_of(b) &&
         std::memcmp(a.data, b.data, bytes_of(a)) == 0;
}

/// Whether row r of half-split `a` is the row of interleaved `b` that GGUF
/// llama files keep it in.
bool same_rotated_rows(const matrix_view& a, const matrix_view& b,
                       std::int64_t head_dim) {
  for (std::int64_t row = 0; row < a.rows; ++row) {
    const auto head = row / head_dim, at = row % head_dim;
    const auto half = head_dim / 2;
    const auto other = head * head_dim + at % half * 2 + at / half;
    const auto stride = a.row_stride_bytes;
    if (std::memcmp(a.data + static_cast<std::size_t>(row) * stride,
                    b.data + static_cast<std::size_t>(other) * stride,
                    stride) != 0)
      return false;
  }
  return a.type == b.type;
}

BOOST_AUTO_TEST_CASE(gguf_files_hold_the_directory_s_weights) {
  const std::pair<const char*, dtype> types[] = {
      {"f16", dtype::f16}, {"q8_0", dtype::q8_0}, {"q4_0", dtype::q4_0}};
  for (std::string model : {"models/pebble", "models/pebble-draft"})
    for (const auto& [suffix, type] : types) {
      const loaded_files gguf(model + "-" + suffix + ".gguf");
      const loaded_files converted(model, {.weight_type = type});
      BOOST_TEST(gguf.arch.layers == converted.arch.layers);
      BOOST_TEST(gguf.arch.eos == converted.arch.eos,
                 boost::test_tools::per_element());
      BOOST_TEST(same_bytes(gguf.tensors.embed, converted.tensors.embed));
      for (std::size_t i = 0; i < gguf.tensors.layers.size(); ++i) {
        const auto& a = converted.tensors.layers[i];
        const auto& b = gguf.tensors.layers[i];
        BOOST_TEST(same_bytes(a.v, b.v));
        BOOST_TEST(same_bytes(a.o, b.o));
        BOOST_TEST(same_bytes(a.gate, b.gate));
        BOOST_TEST(same_bytes(a.down, b.down));
        BOOST_TEST(same_rotated_rows(a.q, b.q, gguf.arch.head_dim));
        BOOST_TEST(same_rotated_rows(a.k, b.k, gguf.arch.head_dim));
      }
    }
}

BOOST_AUTO_TEST_CASE(golden_models_load) {
  for (std::string name :
       {"llama", "llama-rope-scaled", "llama-sharded", "mistral", "qwen2"}) {
    const loaded_files model("golden/" + name);
    BOOST_TEST(model.arch.family == name.substr(0, name.find('-')));
    BOOST_TEST(model.tensors.layers.size() == model.arch.layers);
    BOOST_TEST(model.arch.attention_bias == (name == "qwen2"));
    BOOST_TEST((model.arch.sliding_window > 0) == (name == "mistral"));
    BOOST_TEST(model.tensors.layers[0].q_bias.empty() == (name != "qwen2"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
