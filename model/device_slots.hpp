// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/device_copy.hpp"

#include <cstdint>
#include <list>
#include <vector>

namespace sluice {

/// Places of one kind on a device. Whoever needs one gets that which has not
/// been used for longest: its owner finds out when it needs it again, and one
/// that is gone need not tell.
class device_slots {
public:
  explicit device_slots(std::uint32_t count);

  /// Begins a round: no place that is claimed in it goes to another until the
  /// next one.
  void begin();

  /// Whether claim() would find a place.
  bool has_room_for(const device_slot& owner) const;

  /// Gives the owner a place of its own for this round.
  /// @return whether it is the one that it had before; if not, what lies there
  ///         is another's.
  /// @throws contract_violation if there is no room.
  /// @note   allocates nothing.
  bool claim(device_slot& owner);

  /// Takes every place from its owner: what lies there is not to be trusted.
  void forget();

private:
  struct place {
    std::uint64_t stamp = 0; // of its owner; 0: nobody
    std::uint64_t round = 0; // in which it was claimed last
    std::list<std::uint32_t>::iterator age;
  };

  bool owns(const device_slot& owner) const;

  std::vector<place> places_;
  std::list<std::uint32_t> by_age_; // of places_, the oldest first
  std::uint64_t round_ = 1;
  std::uint64_t last_stamp_ = 0;
};

} // namespace sluice
