// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "messages/limits.hpp"
#include "messages/message_traits.hpp"
#include "messages/semantic_check.hpp"

namespace sluice::messages {

/// Why bytes are not a frame of the expected type.
struct refusal {
  ErrorCode code = ErrorCode::malformed_frame;
  std::string text; // names the rule and the remedy
};

/// Verified, immutable, shared bytes of one FlatBuffer with root type @p T.
/// Copying shares the bytes. An empty frame is false and must not be read.
template <class T>
class frame {
public:
  frame() = default;

  explicit operator bool() const noexcept { return data_ != nullptr; }
  const T& operator*() const noexcept { return *root(); }
  const T* operator->() const noexcept { return root(); }

  /// The whole FlatBuffer, aligned to 16 bytes.
  std::span<const std::byte> bytes() const noexcept {
    return {data_.get(), size_};
  }

  /// Shares ownership of the bytes, e.g. with a socket that sends them.
  std::shared_ptr<const std::byte> share() const noexcept { return data_; }

  /// A mutable copy in FlatBuffers' object form; allocates.
  typename T::NativeTableType unpack() const {
    typename T::NativeTableType result;
    root()->UnPackTo(&result);
    return result;
  }

  /// Takes what a builder finished; the caller vouches for the content.
  static frame adopt(flatbuffers::DetachedBuffer buffer) {
    auto owner =
        std::make_shared<flatbuffers::DetachedBuffer>(std::move(buffer));
    auto* first = reinterpret_cast<const std::byte*>(owner->data());
    const auto size = owner->size();
    return frame{std::shared_ptr<const std::byte>{std::move(owner), first},
                 size};
  }

  /// Shares bytes that a builder finished; the caller vouches for the content.
  static frame adopt(std::shared_ptr<const std::byte> bytes, std::size_t size) {
    return frame{std::move(bytes), size};
  }

  /// One aligned copy of bytes that were already verified as a T.
  static frame copy_verified(std::span<const std::byte> bytes) {
    return frame{aligned_copy(bytes), bytes.size()};
  }

private:
  template <class U>
  friend std::variant<frame<U>, refusal> parse_frame(std::span<const std::byte>,
                                                     const frame_limits&);

  frame(std::shared_ptr<const std::byte> data, std::size_t size)
      : data_{std::move(data)}, size_{size} {}

  const T* root() const noexcept {
    return flatbuffers::GetRoot<T>(data_.get());
  }

  static std::shared_ptr<const std::byte>
  aligned_copy(std::span<const std::byte> bytes) {
    constexpr std::align_val_t alignment{16};
    auto* block =
        static_cast<std::byte*>(::operator new(bytes.size(), alignment));
    std::memcpy(block, bytes.data(), bytes.size());
    return {block, [](const std::byte* p) {
              ::operator delete(const_cast<std::byte*>(p), alignment);
            }};
  }

  std::shared_ptr<const std::byte> data_;
  std::size_t size_ = 0;
};

/// Turns untrusted bytes into a frame: length, identifier, FlatBuffers
/// verifier, one aligned copy, then the semantic check (UTF-8, enums, finite
/// numbers, ranges, no trailing bytes).
/// @param bytes   one ZeroMQ part; any alignment, any content.
/// @param limits  largest frame, depth, tables, strings, counts.
/// @return the frame, or why not; never throws on bad content.
template <class T>
std::variant<frame<T>, refusal> parse_frame(std::span<const std::byte> bytes,
                                            const frame_limits& limits) {
  constexpr auto* identifier = message_traits<T>::identifier;
  if (auto problem = check_envelope(bytes, identifier, limits))
    return refusal{ErrorCode::malformed_frame, std::move(*problem)};
  auto copy = frame<T>{frame<T>::aligned_copy(bytes), bytes.size()};
  const auto* first = reinterpret_cast<const std::uint8_t*>(copy.data_.get());
  flatbuffers::Verifier verifier{first, bytes.size(), limits.max_depth,
                                 limits.max_tables};
  if (!verifier.VerifyBuffer<T>(identifier))
    return refusal{ErrorCode::malformed_frame,
                   std::string{"frame "} + identifier +
                       " fails verification; build it with the published "
                       "schemas"};
  if (auto problem = semantic_check(*copy, copy.bytes(), limits))
    return refusal{ErrorCode::invalid_argument, std::move(*problem)};
  return copy;
}

/// Builds a frame from FlatBuffers' object form.
template <class T>
frame<T> pack(const typename T::NativeTableType& value) {
  flatbuffers::FlatBufferBuilder builder{256};
  builder.Finish(T::Pack(builder, &value), message_traits<T>::identifier);
  return frame<T>::adopt(builder.Release());
}

/// The four identifier bytes of a frame, or nothing if it is too short.
inline std::optional<std::string_view>
frame_identifier(std::span<const std::byte> bytes) {
  if (bytes.size() < 8)
    return std::nullopt;
  return std::string_view{reinterpret_cast<const char*>(bytes.data()) + 4, 4};
}

/// True if the bytes say that they are a T; says nothing of their content.
template <class T>
bool is_frame_of(std::span<const std::byte> bytes) {
  return frame_identifier(bytes) ==
         std::string_view{message_traits<T>::identifier, 4};
}

} // namespace sluice::messages
