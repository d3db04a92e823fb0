// SPDX-License-Identifier: Apache-2.0
#include "model/quantize/recipe.hpp"

#include "kernels/convert.hpp"

#include <boost/test/unit_test.hpp>

namespace sluice::test {

namespace {

std::optional<dtype> type_of(const char* recipe, recipe_matrix matrix) {
  return recipe_type(*find_recipe(recipe), matrix);
}

std::optional<dtype> type_in_layer(std::uint32_t layer, const char* role) {
  const auto name = "blk." + std::to_string(layer) + "." + role + ".weight";
  return type_of("q4_k_m", {name, 32, false, 4096});
}

} // namespace

BOOST_AUTO_TEST_SUITE(quantize_recipes)

BOOST_AUTO_TEST_CASE(every_weight_type_is_a_recipe) {
  for (const auto type : weight_types()) {
    const auto* recipe = find_recipe(name(type));
    BOOST_REQUIRE_MESSAGE(recipe, name(type));
    for (const char* matrix : {"output.weight", "blk.0.attn_v.weight"})
      BOOST_TEST((recipe_type(*recipe, {matrix, 32, true, 512}) == type));
    BOOST_TEST(recipe_list().find(name(type)) != std::string::npos);
  }
  BOOST_TEST(!find_recipe("q4_k_x"));
  BOOST_TEST(!find_recipe("i8"));
}

BOOST_AUTO_TEST_CASE(a_mixture_keeps_half_of_what_matters) {
  BOOST_TEST(
      (type_of("q4_k_m", {"output.weight", 32, false, 4096}) == dtype::q6_k));
  BOOST_TEST(
      (type_of("q5_k_m", {"output.weight", 32, false, 4096}) == dtype::q6_k));
  BOOST_TEST((type_of("q4_k_m", {"token_embd.weight", 32, false, 4096}) ==
              dtype::q4_k));
  BOOST_TEST((type_of("q4_k_m", {"token_embd.weight", 32, true, 4096}) ==
              dtype::q6_k));
  int finer = 0;
  for (std::uint32_t layer = 0; layer < 32; ++layer) {
    BOOST_TEST((type_in_layer(layer, "attn_q") == dtype::q4_k));
    BOOST_TEST((type_in_layer(layer, "ffn_up") == dtype::q4_k));
    BOOST_TEST(
        (type_in_layer(layer, "attn_v") == type_in_layer(layer, "ffn_down")));
    finer += type_in_layer(layer, "attn_v") == dtype::q6_k;
  }
  // Layers 0-3, 28-31 and 6, 9, .., 27.
  BOOST_TEST(finer == 16);
  BOOST_TEST((type_in_layer(3, "attn_v") == dtype::q6_k));
  BOOST_TEST((type_in_layer(4, "attn_v") == dtype::q4_k));
  BOOST_TEST((type_in_layer(6, "attn_v") == dtype::q6_k));
  BOOST_TEST((type_in_layer(28, "attn_v") == dtype::q6_k));
}

BOOST_AUTO_TEST_CASE(rows_that_are_no_super_blocks_get_small_blocks) {
  const std::pair<const char*, dtype> cases[] = {
      {"q2_k", dtype::iq4_nl}, {"q3_k", dtype::iq4_nl},
      {"q4_k", dtype::q5_0},   {"q5_k", dtype::q5_1},
      {"q6_k", dtype::q8_0},   {"iq4_xs", dtype::iq4_nl}};
  for (const auto& [recipe, type] : cases) {
    BOOST_TEST((type_of(recipe, {"output.weight", 1, false, 96}) == type));
    BOOST_TEST(!type_of(recipe, {"output.weight", 1, false, 100}));
  }
  BOOST_TEST(!type_of("q4_0", {"output.weight", 1, false, 100}));
  BOOST_TEST(
      (type_of("w8a8", {"output.weight", 1, false, 100}) == dtype::w8a8));
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
