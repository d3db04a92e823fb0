// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "kernels/tensor.hpp"

namespace sluice::cli {

/// "q4_0" -> dtype::q4_0, for the types that weights can have.
/// @throws client::bad_request with the list of them.
dtype parse_type(std::string_view text);

/// The same for what a KV cache can hold.
dtype parse_cache_type(std::string_view text);

} // namespace sluice::cli
