// SPDX-License-Identifier: Apache-2.0
#include "model/bare_model.hpp"

#include <boost/test/unit_test.hpp>

using namespace sluice;

BOOST_AUTO_TEST_SUITE(bare_models)

BOOST_AUTO_TEST_CASE(a_shape_has_sizes_and_no_bytes) {
  const auto model = bare_model({.shape = "llama-8b", .type = dtype::q4_0});
  BOOST_TEST(model->name == "llama-8b-q4_0");
  BOOST_TEST(model->arch.vocab == 128'256u); // as published
  BOOST_TEST(model->arch.context == 131'072u);
  BOOST_TEST(model->tensors.layers.size() == 32u);
  const auto& layer = model->tensors.layers.back();
  BOOST_TEST(layer.k.rows == 1'024);
  BOOST_TEST(layer.down.columns == 14'336);
  BOOST_TEST(is_bare(layer.down));
  BOOST_TEST(layer.down.row_stride_bytes == row_bytes(dtype::q4_0, 14'336));
  BOOST_TEST(layer.attn_norm.size() == 4'096u);
  BOOST_TEST(layer.attn_norm.back() == 1);
  BOOST_TEST(!model->text);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_made_is_refused) {
  BOOST_CHECK_THROW(bare_model({.shape = "llama-9b"}), model_error);
  BOOST_CHECK_THROW(bare_model({.shape = "mixtral-small"}), model_error);
  BOOST_CHECK_THROW(
      bare_model(
          {.shape = "llama-1b", .type = dtype::q4_0, .context = 1u << 30}),
      model_error);
}

BOOST_AUTO_TEST_SUITE_END()
