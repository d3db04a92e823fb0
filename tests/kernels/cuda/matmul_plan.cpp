// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/matmul_plan.hpp"

#include "kernels/cuda/matmul_tiles.hpp"
#include "kernels/cuda/ops.hpp"

#include <boost/test/unit_test.hpp>

#include <numeric>
#include <vector>

using namespace sluice::cuda;

namespace {

constexpr weight_form forms[] = {
    weight_form::bf16,   weight_form::f16,  weight_form::q8_0,
    weight_form::q4_0,   weight_form::q4_k, weight_form::q6_k,
    weight_form::block8, weight_form::w8a8, weight_form::fp8};

constexpr std::size_t hopper_shared = 227u << 10;
constexpr std::size_t ada_shared = 99u << 10;

matmul_plan plan(weight_form form, std::int64_t tokens,
                 const std::vector<std::int64_t>& rows, std::int64_t columns,
                 std::size_t shared = hopper_shared, bool workspace = true) {
  std::int64_t outputs = 0;
  for (const auto n : rows)
    outputs += n;
  return plan_matmul(
      {.form = form,
       .tokens = tokens,
       .rows = rows,
       .columns = columns,
       .workspace_bytes =
           workspace ? matmul_workspace_bytes(tokens, outputs) : 0,
       .shared_bytes = shared});
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_matmul_plan)

BOOST_AUTO_TEST_CASE(slices_depend_on_the_shape_of_the_weight) {
  struct row {
    weight_form form;
    std::int64_t n, k;
    int slices;
  };
  const row table[] = {
      {weight_form::bf16, 4096, 4096, 4},   // o of 8B
      {weight_form::bf16, 6144, 4096, 4},   // q, k and v as one
      {weight_form::bf16, 1024, 4096, 8},   // k
      {weight_form::bf16, 14336, 4096, 1},  // gate
      {weight_form::bf16, 28672, 4096, 1},  // gate and up
      {weight_form::bf16, 4096, 14336, 4},  // down
      {weight_form::bf16, 128256, 4096, 1}, // the head
      {weight_form::bf16, 2048, 2048, 8},   // o of 1B
      {weight_form::bf16, 8192, 2048, 2},   // gate of 1B
      {weight_form::q4_0, 256, 256, 1},     // one group
      {weight_form::q4_0, 256, 288, 2},     // and a bit
      {weight_form::q4_0, 256, 768, 2},     // three
      {weight_form::w8a8, 256, 1024, 2},    // groups of 512
      {weight_form::fp8, 256, 1024, 2},     // the same
  };
  for (const auto& r : table)
    BOOST_TEST(matmul_slices(r.form, r.n, r.k) == r.slices,
               r.n << " x " << r.k);
}

BOOST_AUTO_TEST_CASE(slices_cover_all_groups_once) {
  std::vector<int> all(59);
  std::iota(all.begin(), all.end(), 1);
  all.push_back(1 << 23); // the most
  for (const int groups : all)
    for (int slices = 1; slices <= 8 && slices <= groups; ++slices) {
      BOOST_TEST(slice_begin(groups, slices, 0) == 0);
      BOOST_TEST(slice_begin(groups, slices, slices) == groups);
      for (int i = 0; i < slices; ++i)
        BOOST_TEST(slice_begin(groups, slices, i) <
                   slice_begin(groups, slices, i + 1));
    }
}

BOOST_AUTO_TEST_CASE(tiles_grow_with_the_rows_of_x) {
  struct row {
    weight_form form;
    std::int64_t tokens;
    int tile;
  };
  const row table[] = {
      {weight_form::bf16, 1, 8},    {weight_form::bf16, 8, 8},
      {weight_form::bf16, 9, 16},   {weight_form::q4_0, 4, 8},
      {weight_form::q4_0, 5, 16},   {weight_form::q4_k, 17, 32},
      {weight_form::q6_k, 33, 64},  {weight_form::q8_0, 64, 64},
      {weight_form::w8a8, 65, 128}, {weight_form::f16, 4096, 128}};
  for (const auto& r : table)
    BOOST_TEST(plan(r.form, r.tokens, {4096}, 4096).tile_tokens == r.tile,
               r.tokens);
}

BOOST_AUTO_TEST_CASE(a_skinny_block_has_all_slices_of_its_rows) {
  const auto q_k_v = plan(weight_form::bf16, 1, {4096, 1024, 1000}, 4096);
  BOOST_TEST(q_k_v.blocks[0] == 256 / 2); // 4 slices: 2 tiles a block
  BOOST_TEST(q_k_v.blocks[1] == 64);      // 8 slices
  BOOST_TEST(q_k_v.blocks[2] == 63);
  BOOST_TEST(q_k_v.blocks[3] == 0);
  BOOST_TEST(q_k_v.workspace_bytes == 0u);
}

BOOST_AUTO_TEST_CASE(blocks_share_tiles_until_a_processor_has_one) {
  const auto o = plan(weight_form::bf16, 64, {4096}, 4096);
  BOOST_TEST(o.parts[0] == 4);
  BOOST_TEST(o.all_blocks() == 32 * 4);
  BOOST_TEST(o.workspace_bytes == counter_bytes + 32 * 4 * (32u << 10));

  const auto prompt = plan(weight_form::bf16, 2048, {4096}, 4096);
  BOOST_TEST(prompt.parts[0] == 1);
  BOOST_TEST(prompt.all_blocks() == 32 * 16);
  BOOST_TEST(prompt.workspace_bytes == 0u);

  const auto some = plan(weight_form::bf16, 256, {4096}, 4096);
  BOOST_TEST(some.parts[0] == 4); // 64 tiles
  const auto uncut = plan(weight_form::bf16, 64, {14336}, 4096);
  BOOST_TEST(uncut.parts[0] == 1); // one slice
  const auto poor =
      plan(weight_form::bf16, 64, {4096}, 4096, hopper_shared, false);
  BOOST_TEST(poor.parts[0] == 1); // no workspace
  BOOST_TEST(poor.all_blocks() == 32);
}

BOOST_AUTO_TEST_CASE(every_plan_fits_its_processor) {
  for (const auto form : forms)
    for (const auto shared : {hopper_shared, ada_shared})
      for (const std::int64_t tokens : {1, 8, 16, 32, 64, 100, 512, 4096})
        for (const std::int64_t rows : {16, 1024, 4096, 8192, 28672})
          for (const bool workspace : {true, false}) {
            const auto p = plan(form, tokens, {rows}, 8192, shared, workspace);
            BOOST_TEST(p.shared_bytes <= shared);
            const auto slices = matmul_slices(form, rows, 8192);
            BOOST_TEST(slices % p.parts[0] == 0);
            BOOST_TEST(p.workspace_bytes <=
                       matmul_workspace_bytes(tokens, rows));
            BOOST_TEST(p.blocks[0] / p.parts[0] <=
                       (p.parts[0] > 1 ? 132 : p.blocks[0]));
          }
}

BOOST_AUTO_TEST_CASE(fast_mode_cuts_as_the_gpu_likes) {
  const auto fast = [](std::int64_t tokens, std::vector<std::int64_t> rows,
                       std::int64_t columns, int processors = 132) {
    return plan_matmul(
        {.form = weight_form::bf16,
         .tokens = tokens,
         .rows = rows,
         .columns = columns,
         .workspace_bytes = matmul_workspace_bytes(tokens, 28672),
         .shared_bytes = hopper_shared,
         .mode = determinism::fast,
         .processors = processors});
  };
  // q, k and v together have 384 tiles of 16 rows; 8 warps a processor.
  const auto q_k_v = fast(1, {4096, 1024, 1024}, 4096);
  for (int i = 0; i < 3; ++i)
    BOOST_TEST(q_k_v.slices[i] == 4);
  BOOST_TEST(fast(1, {4096}, 4096, 16).slices[0] == 1);
  // 32 tiles for 132 processors; 64; as many as there are; one more.
  BOOST_TEST(fast(64, {4096}, 4096).parts[0] == 4);
  BOOST_TEST(fast(64, {8192}, 4096).parts[0] == 2);
  BOOST_TEST(fast(64, {128 * 132}, 4096).parts[0] == 1);
  BOOST_TEST(fast(64, {128 * 133}, 4096).parts[0] > 1);
  BOOST_TEST(fast(64, {4096}, 256).parts[0] == 1); // K is one group
  BOOST_TEST(fast(4096, {4096}, 4096).parts[0] == 1);
}

BOOST_AUTO_TEST_CASE(fast_plans_fit_too) {
  for (const auto form : forms)
    for (const auto shared : {hopper_shared, ada_shared})
      for (const std::int64_t tokens : {1, 8, 16, 64, 100, 512, 4096})
        for (const std::int64_t n : {16, 1024, 4096, 28672})
          for (const std::size_t workspace :
               {std::size_t{0}, matmul_workspace_bytes(tokens, n)}) {
            const std::int64_t rows[] = {n};
            const auto p = plan_matmul({.form = form,
                                        .tokens = tokens,
                                        .rows = rows,
                                        .columns = 8192,
                                        .workspace_bytes = workspace,
                                        .shared_bytes = shared,
                                        .mode = determinism::fast});
            BOOST_TEST(p.shared_bytes <= shared);
            BOOST_TEST(p.workspace_bytes <= workspace);
            BOOST_TEST(p.slices[0] % p.parts[0] == 0);
            if (p.parts[0] > 1)
              BOOST_TEST(p.blocks[0] / p.parts[0] * 4 <=
                         std::int64_t{counter_bytes});
          }
}

// Two blocks of 128 tokens, with their totals, or three of up to 64.
BOOST_AUTO_TEST_CASE(blocks_are_small_enough_to_share_a_processor) {
  constexpr int processor = 228 << 10;
  constexpr int own = 1 << 10; // of every block, the system's
  for (const auto form : forms) {
    BOOST_TEST(2 * (tall_tiles{form, 128}.shared_bytes(true) + own) <=
               processor);
    BOOST_TEST(2 * (tall_tiles{form, 64}.shared_bytes(false) + own) <=
               processor);
    BOOST_TEST(3 * (skinny_tiles{form}.shared_bytes() + own) <= processor);
    for (const int tokens : {16, 32, 64, 128})
      BOOST_TEST((tall_tiles{form, tokens}.stages) >= 3);
    BOOST_TEST(skinny_tiles{form}.stages >= 4);
  }
}

BOOST_AUTO_TEST_CASE(workspaces_grow_with_rows_and_outputs) {
  std::size_t before = 0;
  for (const std::int64_t rows : {1, 8, 64, 65, 200, 4096}) {
    const auto bytes = matmul_workspace_bytes(rows, 6144);
    BOOST_TEST(bytes >= before);
    BOOST_TEST(matmul_workspace_bytes(rows, 28672) >= bytes);
    BOOST_TEST(bytes <= std::size_t{70} << 20);
    before = bytes;
  }
}

BOOST_AUTO_TEST_SUITE_END()
