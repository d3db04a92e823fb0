// SPDX-License-Identifier: Apache-2.0
#include "memory/block_hash.hpp"

#include <boost/test/unit_test.hpp>

#include <vector>

using namespace sluice;

BOOST_AUTO_TEST_SUITE(block_hash_test)

BOOST_AUTO_TEST_CASE(every_part_of_a_scope_counts) {
  const prefix_scope plain{"weights", "f16", "rope", "adapter", "tenant"};
  const auto hash = hash_scope(1, plain);
  BOOST_TEST((hash == hash_scope(1, plain)));
  BOOST_TEST((hash != hash_scope(2, plain)));
  for (const auto part :
       {&prefix_scope::weights, &prefix_scope::kv_type, &prefix_scope::rope,
        &prefix_scope::adapter, &prefix_scope::tenant}) {
    auto other = plain;
    other.*part += '!';
    BOOST_TEST((hash != hash_scope(1, other)));
  }
}

BOOST_AUTO_TEST_CASE(parts_of_a_scope_do_not_run_into_each_other) {
  BOOST_TEST((hash_scope(1, {"ab", "c"}) != hash_scope(1, {"a", "bc"})));
}

BOOST_AUTO_TEST_CASE(a_block_hash_depends_on_seed_parent_and_tokens) {
  const std::vector<std::uint32_t> tokens{1, 2, 3, 4};
  const auto hash = hash_block(1, {5, 6}, tokens);
  BOOST_TEST((hash == hash_block(1, {5, 6}, tokens)));
  BOOST_TEST((hash != hash_block(2, {5, 6}, tokens)));
  BOOST_TEST((hash != hash_block(1, {6, 5}, tokens)));
  BOOST_TEST((hash != hash_block(1, {5, 7}, tokens)));
  BOOST_TEST((hash != hash_block(1, {5, 6}, std::vector{1u, 2u, 3u, 5u})));
  BOOST_TEST((hash != hash_block(1, {5, 6}, {})));
}

BOOST_AUTO_TEST_SUITE_END()
