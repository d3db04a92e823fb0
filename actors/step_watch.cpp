// SPDX-License-Identifier: Apache-2.0
#include "actors/step_watch.hpp"

#include <exception>
#include <utility>

#include "model/compute_device.hpp"

namespace sluice::actors {

step_watch::step_watch(std::function<void()> tell)
    : tell_{std::move(tell)}, thread_{[this] { work(); }} {}

step_watch::~step_watch() {
  {
    const std::lock_guard lock{mutex_};
    over_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void step_watch::add(const step_end& end) {
  {
    const std::lock_guard lock{mutex_};
    ends_.push_back(&end);
  }
  changed_.notify_one();
}

void step_watch::work() {
  while (const auto* end = next()) {
    try {
      end->wait();
    } catch (const std::exception&) {
      // Whoever finishes the step will meet it, too.
    }
    tell_();
  }
}

const step_end* step_watch::next() {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [this] { return over_ || !ends_.empty(); });
  if (over_)
    return nullptr;
  const auto* end = ends_.front();
  ends_.pop_front();
  return end;
}

} // namespace sluice::actors
