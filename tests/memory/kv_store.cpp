// SPDX-License-Identifier: Apache-2.0
#include "memory/kv_store.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>

using namespace sluice;

namespace {

constexpr kv_shape small{.layers = 2,
                         .kv_heads = 3,
                         .head_dim = 8,
                         .pages = 4,
                         .page_tokens = 16,
                         .type = dtype::f16};

} // namespace

BOOST_AUTO_TEST_SUITE(kv_store_test)

BOOST_AUTO_TEST_CASE(layers_lie_one_after_the_other) {
  const kv_store store{small};
  const auto half = std::ptrdiff_t{4} * 3 * 16 * 8 * 2;
  BOOST_TEST(store.bytes() == static_cast<std::uint64_t>(4 * half));
  BOOST_TEST(store.layer(0).v - store.layer(0).k == half);
  BOOST_TEST(store.layer(1).k - store.layer(0).k == 2 * half);
  BOOST_TEST(store.layer(1).head_dim == 8);
  BOOST_CHECK_THROW(store.layer(2), contract_violation);
}

BOOST_AUTO_TEST_CASE(scales_of_bytes_lie_behind_the_values) {
  for (const auto type : {dtype::i8, dtype::f8_e4m3}) {
    auto shape = small;
    shape.type = type;
    const kv_store store{shape};
    constexpr std::ptrdiff_t heads = 4 * 3 * 16;
    BOOST_TEST(store.bytes() == 2u * 2 * heads * (8 + 4));
    BOOST_TEST(store.bytes() == kv_store_bytes(shape));
    const auto second = store.layer(1);
    BOOST_TEST(second.v - second.k == heads * 8);
    BOOST_TEST(reinterpret_cast<std::byte*>(second.k_scales) - second.v ==
               heads * 8);
    BOOST_TEST(second.v_scales - second.k_scales == heads);
    BOOST_TEST(second.k - store.layer(0).k == 2 * heads * (8 + 4));
    BOOST_TEST(kv_store{small}.layer(0).k_scales == nullptr);
  }
}

BOOST_AUTO_TEST_CASE(types_have_the_names_of_configurations) {
  BOOST_TEST((parse_kv_type("fp8") == dtype::f8_e4m3));
  BOOST_TEST((parse_kv_type("i8") == dtype::i8));
  BOOST_TEST(kv_type_name(dtype::f8_e4m3) == "fp8");
  BOOST_TEST(kv_type_name(dtype::bf16) == "bf16");
  for (const char* other : {"f8_e4m3", "w8a8", "q8_0", ""})
    BOOST_TEST(!parse_kv_type(other));
}

BOOST_AUTO_TEST_CASE(it_begins_with_zeros_and_is_aligned) {
  const kv_store store{small};
  const auto* first = store.layer(0).k;
  BOOST_TEST(reinterpret_cast<std::uintptr_t>(first) % 64 == 0u);
  BOOST_TEST(std::all_of(first, first + store.bytes(),
                         [](std::byte b) { return b == std::byte{0}; }));
}

BOOST_AUTO_TEST_CASE(impossible_shapes_are_refused) {
  for (const auto page_tokens : {0u, 4u, 24u, 256u}) {
    auto shape = small;
    shape.page_tokens = page_tokens;
    BOOST_CHECK_THROW(kv_store{shape}, contract_violation);
  }
  auto shape = small;
  shape.type = dtype::q4_0;
  BOOST_CHECK_THROW(kv_store{shape}, contract_violation);
}

BOOST_AUTO_TEST_CASE(sizes_that_overflow_or_cannot_be_had_name_their_numbers) {
  auto shape = small;
  shape.pages = ~0u;
  shape.head_dim = ~0u;
  shape.kv_heads = ~0u;
  BOOST_CHECK_EXCEPTION(
      kv_store{shape}, memory_error, [](const memory_error& error) {
        return std::string{error.what()}.find("4294967295 pages") !=
               std::string::npos;
      });
  shape = small;
  shape.pages = ~0u;
  shape.head_dim = 4096; // about 200 PiB: fits 63 bits, not the machine
  shape.layers = 64;
  BOOST_CHECK_EXCEPTION(
      kv_store{shape}, memory_error, [](const memory_error& error) {
        return std::string{error.what()}.find("MiB cannot be had") !=
               std::string::npos;
      });
}

BOOST_AUTO_TEST_SUITE_END()
