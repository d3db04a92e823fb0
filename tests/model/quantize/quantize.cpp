// SPDX-License-Identifier: Apache-2.0
#include "model/quantize/quantize.hpp"

#include "model/loaded_model.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/model/small_model.hpp"

#include <cmath>
#include <cstring>
#include <fstream>

namespace sluice::test {

namespace {

namespace fs = std::filesystem;

const fs::path tests_folder = SLUICE_SOURCE_DIR "/tests";
const fs::path pebble = tests_folder / "models/pebble";

struct quantized {
  quantized(const fs::path& model, const char* recipe, int threads = 2)
      : path(folder.path() / (std::string(recipe) + ".gguf")) {
    summary = quantize(model, path,
                       {.recipe = find_recipe(recipe), .threads = threads});
  }

  temporary_directory folder;
  fs::path path;
  quantize_summary summary;
};

std::vector<std::byte> bytes_of(const checkpoint& model,
                                const std::string& name) {
  const auto* tensor = model.find(name);
  BOOST_REQUIRE_MESSAGE(tensor, "no tensor " << name);
  std::vector<std::byte> bytes(tensor->bytes);
  model.read(*tensor, 0, bytes);
  return bytes;
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void check_same_tensors(const fs::path& made, const fs::path& wanted) {
  const auto ours = checkpoint::open(made), other = checkpoint::open(wanted);
  BOOST_TEST(ours.tensors().size() == other.tensors().size());
  for (const auto& tensor : other.tensors()) {
    const auto* found = ours.find(tensor.name);
    BOOST_REQUIRE_MESSAGE(found, tensor.name);
    BOOST_TEST(found->type->name == tensor.type->name);
    BOOST_TEST((bytes_of(ours, tensor.name) == bytes_of(other, tensor.name)),
               tensor.name);
  }
}

} // namespace

BOOST_AUTO_TEST_SUITE(quantizing)

// tools/train/export.py wrote the bundled files from the same weights.
BOOST_AUTO_TEST_CASE(a_directory_becomes_the_bundled_files) {
  for (const std::string type : {"f16", "q8_0", "q4_0"}) {
    const auto bundled = tests_folder / ("models/pebble-" + type + ".gguf");
    const quantized made(pebble, type.c_str());
    check_same_tensors(made.path, bundled);
    const auto ours = load_model(made.path), other = load_model(bundled);
    const std::string text = "On 2022-07-23 two bottles for 45,20 euros\n=>";
    BOOST_TEST((ours->text->encode(text) == other->text->encode(text)));
    BOOST_TEST((ours->arch.eos == other->arch.eos));
    BOOST_TEST((ours->arch.bos == other->arch.bos));
    BOOST_TEST(ours->arch.context == other->arch.context);
    BOOST_TEST(made.summary.bytes_out == fs::file_size(made.path));
  }
}

BOOST_AUTO_TEST_CASE(every_recipe_makes_a_model_that_loads) {
  for (const char* recipe :
       {"f32", "bf16", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q4_k_m",
        "q5_k", "q5_k_m", "q6_k", "iq4_nl", "iq4_xs", "mxfp4", "w8a8"}) {
    const quantized made(pebble, recipe);
    const auto model = load_model(made.path);
    BOOST_TEST(model->text->vocab_size() == 768u);
    std::uint32_t tensors = 0;
    for (const auto& [type, count] : made.summary.tensors)
      tensors += count;
    BOOST_TEST(tensors == 38u, recipe);
  }
}

BOOST_AUTO_TEST_CASE(int8_with_scales_is_what_the_loader_makes) {
  const quantized made(pebble, "w8a8");
  const auto stored = load_model(made.path);
  const auto converted = load_model(pebble, {.weight_type = dtype::w8a8});
  const auto& a = stored->tensors.layers[2].down;
  const auto& b = converted->tensors.layers[2].down;
  BOOST_TEST((a.type == dtype::w8a8));
  BOOST_REQUIRE_EQUAL(a.rows, b.rows);
  BOOST_TEST(
      std::memcmp(a.data, b.data,
                  static_cast<std::size_t>(a.rows) * a.row_stride_bytes) == 0);
}

BOOST_AUTO_TEST_CASE(fp8_is_what_the_loader_makes) {
  const temporary_directory folder;
  const auto path = folder.path() / "pebble-fp8";
  const auto summary =
      quantize(pebble, path, {.recipe = find_recipe("fp8"), .threads = 2});
  BOOST_TEST(summary.tensors.at("fp8") == 28u);
  const auto stored = load_model(path, {.fp8 = true});
  const auto converted =
      load_model(pebble, {.weight_type = dtype::fp8, .fp8 = true});
  const auto& a = stored->tensors.layers[2].down;
  const auto& b = converted->tensors.layers[2].down;
  BOOST_TEST((a.type == dtype::fp8));
  BOOST_REQUIRE_EQUAL(a.rows, b.rows);
  BOOST_TEST(
      std::memcmp(a.data, b.data,
                  static_cast<std::size_t>(a.rows) * a.row_stride_bytes) == 0);
  const auto plain = load_model(pebble);
  BOOST_TEST((stored->tensors.embed.type == plain->tensors.embed.type));
  const std::string text = "On 2022-07-23 two bottles for 45,20 euros\n=>";
  BOOST_TEST((stored->text->encode(text) == plain->text->encode(text)));
  BOOST_TEST((stored->arch.eos == plain->arch.eos));
}

BOOST_AUTO_TEST_CASE(fp8_of_what_cannot_be_is_refused) {
  const temporary_directory folder;
  const quantize_options options{.recipe = find_recipe("fp8")};
  const auto path = folder.path() / "out";
  check_refused("gguf", model_fault::unsupported, [&] {
    quantize(tests_folder / "models/pebble-f16.gguf", path, options);
  });
  quantize(pebble, path, options);
  check_refused("twice", model_fault::unsupported,
                [&] { quantize(path, folder.path() / "again", options); });
  check_refused("in the way", model_fault::io,
                [&] { quantize(pebble, path, options); });
  check_refused("nowhere", model_fault::io,
                [&] { quantize(pebble, "/proc/no/such/place", options); });
  BOOST_TEST(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

BOOST_AUTO_TEST_CASE(keys_of_a_gguf_file_are_carried_over) {
  small_model small;
  small.texts["general.name"] = "tiny";
  small.texts["tokenizer.chat_template"] = "{{ messages }}";
  small.numbers["general.file_type"] = 0;
  small.numbers["split.count"] = 1;
  small.tokens = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
  const temporary_directory folder;
  small.write(folder.path() / "tiny.gguf");
  const quantized made(folder.path() / "tiny.gguf", "q4_0");
  const auto opened = checkpoint::open(made.path);
  const auto& keys = opened.metadata();
  BOOST_TEST(keys.text("general.name") == "tiny");
  BOOST_TEST(keys.text("tokenizer.chat_template") == "{{ messages }}");
  BOOST_TEST(keys.strings("tokenizer.ggml.tokens")[9] == "j");
  BOOST_TEST(keys.u32("llama.context_length") == 64u);
  BOOST_TEST(keys.f32("llama.attention.layer_norm_rms_epsilon") == 1e-5f);
  BOOST_TEST(keys.u32("general.file_type") == 2u);
  BOOST_TEST(!keys.has("split.count"));
}

BOOST_AUTO_TEST_CASE(threads_and_detours_do_not_change_the_file) {
  const quantized one(pebble, "q4_k_m", 1), four(pebble, "q4_k_m", 4);
  BOOST_TEST((read_file(one.path) == read_file(four.path)));
  const quantized floats(pebble, "f32");
  const quantized detour(floats.path, "q4_k_m");
  check_same_tensors(detour.path, one.path);
}

BOOST_AUTO_TEST_CASE(rope_keeps_its_frequencies) {
  const quantized made(tests_folder / "golden/llama-rope-scaled", "f32");
  const auto ours = load_model(made.path);
  const auto other = load_model(tests_folder / "golden/llama-rope-scaled");
  const auto found =
      rope_frequencies(ours->arch.rope, ours->tensors.rope_divisors);
  const auto wanted = rope_frequencies(other->arch.rope, {});
  BOOST_REQUIRE_EQUAL(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    BOOST_TEST(found[i] == wanted[i], boost::test_tools::tolerance(1e-6f));
  BOOST_TEST((ours->arch.rope.layout == rope_layout::interleaved));
}

BOOST_AUTO_TEST_CASE(half_split_families_keep_their_rows) {
  const auto folder = tests_folder / "golden/qwen2";
  const quantized made(folder, "f32");
  const auto ours = checkpoint::open(made.path);
  const auto other = checkpoint::open(folder);
  BOOST_TEST(ours.metadata().text("general.architecture") == "qwen2");
  for (const auto& [gguf, hugging_face] :
       {std::pair{"blk.1.attn_q.weight",
                  "model.layers.1.self_attn.q_proj.weight"},
        std::pair{"blk.1.attn_k.bias", "model.layers.1.self_attn.k_proj.bias"}})
    BOOST_TEST((bytes_of(ours, gguf) == bytes_of(other, hugging_face)));
}

BOOST_AUTO_TEST_CASE(a_window_and_linear_scaling_survive) {
  const quantized mistral(tests_folder / "golden/mistral", "f32");
  const auto arch = describe_architecture(checkpoint::open(mistral.path));
  BOOST_TEST(arch.sliding_window == 8u);
  BOOST_TEST(arch.family == "llama");
  small_model linear;
  linear.texts["llama.rope.scaling.type"] = "linear";
  linear.fractions["llama.rope.scaling.factor"] = 4;
  const temporary_directory folder;
  linear.write(folder.path() / "l.gguf");
  const quantized made(folder.path() / "l.gguf", "f16");
  BOOST_TEST(describe_architecture(checkpoint::open(made.path)).rope.factor ==
             4);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_quantised_leaves_no_file) {
  const temporary_directory folder;
  const auto target = folder.path() / "out.gguf";
  const auto run = [&](const fs::path& model, quantize_options options = {}) {
    options.recipe = find_recipe("q4_k");
    quantize(model, target, options);
  };
  check_refused("quantised", model_fault::unsupported,
                [&] { run(tests_folder / "models/pebble-q8_0.gguf"); });
  check_refused("nothing", model_fault::io, [&] { run(folder.path() / "no"); });
  const temporary_directory elsewhere;
  const auto spoiled = elsewhere.path() / "m.gguf";
  small_model small;
  small.write(spoiled);
  const auto at = checkpoint::open(spoiled).find("output.weight")->offset;
  std::fstream file(spoiled, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(at));
  file.write("\0\0\xc0\x7f", 4); // not a number
  file.close();
  check_refused("NaN", model_fault::malformed, [&] {
    quantize(spoiled, target, {.recipe = find_recipe("q8_0")});
  });
  fs::resize_file(spoiled, fs::file_size(spoiled) - 64);
  check_refused("cut", model_fault::truncated, [&] { run(spoiled); });
  BOOST_CHECK_THROW(run(pebble, {.progress = [](auto, auto) { throw 1; }}),
                    int);
  BOOST_TEST(fs::is_empty(folder.path()));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
