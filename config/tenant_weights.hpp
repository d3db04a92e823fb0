// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace sluice::config {

/// Reads "gold=4,free=1": weights from 1 to 1000 by tenant; blanks around names
/// and numbers do not count, an empty text is no weights.
/// @throws config_error with the part that is wrong and how to write it.
std::map<std::string, std::uint32_t>
parse_tenant_weights(std::string_view text);

} // namespace sluice::config
