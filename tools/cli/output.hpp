// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>

namespace sluice::cli {

/// Output cannot be written: one line with the file's name.
class output_error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The reader of a pipe has left; a command ends quietly then.
class output_closed : public output_error {
  using output_error::output_error;
};

/// Writes to stdout at once, so that text streams.
/// @throws output_closed, output_error.
void print(std::string_view text);

/// The same with a newline.
void print_line(std::string text);

} // namespace sluice::cli
