// SPDX-License-Identifier: Apache-2.0
#include "memory/swap_store.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

using namespace sluice;

namespace {

constexpr dtype kv_types[] = {dtype::f32, dtype::f16, dtype::bf16, dtype::i8,
                              dtype::f8_e4m3};

kv_shape shape_of(dtype type) {
  return {.layers = 3,
          .kv_heads = 2,
          .head_dim = 5,
          .pages = 4,
          .page_tokens = 8,
          .type = type};
}

std::span<std::byte> bytes_of(const kv_store& store) {
  return {store.layer(0).k, store.bytes()};
}

void fill(const kv_store& store, std::uint32_t seed) {
  std::mt19937 random{seed};
  for (auto& byte : bytes_of(store))
    byte = static_cast<std::byte>(random());
}

std::vector<std::byte> page_of(const kv_store& store, page_id page) {
  std::vector<std::byte> bytes(kv_page_bytes(store.shape()));
  store.save_page(page, bytes);
  return bytes;
}

/// Every element of a page, found by the layout that kernels use.
std::vector<std::byte> elements_of(const kv_store& store, page_id page) {
  std::vector<std::byte> result;
  const auto add = [&](const void* from, std::size_t size) {
    const auto* first = static_cast<const std::byte*>(from);
    result.insert(result.end(), first, first + size);
  };
  for (std::uint32_t index = 0; index < store.shape().layers; ++index) {
    const auto kv = store.layer(index);
    for (std::int64_t row = 0; row < kv.kv_heads * kv.page_tokens; ++row) {
      const auto at = page * kv.kv_heads * kv.page_tokens + row;
      const auto head = kv.head_dim * std::int64_t(block_bytes(kv.type));
      add(kv.k + at * head, std::size_t(head));
      add(kv.v + at * head, std::size_t(head));
      if (kv.k_scales) {
        add(kv.k_scales + at, sizeof(float));
        add(kv.v_scales + at, sizeof(float));
      }
    }
  }
  return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(swap_store_test)

BOOST_AUTO_TEST_CASE(a_copied_page_is_the_same_to_the_byte) {
  for (const auto type : kv_types) {
    BOOST_TEST_CONTEXT(name(type)) {
      kv_store store{shape_of(type)};
      fill(store, 1);
      std::vector<std::vector<std::byte>> before;
      for (page_id page = 0; page < 4; ++page)
        before.push_back(elements_of(store, page));
      store.copy_page(3, 1);
      store.copy_page(0, 2);
      store.copy_page(0, 0);
      BOOST_TEST((elements_of(store, 0) == before[0]));
      BOOST_TEST((elements_of(store, 1) == before[3]));
      BOOST_TEST((elements_of(store, 2) == before[0]));
      BOOST_TEST((elements_of(store, 3) == before[3]));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_page_comes_back_to_the_byte) {
  for (const auto type : kv_types) {
    BOOST_TEST_CONTEXT(name(type)) {
      kv_store store{shape_of(type)};
      swap_store host{store.shape(), 2};
      fill(store, 2);
      const auto second = elements_of(store, 2);
      const auto third = elements_of(store, 3);
      host.save(store, 2, 1);
      host.save(store, 3, 0);
      fill(store, 3);
      const auto untouched = elements_of(store, 1);
      host.restore(store, 0, 1); // to another place
      host.restore(store, 3, 0);
      BOOST_TEST((elements_of(store, 0) == second));
      BOOST_TEST((elements_of(store, 3) == third));
      BOOST_TEST((elements_of(store, 1) == untouched));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_saved_page_holds_all_its_bytes) {
  for (const auto type : kv_types) {
    const kv_store store{shape_of(type)};
    fill(store, 4);
    BOOST_TEST(kv_page_bytes(store.shape()) * 4 == store.bytes());
    auto saved = page_of(store, 2);
    auto elements = elements_of(store, 2);
    std::sort(saved.begin(), saved.end());
    std::sort(elements.begin(), elements.end());
    BOOST_TEST((saved == elements));
  }
}

BOOST_AUTO_TEST_CASE(strange_pages_slots_and_shapes_are_refused) {
  kv_store store{shape_of(dtype::i8)};
  swap_store host{store.shape(), 2};
  std::vector<std::byte> bytes(kv_page_bytes(store.shape()));
  const auto part = std::span{bytes}.first(bytes.size() - 1);
  kv_store other{shape_of(dtype::f16)};
  BOOST_CHECK_THROW(store.copy_page(0, 4), contract_violation);
  BOOST_CHECK_THROW(store.copy_page(4, 0), contract_violation);
  BOOST_CHECK_THROW(store.save_page(4, bytes), contract_violation);
  BOOST_CHECK_THROW(store.save_page(0, part), contract_violation);
  BOOST_CHECK_THROW(store.restore_page(0, part), contract_violation);
  BOOST_CHECK_THROW(host.save(store, 0, 2), contract_violation);
  BOOST_CHECK_THROW(host.save(store, 4, 0), contract_violation);
  BOOST_CHECK_THROW(host.save(other, 0, 0), contract_violation);
}

BOOST_AUTO_TEST_CASE(no_slots_cost_nothing_and_too_many_are_refused) {
  const swap_store none{shape_of(dtype::f16), 0};
  BOOST_TEST(none.bytes() == 0u);
  auto shape = shape_of(dtype::f32);
  shape.layers = 1u << 16;
  shape.head_dim = 1u << 16;
  BOOST_CHECK_THROW(swap_store(shape, ~0u), memory_error);
}

BOOST_AUTO_TEST_SUITE_END()
