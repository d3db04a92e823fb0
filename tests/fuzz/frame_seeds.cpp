// SPDX-License-Identifier: Apache-2.0
// Writes the seed corpus of the frames target: `frame_seeds FOLDER`.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/random_frame.hpp"

namespace {

constexpr int seeds_per_message = 4;

using namespace sluice::messages;

void write(const std::filesystem::path& path,
           std::span<const std::byte> bytes) {
  std::ofstream out{path, std::ios::binary};
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
}

/// Random numbers seldom fit the ranges of Submit: one that does.
frame<Submit> plain_submit() {
  SubmitT submit;
  submit.id = std::make_unique<RequestId>(1, 2);
  submit.prompt = "Say hello.";
  submit.sampling = std::make_unique<SamplingT>();
  submit.sampling->logit_bias.emplace_back(7, -1.5f);
  submit.sampling->seed = 3;
  submit.stopping = std::make_unique<StopRulesT>();
  submit.stopping->stop = {"\n", "end"};
  submit.stopping->stop_tokens = {1, 2};
  return pack<Submit>(submit);
}

} // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fputs("usage: frame_seeds FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder{arguments[1]};
  std::filesystem::create_directories(folder);
  sluice::testing::generator random{1};
  sluice::testing::wire_messages::each([&]<class T>() {
    for (int i = 0; i < seeds_per_message; ++i) {
      const auto name =
          std::string{message_traits<T>::identifier} + '-' + std::to_string(i);
      write(folder / name, sluice::testing::random_frame<T>(random).bytes());
    }
  });
  write(folder / "SUB1-plain", plain_submit().bytes());
  return 0;
}
