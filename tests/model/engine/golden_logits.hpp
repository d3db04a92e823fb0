// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/model/engine/plan_driver.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace sluice::test {

/// SLUICE_SOURCE names the tree where it is not that of the build.
inline std::filesystem::path source_folder() {
  const auto* elsewhere = std::getenv("SLUICE_SOURCE");
  return elsewhere ? elsewhere : SLUICE_SOURCE_DIR;
}

inline const std::filesystem::path golden_folder =
    source_folder() / "tests/golden";

inline const std::vector<std::string> golden_models{
    "llama", "llama-rope-scaled", "mistral", "qwen2", "llama-sharded"};

/// The format: tests/golden/README.md.
struct golden_file {
  std::vector<std::uint32_t> tokens;
  std::uint32_t vocab = 0;
  std::vector<float> logits; // [tokens, vocab]

  explicit golden_file(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    BOOST_REQUIRE_MESSAGE(file, "cannot open " << path);
    std::array<std::uint32_t, 4> header{}; // magic, version, tokens, vocab
    read(file, header.data(), header.size());
    BOOST_REQUIRE(std::memcmp(header.data(), "SLGD", 4) == 0);
    BOOST_REQUIRE(header[1] == 1u);
    vocab = header[3];
    tokens.resize(header[2]);
    read(file, tokens.data(), tokens.size());
    logits.resize(std::size_t{header[2]} * vocab);
    read(file, logits.data(), logits.size());
    BOOST_REQUIRE(file.good());
  }

  template <class T>
  static void read(std::ifstream& file, T* out, std::size_t count) {
    file.read(reinterpret_cast<char*>(out),
              static_cast<std::streamsize>(count * sizeof(T)));
  }

  float largest() const {
    float most = 0;
    for (const auto logit : logits)
      most = std::max(most, std::abs(logit));
    return most;
  }
};

/// Runs the tokens in chunks and returns all logits, [tokens, vocab].
inline std::vector<float>
computed_logits(engine& device, const golden_file& golden, std::size_t chunk) {
  std::vector<float> logits(golden.logits.size());
  device.observe([&](const logits_row& row) {
    std::copy(row.logits.begin(), row.logits.end(),
              logits.begin() + std::ptrdiff_t(row.position) * golden.vocab);
  });
  plan_driver driver{device, 0};
  driver.join({.key = 1, .prompt = golden.tokens, .sampling = greedy()});
  for (std::size_t at = 0; at < golden.tokens.size(); at += chunk) {
    const auto end = std::min(at + chunk, golden.tokens.size());
    driver.add({1,
                static_cast<std::uint32_t>(at),
                {golden.tokens.begin() + std::ptrdiff_t(at),
                 golden.tokens.begin() + std::ptrdiff_t(end)},
                0});
    const auto result = driver.run();
    BOOST_REQUIRE_MESSAGE(result.rows.at(0)->code == messages::ErrorCode::none,
                          result.text << result.rows.at(0)->text);
  }
  return logits;
}

inline double largest_difference(const std::vector<float>& a,
                                 const std::vector<float>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    most = std::max(most, std::abs(double{a[i]} - double{b[i]}));
  return most;
}

} // namespace sluice::test
