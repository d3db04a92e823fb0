// SPDX-License-Identifier: Apache-2.0
#include "model/synth.hpp"

#include "kernels/convert.hpp"
#include "model/random_weights.hpp"
#include "model/tokenizer/gguf_vocabulary.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/support/temporary_directory.hpp"

#include <cmath>
#include <cstring>
#include <unordered_set>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(synthesis)

/// Values that a row of random weights stands for.
std::vector<float> random_row(dtype type, float deviation, std::size_t count) {
  std::vector<float> values(count);
  std::vector<std::byte> packed(
      row_bytes(type, static_cast<std::int64_t>(count)));
  if (type != dtype::w8a8 && type != dtype::fp8) {
    random_weights(type, deviation, 7).fill(packed);
  } else { // the scale lies behind the quants
    const bool integers = type == dtype::w8a8;
    const float scale = integers ? random_weights::i8_scale(deviation)
                                 : random_weights::f8_scale(deviation);
    random_weights(integers ? dtype::i8 : dtype::f8_e4m3, deviation, 7)
        .fill(std::span(packed).first(count));
    std::memcpy(&packed[count], &scale, sizeof scale);
  }
  dequantize_row(type, packed.data(), values);
  return values;
}

BOOST_AUTO_TEST_CASE(random_weights_have_the_wanted_moments) {
  constexpr std::size_t count = 1 << 18;
  for (const auto type : weight_types()) {
    const auto values = random_row(type, 0.02f, count);
    double sum = 0, squares = 0, neighbours = 0;
    for (std::size_t i = 0; i < count; ++i) {
      sum += values[i];
      squares += double(values[i]) * values[i];
      neighbours += i > 0 ? double(values[i]) * values[i - 1] : 0;
    }
    const double standard_error = 0.02 / std::sqrt(double(count));
    // Coarse formats shrink what they quantise.
    const double off = type == dtype::q2_k || type == dtype::q3_k ? 0.05 : 0.02;
    BOOST_TEST(std::abs(sum / count) < 5 * standard_error, name(type));
    BOOST_TEST(std::sqrt(squares / count) == 0.02,
               boost::test_tools::tolerance(off));
    BOOST_TEST(std::abs(neighbours / squares) < 5 / std::sqrt(double(count)),
               name(type));
  }
}

BOOST_AUTO_TEST_CASE(the_vocabulary_is_usable) {
  const auto vocabulary = make_synth_vocabulary(32'000);
  const auto& pieces = vocabulary.pieces;
  BOOST_REQUIRE(pieces.size() == 32'000u);
  BOOST_TEST(vocabulary.scores.size() == pieces.size());
  BOOST_TEST(vocabulary.types.size() == pieces.size());
  BOOST_TEST(pieces[0] == "<unk>");
  BOOST_TEST(pieces[3] == "<0x00>");
  BOOST_TEST(pieces[258] == "<0xFF>");
  const std::unordered_set<std::string> known(pieces.begin(), pieces.end());
  BOOST_TEST(known.size() == pieces.size());
  for (auto piece : {"\xe2\x96\x81the", "\xe2\x96\x81th", "z", "~", "th"})
    BOOST_TEST(known.contains(piece), piece);
}

BOOST_AUTO_TEST_CASE(the_vocabulary_encodes_text) {
  auto vocabulary = make_synth_vocabulary(32'000);
  gguf_vocabulary source;
  source.model = "llama";
  source.tokens = std::move(vocabulary.pieces);
  source.scores = std::move(vocabulary.scores);
  source.types = std::move(vocabulary.types);
  source.bos = 1;
  source.eos = 2;
  source.unk = 0;
  const auto tokenizer = load_tokenizer_gguf(source);
  const std::string text = "The price of invoice 17 was over 90 \xe2\x82\xac.";
  const auto ids = tokenizer->encode(text);
  BOOST_TEST(ids.front() == 1u);
  BOOST_TEST(tokenizer->decode(ids) == text);
  BOOST_TEST(ids.size() < text.size() * 2 / 3); // words are merged
}

BOOST_AUTO_TEST_CASE(a_shape_loads_and_repeats_by_its_seed) {
  const temporary_directory folder;
  const auto make = [&](std::uint64_t seed, const char* name) {
    synth({.shape = "llama-160m", .type = dtype::q4_0, .seed = seed},
          folder.path() / name);
    return checkpoint::open(folder.path() / name);
  };
  const auto read = [](const checkpoint& model) {
    std::vector<std::byte> bytes(4096);
    model.read(*model.find("blk.11.ffn_down.weight"), 0, bytes);
    return bytes;
  };
  const auto one = make(1, "one.gguf");
  BOOST_TEST((read(one) == read(make(1, "again.gguf"))));
  BOOST_TEST((read(one) != read(make(2, "two.gguf"))));
  const auto arch = describe_architecture(one);
  BOOST_TEST(arch.layers == 12u);
  BOOST_TEST(arch.vocab == 32'000u);
  BOOST_TEST(one.metadata().strings("tokenizer.ggml.tokens").size() == 32'000u);
  BOOST_TEST(load_weights(one, arch).layers.size() == 12u);
  BOOST_TEST(arch.context == 2'048u);
  const auto path = folder.path() / "long.gguf";
  synth({.shape = "llama-160m", .type = dtype::q4_0, .context = 32'768}, path);
  BOOST_TEST(describe_architecture(checkpoint::open(path)).context == 32'768u);
}

BOOST_AUTO_TEST_CASE(a_mixture_is_written_and_refused_by_name) {
  const temporary_directory folder;
  const auto path = folder.path() / "mixture.gguf";
  synth({.shape = "mixtral-small", .type = dtype::q4_0}, path);
  const auto model = checkpoint::open(path);
  BOOST_TEST(shape_text(model.find("blk.0.ffn_up_exps.weight")->dimensions()) ==
             "[8, 2048, 1024]");
  const auto text = check_refused("mixture", model_fault::unsupported,
                                  [&] { describe_architecture(model); });
  BOOST_TEST(text.find("8 experts (mixtral)") != text.npos);
}

BOOST_AUTO_TEST_CASE(unknown_shapes_are_refused_with_the_known_ones) {
  const temporary_directory folder;
  const auto text = check_refused("shape", model_fault::unsupported, [&] {
    synth({.shape = "llama-9b"}, folder.path() / "x.gguf");
  });
  for (auto shape : synth_shapes())
    BOOST_TEST(text.find(shape) != text.npos);
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
