// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/model_types.hpp"

#include <array>
#include <string>

#include "tools/client/events.hpp"

namespace sluice::cli {

dtype parse_type(std::string_view text) {
  constexpr std::array types{dtype::f32, dtype::f16, dtype::bf16, dtype::q8_0,
                             dtype::q4_0};
  std::string known;
  for (const auto type : types) {
    if (name(type) == text)
      return type;
    known += (known.empty() ? "" : ", ") + std::string{name(type)};
  }
  throw client::bad_request{"unknown type '" + std::string{text} +
                            "'; known are: " + known};
}

} // namespace sluice::cli
