// SPDX-License-Identifier: Apache-2.0
#include "model/device_slots.hpp"

#include "kernels/check.hpp"

namespace sluice {

device_slots::device_slots(std::uint32_t count) : places_(count) {
  for (std::uint32_t i = 0; i < count; ++i)
    places_[i].age = by_age_.insert(by_age_.end(), i);
}

void device_slots::begin() {
  ++round_;
}

bool device_slots::owns(const device_slot& owner) const {
  return owner.stamp != 0 && owner.index < places_.size() &&
         places_[owner.index].stamp == owner.stamp;
}

bool device_slots::has_room_for(const device_slot& owner) const {
  return owns(owner) ||
         (!by_age_.empty() && places_[by_age_.front()].round < round_);
}

bool device_slots::claim(device_slot& owner) {
  require(has_room_for(owner),
          "device_slots: every place is in use; claim fewer in a round");
  const bool had = owns(owner);
  if (!had)
    owner = {by_age_.front(), ++last_stamp_};
  auto& place = places_[owner.index];
  place.stamp = owner.stamp;
  place.round = round_;
  by_age_.splice(by_age_.end(), by_age_, place.age);
  return had;
}

void device_slots::forget() {
  for (auto& place : places_)
    place.stamp = 0;
}

} // namespace sluice
