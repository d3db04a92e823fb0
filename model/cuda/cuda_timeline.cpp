// SPDX-License-Identifier: Apache-2.0
#include "model/cuda/cuda_timeline.hpp"

namespace sluice {

namespace {

std::chrono::nanoseconds between(const cuda::event& from,
                                 const cuda::event& to) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>{to.seconds_since(from)});
}

} // namespace

cuda_timeline::entry& cuda_timeline::begin(cuda::stream& in) {
  const auto& last = entries_[(steps_ + entries_.size() - 1) % entries_.size()];
  auto& next = entries_[steps_++ % entries_.size()];
  next.before_ = last.whole_ ? &last : nullptr;
  next.whole_ = false;
  next.begun_.record(in);
  return next;
}

void cuda_timeline::entry::ended(cuda::stream& in) {
  done_.record(in);
  whole_ = true;
}

void cuda_timeline::entry::tell(step_times& times) const {
  if (before_)
    times.idle = between(before_->done_, begun_);
  times.moves += between(begun_, moved_);
  times.kernels += between(moved_, done_);
}

} // namespace sluice
