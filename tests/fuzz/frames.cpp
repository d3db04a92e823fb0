// SPDX-License-Identifier: Apache-2.0
#include "messages/frame.hpp"

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "flatbuffers/minireflect.h"
#include "tests/support/random_frame.hpp"

// What a client may send is parsed as what it says that it is. What is taken
// is read in full, and sent on: its copy must be taken too.
namespace {

using namespace sluice::messages;
using sluice::testing::wire_messages;

void check(bool holds) {
  if (!holds)
    std::abort();
}

template <class T>
std::string read_all(const frame<T>& message) {
  const auto* first =
      reinterpret_cast<const std::uint8_t*>(message.bytes().data());
  return flatbuffers::FlatBufferToString(first, T::MiniReflectTypeTable());
}

template <class T>
void take(std::span<const std::byte> bytes) {
  const auto parsed = parse_frame<T>(bytes, {});
  if (const auto* problem = std::get_if<refusal>(&parsed))
    return check(!problem->text.empty());
  const auto& message = std::get<frame<T>>(parsed);
  check(!read_all(message).empty());
  const auto copy = pack<T>(message.unpack());
  check(parse_frame<T>(copy.bytes(), {}).index() == 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                      std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  wire_messages::each([&]<class T>() {
    if (is_frame_of<T>(bytes))
      take<T>(bytes);
  });
  return 0;
}

/// Keeps mutated inputs frames of some type: most bytes are the fuzzer's, the
/// identifier is one of ours.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t*, std::size_t,
                                        std::size_t);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data,
                                               std::size_t size,
                                               std::size_t most,
                                               unsigned seed) {
  size = LLVMFuzzerMutate(data, size, most);
  std::vector<const char*> identifiers;
  wire_messages::each(
      [&]<class T>() { identifiers.push_back(message_traits<T>::identifier); });
  const std::string_view found{reinterpret_cast<const char*>(data) + 4,
                               size < 8 ? 0u : 4u};
  const auto is_known = [&](const char* name) { return found == name; };
  if (size >= 8 &&
      std::none_of(identifiers.begin(), identifiers.end(), is_known))
    std::memcpy(data + 4, identifiers[seed % identifiers.size()], 4);
  return size;
}
