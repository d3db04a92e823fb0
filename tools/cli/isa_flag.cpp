// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/isa_flag.hpp"

#include "tools/client/client.hpp"

namespace sluice::cli {

void add_isa_flag(CLI::App& app, std::string& text) {
  app.add_option("--isa", text,
                 "amx, avx512, avx2, portable or reference; "
                 "default: the best of this CPU");
}

instruction_set isa_of(const std::string& text) {
  if (text.empty())
    return detect();
  const auto isa = parse_instruction_set(text);
  if (isa && available(*isa))
    return *isa;
  std::string known;
  for (const auto path : available_instruction_sets())
    known += (known.empty() ? "" : ", ") + std::string{name(path)};
  throw client::bad_request{"--isa '" + text +
                            "' is not to be had here; choose one of " + known};
}

} // namespace sluice::cli
