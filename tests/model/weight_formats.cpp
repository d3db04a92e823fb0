// SPDX-License-Identifier: Apache-2.0
// Weights that do not lie in memory as in their file: packed into panels, and
// int8 matrices with their scales.
#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "model/weights.hpp"
#include "tests/model/checkpoint/refusal.hpp"
#include "tests/model/checkpoint/safetensors_bytes.hpp"
#include "tests/model/small_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

namespace sluice::test {

namespace {

// A packing that is easy to check: 8 rows one after the other, the last first,
// rows that do not exist as zeros; f16 stays in rows.
constexpr std::int64_t panel_rows = 8;

std::size_t panel_bytes(dtype type, std::int64_t columns) {
  if (type == dtype::f16)
    return 0;
  return (row_bytes(type, columns) * panel_rows + 63) / 64 * 64;
}

std::size_t slot_of(const matrix_view& like, std::int64_t row) {
  return static_cast<std::size_t>(panel_rows - 1 - row % panel_rows) *
         row_bytes(like.type, like.columns);
}

void pack_panel(const matrix_view& rows, std::byte* panel) {
  // Boost.Test's checks may not run in several threads.
  require(rows.rows >= 1 && rows.rows <= panel_rows &&
              reinterpret_cast<std::uintptr_t>(panel) % 64 == 0,
          "pack_panel: the loader broke the contract; see weight_packing");
  std::fill_n(panel, panel_bytes(rows.type, rows.columns), std::byte{0});
  for (std::int64_t row = 0; row < rows.rows; ++row)
    std::copy_n(rows.data +
                    static_cast<std::size_t>(row) * rows.row_stride_bytes,
                row_bytes(rows.type, rows.columns), panel + slot_of(rows, row));
}

void unpack_row(const matrix_view& panels, std::int64_t row, float* out) {
  const auto panel = static_cast<std::size_t>(row / panel_rows);
  dequantize_row(panels.type,
                 panels.data + panel * panels.row_stride_bytes +
                     slot_of(panels, row),
                 {out, static_cast<std::size_t>(panels.columns)});
}

constexpr weight_packing reversing{panel_rows, panel_bytes, pack_panel,
                                   unpack_row};

weights load(const checkpoint& model, const load_options& options = {}) {
  return load_weights(model, describe_architecture(model), options);
}

std::vector<float> row_of(const matrix_view& matrix, std::int64_t row) {
  std::vector<float> values(static_cast<std::size_t>(matrix.columns));
  if (matrix.layout == weight_layout::panels)
    unpack_row(matrix, row, values.data());
  else
    dequantize_row(matrix.type,
                   matrix.data +
                       static_cast<std::size_t>(row) * matrix.row_stride_bytes,
                   values);
  return values;
}

void check_same(const matrix_view& packed, const matrix_view& plain) {
  BOOST_TEST((packed.type == plain.type));
  BOOST_REQUIRE_EQUAL(packed.rows, plain.rows);
  for (std::int64_t row = 0; row < plain.rows; ++row)
    BOOST_REQUIRE(row_of(packed, row) == row_of(plain, row));
}

std::vector<matrix_view> matrices_of(const layer_weights& layer) {
  return {layer.q, layer.k, layer.v, layer.o, layer.gate, layer.up, layer.down};
}

struct w8a8_model : small_model {
  w8a8_model() { make_w8a8("blk.0.attn_k.weight"); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(weight_formats)

BOOST_AUTO_TEST_CASE(matrices_are_packed_while_loading) {
  for (const auto type : {dtype::f32, dtype::q4_0}) {
    small_model small;
    small.types = {{"blk.0.attn_q.weight", dtype::f16}};
    const auto model = small.open();
    const load_options packed{.weight_type = type, .packing = &reversing};
    const auto loaded = load(model, packed);
    const auto plain = load(model, {.weight_type = type});
    const auto found = matrices_of(loaded.layers[0]);
    const auto wanted = matrices_of(plain.layers[0]);
    for (std::size_t i = 0; i < found.size(); ++i) {
      BOOST_TEST((found[i].layout == weight_layout::panels));
      BOOST_TEST(found[i].row_stride_bytes ==
                 panel_bytes(type, found[i].columns));
      check_same(found[i], wanted[i]);
    }
    check_same(loaded.lm_head, plain.lm_head);
    BOOST_TEST((loaded.lm_head.layout == weight_layout::panels));
    BOOST_TEST(loaded.memory.bytes() ==
               weight_bytes(model, describe_architecture(model), packed));
  }
}

BOOST_AUTO_TEST_CASE(types_without_panels_stay_in_rows) {
  small_model small;
  small.types = {{"blk.0.attn_q.weight", dtype::f16}};
  const auto loaded = load(small.open(), {.packing = &reversing});
  BOOST_TEST((loaded.layers[0].q.layout == weight_layout::rows));
  BOOST_TEST((loaded.layers[0].k.layout == weight_layout::panels));
}

BOOST_AUTO_TEST_CASE(an_embedding_is_packed_only_as_the_output_matrix) {
  small_model small;
  const auto apart = load(small.open(), {.packing = &reversing});
  BOOST_TEST((apart.embed.layout == weight_layout::rows));
  small.shapes.erase("output.weight");
  const auto model = small.open();
  const auto tied = load(model, {.packing = &reversing});
  BOOST_TEST((tied.embed.layout == weight_layout::panels));
  BOOST_TEST(tied.lm_head.data == tied.embed.data);
  check_same(tied.embed, load(model).embed);
}

// Large enough for several chunks and threads.
BOOST_AUTO_TEST_CASE(threads_do_not_change_what_is_loaded) {
  small_model small;
  small.numbers["llama.vocab_size"] = 50'003;
  small.shapes["token_embd.weight"] = {50'003, 32};
  small.shapes["output.weight"] = {50'003, 32};
  const auto model = small.open();
  std::vector<std::uint64_t> steps;
  const auto remember = [&](std::uint64_t done, std::uint64_t) {
    steps.push_back(done);
  };
  for (const auto* packing :
       {&reversing, static_cast<decltype(&reversing)>(nullptr)}) {
    const auto one = load(model, {.packing = packing, .threads = 1});
    const auto four =
        load(model, {.packing = packing, .threads = 4, .progress = remember});
    BOOST_REQUIRE_EQUAL(one.memory.bytes(), four.memory.bytes());
    BOOST_TEST(std::memcmp(one.memory.data(), four.memory.data(),
                           one.memory.bytes()) == 0);
    BOOST_TEST(std::ranges::is_sorted(steps));
    BOOST_TEST(steps.front() == 0u);
    BOOST_TEST(steps.back() == model.tensor_bytes());
    steps.clear();
  }
}

BOOST_AUTO_TEST_CASE(an_error_in_one_thread_ends_the_loading) {
  small_model small;
  small.numbers["llama.vocab_size"] = 50'003;
  small.shapes["token_embd.weight"] = {50'003, 32};
  const temporary_directory folder;
  const auto path = folder.path() / "m.gguf";
  small.shapes["output.weight"] = {50'003, 32};
  small.write(path);
  const auto model = checkpoint::open(path);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  check_refused("cut", model_fault::truncated,
                [&] { load(model, {.packing = &reversing, .threads = 4}); });
}

BOOST_AUTO_TEST_CASE(int8_rows_get_their_scales) {
  const auto model = w8a8_model{}.open();
  for (const auto* packing :
       {&reversing, static_cast<decltype(&reversing)>(nullptr)}) {
    const auto loaded = load(model, {.packing = packing});
    const auto& k = loaded.layers[0].k;
    BOOST_TEST((k.type == dtype::w8a8));
    for (std::int64_t row = 0; row < 16; ++row)
      for (std::int64_t i = 0; i < 32; ++i)
        BOOST_REQUIRE_EQUAL(row_of(k, row)[static_cast<std::size_t>(i)],
                            static_cast<float>((row * 32 + i) % 200 - 100) *
                                (static_cast<float>(row) / 100));
  }
  const auto back = load(model, {.weight_type = dtype::f32});
  BOOST_TEST((back.layers[0].k.type == dtype::f32));
  BOOST_TEST(row_of(back.layers[0].k, 3)[5] == (101 - 100) * 0.03f);
}

BOOST_AUTO_TEST_CASE(every_type_is_made_while_loading) {
  small_model small;
  small.numbers["llama.embedding_length"] = 256;
  small.numbers["llama.attention.head_count"] = 4;
  for (auto& [name, shape] : small.shapes)
    shape.back() = name == "blk.0.ffn_down.weight" ? 64 : 256;
  for (const char* name : {"blk.0.attn_output.weight", "blk.0.ffn_down.weight",
                           "blk.0.attn_q.weight"})
    small.shapes[name][0] = 256;
  for (const char* name : {"blk.0.attn_k.weight", "blk.0.attn_v.weight"})
    small.shapes[name][0] = 128;
  const auto model = small.open();
  for (const auto type : weight_types()) {
    const auto loaded = load(model, {.weight_type = type, .fp8 = true});
    BOOST_TEST((loaded.layers[0].up.type == type));
    const auto row = row_of(loaded.layers[0].up, 1);
    BOOST_TEST(std::abs(row[255] - 5.11f) < 0.9f, name(type));
    // 64 columns are no super-block.
    const bool whole = 64 % block_elements(type) == 0;
    BOOST_TEST((loaded.layers[0].down.type == (whole ? type : dtype::f32)));
  }
}

BOOST_AUTO_TEST_CASE(spoiled_scales_are_refused) {
  using change = void (*)(small_model&);
  const std::string scale = "blk.0.attn_k.weight_scale";
  const std::tuple<const char*, model_fault, change> cases[] = {
      {"absent", model_fault::missing,
       [](auto& m) { m.shapes.erase("blk.0.attn_k.weight_scale"); }},
      {"one too few", model_fault::bad_shape,
       [](auto& m) { m.shapes["blk.0.attn_k.weight_scale"] = {15}; }},
      {"one for all", model_fault::bad_shape,
       [](auto& m) { m.shapes["blk.0.attn_k.weight_scale"] = {1}; }},
      {"groups", model_fault::bad_shape,
       [](auto& m) {
         m.shapes["blk.0.attn_k.weight_scale"] = {16, 2};
       }},
      {"across", model_fault::bad_shape,
       [](auto& m) {
         m.shapes["blk.0.attn_k.weight_scale"] = {1, 16};
       }},
      {"of int8", model_fault::unsupported,
       [](auto& m) { m.types["blk.0.attn_k.weight_scale"] = dtype::i8; }},
      {"of blocks", model_fault::unsupported,
       [](auto& m) {
         m.make_w8a8("blk.0.attn_q.weight"); // its scales fill a block
         m.types["blk.0.attn_q.weight_scale"] = dtype::q8_0;
       }},
      {"beside f32", model_fault::unsupported,
       [](auto& m) { m.types["blk.0.attn_k.weight"] = dtype::f32; }},
      {"of a norm", model_fault::unsupported,
       [](auto& m) { m.types["output_norm.weight"] = dtype::i8; }},
  };
  for (const auto& [name, expected, spoil] : cases) {
    w8a8_model model;
    spoil(model);
    const auto opened = model.open();
    check_refused(name, expected, [&] { load(opened); });
  }
  w8a8_model column;
  column.shapes[scale] = {16, 1};
  BOOST_CHECK_NO_THROW(load(column.open()));
}

BOOST_AUTO_TEST_CASE(scales_that_are_no_numbers_are_refused) {
  const temporary_directory folder;
  const auto path = folder.path() / "m.gguf";
  w8a8_model{}.write(path);
  const auto model = checkpoint::open(path);
  const auto at = model.find("blk.0.attn_k.weight_scale")->offset + 8;
  for (const char* bits : {"\0\0\x80\x7f", "\0\0\xc0\xff"}) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file.write(bits, 4);
    file.close();
    check_refused("scale", model_fault::malformed, [&] { load(model); });
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
