// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/cuda/ops.hpp"
#include "tests/kernels/cuda/device_array.hpp"

#include <boost/test/unit_test.hpp>

#include <numeric>

namespace sluice::test {

namespace {

// A cache of five pages in which every byte tells its place.
struct copy_run {
  copy_run(dtype type, std::int64_t page_tokens, std::int64_t head_dim)
      : type(type), page_tokens(page_tokens), head_dim(head_dim),
        k(5 * page_bytes()), v(5 * page_bytes()), k_scales(5 * page_heads()),
        v_scales(5 * page_heads()) {
    for (std::size_t i = 0; i < k.size(); ++i) {
      k[i] = static_cast<std::byte>(i * 7 + i / 251);
      v[i] = static_cast<std::byte>(i * 11 + i / 241);
    }
    std::iota(k_scales.begin(), k_scales.end(), 1.f);
    std::iota(v_scales.begin(), v_scales.end(), 0.5f);
  }

  std::size_t page_heads() const {
    return static_cast<std::size_t>(kv_heads * page_tokens);
  }
  std::size_t page_bytes() const {
    return row_bytes(type, kv_heads * page_tokens * head_dim);
  }

  void run(const std::vector<std::uint32_t>& from,
           const std::vector<std::uint32_t>& to) {
    cuda::stream in;
    const device_array<std::byte> on_k(in, std::span<const std::byte>{k});
    const device_array<std::byte> on_v(in, std::span<const std::byte>{v});
    const device_array<float> on_ks(in, std::span<const float>{k_scales});
    const device_array<float> on_vs(in, std::span<const float>{v_scales});
    const device_array<std::uint32_t> source(
        in, std::span<const std::uint32_t>{from});
    const device_array<std::uint32_t> target(
        in, std::span<const std::uint32_t>{to});
    cuda::copy_pages(
        {.cache = {on_k.bytes(), on_v.bytes(), type, 5, kv_heads, page_tokens,
                   head_dim, on_ks.data(), on_vs.data()},
         .from = source.data(),
         .to = target.data(),
         .count = std::ssize(from)},
        in);
    k = on_k.values();
    v = on_v.values();
    k_scales = on_ks.values();
    v_scales = on_vs.values();
  }

  // The same on the host.
  void expect(std::size_t from, std::size_t to) {
    const auto copy = [&](auto& all, std::size_t page) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(from * page);
      std::copy(first, first + static_cast<std::ptrdiff_t>(page),
                all.begin() + static_cast<std::ptrdiff_t>(to * page));
    };
    copy(k, page_bytes());
    copy(v, page_bytes());
    if (is_scaled(type)) {
      copy(k_scales, page_heads());
      copy(v_scales, page_heads());
    }
  }

  bool operator==(const copy_run&) const = default;

  dtype type;
  std::int64_t page_tokens;
  std::int64_t head_dim;
  std::int64_t kv_heads = 2;
  std::vector<std::byte> k, v;
  std::vector<float> k_scales, v_scales;
};

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_page_copy)

BOOST_AUTO_TEST_CASE(copies_whole_pages_and_nothing_else) {
  for (const dtype type : {dtype::f16, dtype::bf16, dtype::i8, dtype::f8_e4m3})
    for (const std::int64_t page_tokens : {8, 16, 128})
      for (const std::int64_t head_dim : {32, 128}) {
        copy_run ours(type, page_tokens, head_dim);
        copy_run expected = ours;
        ours.run({3, 3, 0}, {1, 4, 2});
        expected.expect(3, 1);
        expected.expect(3, 4);
        expected.expect(0, 2);
        BOOST_TEST((ours == expected), name(type)
                                           << ", pages of " << page_tokens
                                           << ", " << head_dim);
      }
}

BOOST_AUTO_TEST_CASE(no_pages_are_no_work) {
  copy_run ours(dtype::i8, 16, 64);
  const copy_run before = ours;
  ours.run({}, {});
  BOOST_TEST((ours == before));
}

BOOST_AUTO_TEST_CASE(malformed_caches_are_refused) {
  copy_run odd(dtype::f16, 12, 64);
  BOOST_CHECK_THROW(odd.run({0}, {1}), contract_violation);
  copy_run wide(dtype::f32, 16, 64);
  BOOST_CHECK_THROW(wide.run({0}, {1}), contract_violation);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
