// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "messages/frame.hpp"

namespace sluice::messages {

/// Builds frames in buffers that are used again once the last copy of their
/// frame is gone, so that a sender of many like frames soon allocates nothing.
/// @note one thread builds; frames may be dropped by any thread, and may
///       outlive the pool.
template <class T>
class frame_pool {
public:
  /// A cleared builder for the next frame; valid until finish().
  flatbuffers::FlatBufferBuilder& begin() {
    building_ = unused();
    building_->Clear();
    return *building_;
  }

  /// Makes what was built since begin() a frame with this root.
  frame<T> finish(flatbuffers::Offset<T> root) {
    building_->Finish(root, message_traits<T>::identifier);
    const auto* first =
        reinterpret_cast<const std::byte*>(building_->GetBufferPointer());
    const std::size_t size = building_->GetSize();
    // Shares the builder's count; the frame keeps the builder.
    return frame<T>::adopt(
        std::shared_ptr<const std::byte>{std::move(building_), first}, size);
  }

  /// Builds a frame from FlatBuffers' object form.
  frame<T> pack(const typename T::NativeTableType& value) {
    auto& builder = begin();
    return finish(T::Pack(builder, &value));
  }

private:
  using shared_builder = std::shared_ptr<flatbuffers::FlatBufferBuilder>;

  /// Frames alive at once that are kept for later; more are not.
  static constexpr std::size_t most_kept = 64;
  static constexpr std::size_t first_bytes = 1024;

  shared_builder unused() {
    for (auto& each : builders_)
      if (each.use_count() == 1) {
        // What the last reader of the old frame did comes before this.
        std::atomic_thread_fence(std::memory_order_acquire);
        return each;
      }
    auto fresh = std::make_shared<flatbuffers::FlatBufferBuilder>(first_bytes);
    if (builders_.size() < most_kept)
      builders_.push_back(fresh);
    return fresh;
  }

  std::vector<shared_builder> builders_;
  shared_builder building_;
};

} // namespace sluice::messages
