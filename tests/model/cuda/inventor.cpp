// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_inventor.hpp"

#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "model/bare_model.hpp"
#include "model/cuda/cuda_weights.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstring>
#include <set>

using namespace sluice;

namespace {

std::vector<std::byte> copied(const std::byte* from, std::size_t bytes,
                              cuda::stream& in) {
  std::vector<std::byte> host(bytes);
  in.copy(host.data(), from, bytes);
  in.wait();
  return host;
}

struct moments {
  double mean = 0;
  double variance = 0;
};

moments moments_of(const std::vector<float>& all) {
  moments found;
  for (const auto x : all)
    found.mean += x / static_cast<double>(all.size());
  for (const auto x : all)
    found.variance +=
        (x - found.mean) * (x - found.mean) / static_cast<double>(all.size());
  return found;
}

std::vector<float> invented(dtype type, std::int64_t rows,
                            std::int64_t columns) {
  cuda::stream work;
  const auto form = cuda::form_of(type);
  const cuda::device_memory memory{
      cuda::device_weight_bytes(form, rows, columns)};
  cuda_inventor inventor;
  inventor.weight(type, rows, columns, memory.data(), work);
  const auto packed = copied(memory.data(), memory.bytes(), work);
  std::vector<float> all(static_cast<std::size_t>(rows * columns));
  for (std::int64_t row = 0; row < rows; ++row)
    cuda::unpack_device_weight(form, rows, columns, packed, row,
                               &all[static_cast<std::size_t>(row * columns)]);
  return all;
}

architecture small_architecture() {
  architecture arch;
  arch.family = "llama";
  arch.layers = 2;
  arch.hidden = arch.ffn = 256;
  arch.heads = 4;
  arch.kv_heads = 2;
  arch.head_dim = arch.rope.rotary_dim = 64;
  arch.vocab = 512;
  arch.context = 64;
  arch.norm_epsilon = 1e-5f;
  return arch;
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_invented_weights)

BOOST_AUTO_TEST_CASE(every_form_has_the_wanted_moments) {
  for (const auto type :
       {dtype::f32, dtype::bf16, dtype::f16, dtype::q8_0, dtype::q4_0,
        dtype::q4_k, dtype::q6_k, dtype::q5_k, dtype::w8a8}) {
    const auto found = moments_of(invented(type, 80, 768));
    BOOST_TEST(std::fabs(found.mean) * std::sqrt(768.0) < 0.05, name(type));
    BOOST_TEST(std::fabs(found.variance * 768 - 1) < 0.1, name(type));
  }
}

BOOST_AUTO_TEST_CASE(rows_do_not_repeat) {
  const auto all = invented(dtype::q4_0, 512, 512);
  std::set<std::vector<float>> rows;
  for (std::size_t at = 0; at < all.size(); at += 512)
    rows.insert({all.begin() + static_cast<std::ptrdiff_t>(at),
                 all.begin() + static_cast<std::ptrdiff_t>(at + 512)});
  BOOST_TEST(rows.size() == 512u);
}

BOOST_AUTO_TEST_CASE(an_embedding_has_unit_variance) {
  cuda::stream work;
  constexpr std::int64_t rows = 64, columns = 96;
  const cuda::device_memory memory{rows * columns * 2};
  cuda_inventor inventor;
  inventor.embedding(dtype::bf16, rows, columns, memory.data(), work);
  std::vector<float> all;
  const auto host = copied(memory.data(), memory.bytes(), work);
  for (std::size_t at = 0; at < host.size(); at += 2) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, &host[at], sizeof bits);
    all.push_back(bf16_to_f32(bits));
  }
  BOOST_TEST(std::fabs(moments_of(all).variance - 1) < 0.1);
  BOOST_CHECK_THROW(
      inventor.embedding(dtype::bf16, 60, columns, memory.data(), work),
      contract_violation);
}

BOOST_AUTO_TEST_CASE(a_bare_model_gets_all_of_its_weights) {
  cuda::stream work;
  for (const auto type : {dtype::bf16, dtype::q4_k, dtype::w8a8}) {
    const auto model = bare_model("bare", small_architecture(), type);
    const cuda::device_memory memory{cuda_weight_bytes(*model)};
    const auto loaded =
        upload_weights(*model, {memory.data(), memory.bytes()}, {}, work);
    BOOST_TEST(loaded.bytes == cuda_weight_bytes(*model));
    BOOST_TEST(loaded.layers.size() == 2u);
    const auto& down = loaded.layers[1].down;
    BOOST_TEST((down.form == cuda::form_of(type)));
    const auto packed =
        copied(down.data, cuda::device_weight_bytes(down.form, 256, 256), work);
    std::vector<float> row(256);
    cuda::unpack_device_weight(down.form, 256, 256, packed, 255, row.data());
    BOOST_TEST(std::fabs(moments_of(row).variance * 256 - 1) < 0.5);
    float one = 0;
    work.copy(&one, loaded.final_norm + 255, sizeof one);
    work.wait();
    BOOST_TEST(one == 1);
  }
}

BOOST_AUTO_TEST_SUITE_END()
