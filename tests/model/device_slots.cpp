// SPDX-License-Identifier: Apache-2.0
#include "model/device_slots.hpp"

#include "kernels/check.hpp"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace sluice;

namespace {

/// Owners claim places, round by round, as a table says.
struct claims {
  explicit claims(std::uint32_t places) : slots{places} {}

  /// @return for each claim the place, and whether it was theirs.
  std::string round(const std::string& who) {
    slots.begin();
    std::string found;
    for (const char owner : who) {
      const bool had = slots.claim(owners[owner]);
      found += std::to_string(owners[owner].index) + (had ? "=" : "!");
    }
    return found;
  }

  device_slots slots;
  std::map<char, device_slot> owners;
};

} // namespace

BOOST_AUTO_TEST_SUITE(device_slots_test)

BOOST_AUTO_TEST_CASE(the_one_not_used_for_longest_goes_to_who_needs_one) {
  struct step {
    const char* who;
    const char* found; // place, "=" if it was theirs
  };
  claims all{3};
  for (const auto& [who, found] : std::vector<step>{
           {"ab", "0!1!"},   // those that are free first
           {"ba", "1=0="},   // theirs, in any order
           {"c", "2!"},      // the last free one
           {"d", "1!"},      // b's, used before a's
           {"b", "0!"},      // a's
           {"acd", "2!1!0!"} // c's, so c takes d's, so d takes b's
       })
    BOOST_TEST(all.round(who) == found);
}

BOOST_AUTO_TEST_CASE(no_place_changes_hands_twice_in_a_round) {
  claims all{2};
  all.round("ab");
  all.slots.begin();
  BOOST_TEST(!all.slots.claim(all.owners['c'])); // a's
  BOOST_TEST(all.slots.claim(all.owners['b']));
  BOOST_TEST(!all.slots.has_room_for(all.owners['a']));
  BOOST_TEST(all.slots.has_room_for(all.owners['b']));
  BOOST_CHECK_THROW(all.slots.claim(all.owners['a']), contract_violation);
  all.slots.begin();
  BOOST_TEST(all.slots.has_room_for(all.owners['a']));
}

BOOST_AUTO_TEST_CASE(what_is_forgotten_belongs_to_nobody) {
  claims all{2};
  all.round("ab");
  all.slots.forget();
  BOOST_TEST(all.round("ba") == "0!1!");
}

BOOST_AUTO_TEST_CASE(an_owner_that_begins_anew_is_another) {
  claims all{1};
  all.round("a");
  const auto before = std::exchange(all.owners['a'], {});
  BOOST_TEST(all.round("a") == "0!");
  all.owners['a'] = before;
  BOOST_TEST(all.round("a") == "0!");
}

// Against what is so by definition.
BOOST_AUTO_TEST_CASE(places_are_never_shared) {
  constexpr std::uint32_t places = 5;
  std::mt19937 random{1};
  device_slots slots{places};
  std::vector<device_slot> owners(12);
  std::map<std::uint32_t, std::size_t> owner_of; // places
  for (int round = 0; round < 500; ++round) {
    slots.begin();
    std::set<std::uint32_t> used;
    for (std::size_t i = 0; i < places; ++i) {
      const auto who = random() % owners.size();
      const auto at = owner_of.find(owners[who].index);
      const bool has =
          at != owner_of.end() && at->second == who && owners[who].stamp != 0;
      if (random() % 20 == 0)
        owners[who] = {};
      const bool kept = has && owners[who].stamp != 0;
      if (!slots.has_room_for(owners[who]))
        continue;
      BOOST_TEST(slots.claim(owners[who]) == kept);
      if (!kept)
        BOOST_TEST(used.insert(owners[who].index).second);
      used.insert(owners[who].index);
      owner_of[owners[who].index] = who;
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
