// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>

namespace sluice {

/// @return true if the bytes are well-formed UTF-8: no overlong forms, no
///         surrogates, nothing above U+10FFFF.
/// @source The Unicode Standard 15, table 3-7.
bool is_utf8(std::span<const std::byte> bytes);

} // namespace sluice
