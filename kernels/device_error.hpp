// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace sluice {

/// A call of a device failed. The text says which, and what the device says.
class device_error : public std::runtime_error {
public:
  /// @param sticky  the device is lost, with all that lies in its memory:
  ///                nothing works until it is made anew.
  device_error(const std::string& text, bool sticky)
      : std::runtime_error{text}, sticky_{sticky} {}
  bool sticky() const noexcept { return sticky_; }

private:
  bool sticky_;
};

} // namespace sluice
