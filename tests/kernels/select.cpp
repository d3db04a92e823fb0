// SPDX-License-Identifier: Apache-2.0
#include "kernels/select.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

namespace sluice::test {

BOOST_AUTO_TEST_SUITE(select_path)

BOOST_AUTO_TEST_CASE(every_available_path_is_complete) {
  for (const instruction_set isa : available_instruction_sets()) {
    const op_table& ops = select(isa);
    BOOST_TEST((ops.isa == isa));
    BOOST_TEST(ops.embed_rows != nullptr);
    BOOST_TEST(ops.rms_norm != nullptr);
    BOOST_TEST(ops.add_rms_norm != nullptr);
    BOOST_TEST(ops.matmul != nullptr);
    BOOST_TEST(ops.rope_angles != nullptr);
    BOOST_TEST(ops.rope_store_kv != nullptr);
    BOOST_TEST(ops.paged_attention != nullptr);
    BOOST_TEST(ops.swiglu != nullptr);
    BOOST_TEST(ops.sample != nullptr);
  }
}

BOOST_AUTO_TEST_CASE(detection_picks_an_available_path) {
  BOOST_TEST(available(detect()));
  BOOST_TEST((detect() != instruction_set::reference));
  BOOST_TEST(
      (available_instruction_sets().front() == instruction_set::reference));
}

BOOST_AUTO_TEST_CASE(names_round_trip) {
  for (const auto isa :
       {instruction_set::reference, instruction_set::portable,
        instruction_set::avx2, instruction_set::avx512, instruction_set::amx}) {
    BOOST_TEST((parse_instruction_set(name(isa)) == isa));
  }
  BOOST_TEST(!parse_instruction_set("sse9").has_value());
}

BOOST_AUTO_TEST_CASE(a_missing_path_is_refused_by_name) {
  for (const auto isa :
       {instruction_set::avx2, instruction_set::avx512, instruction_set::amx}) {
    if (available(isa)) {
      continue;
    }
    BOOST_CHECK_EXCEPTION(select(isa), contract_violation,
                          [isa](const contract_violation& e) {
                            const std::string_view text = e.what();
                            return text.find(name(isa)) != text.npos &&
                                   text.find("portable") != text.npos;
                          });
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::test
