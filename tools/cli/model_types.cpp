// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/model_types.hpp"

#include <string>

#include "kernels/convert.hpp"
#include "memory/kv_layout.hpp"
#include "tools/client/events.hpp"

namespace sluice::cli {

dtype parse_type(std::string_view text) {
  if (const auto type = parse_weight_type(text))
    return *type;
  throw client::bad_request{"unknown type '" + std::string{text} +
                            "'; known are: " + weight_type_list()};
}

dtype parse_cache_type(std::string_view text) {
  if (const auto type = parse_kv_type(text))
    return *type;
  throw client::bad_request{"unknown cache type '" + std::string{text} +
                            "'; known are: f32, f16, bf16, i8, fp8"};
}

} // namespace sluice::cli
