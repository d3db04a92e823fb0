// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/checkpoint/model_error.hpp"

#include <functional>
#include <optional>
#include <string>

#include <boost/test/unit_test.hpp>

namespace sluice::test {

/// Runs `action` and expects a model_error of one kind, in one line.
/// @return its text, "" if there was none.
inline std::string check_refused(const std::string& what, model_fault expected,
                                 const std::function<void()>& action) {
  try {
    action();
  } catch (const model_error& error) {
    const std::string text = error.what();
    BOOST_TEST(name(error.code()) == name(expected), what << ": " << text);
    BOOST_TEST(text.find('\n') == text.npos, what << ": more than one line");
    return text;
  }
  BOOST_ERROR(what + ": was accepted");
  return "";
}

} // namespace sluice::test
