// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace sluice {
class step_end;
}

namespace sluice::actors {

/// A thread that waits for steps of a device, so that its owner need not.
class step_watch {
public:
  /// @param tell  is called from the thread whenever a step has ended, failed
  ///              ones included; throws nothing.
  explicit step_watch(std::function<void()> tell);

  /// Waits for the step being waited for; the others are forgotten.
  ~step_watch();

  step_watch(const step_watch&) = delete;
  step_watch& operator=(const step_watch&) = delete;

  /// @param end  lives as long as the watch. Ends come in the order of steps.
  void add(const step_end& end);

private:
  void work();
  const step_end* next();

  std::function<void()> tell_;
  std::mutex mutex_; // of the next two
  std::deque<const step_end*> ends_;
  bool over_ = false;
  std::condition_variable changed_;
  std::thread thread_;
};

} // namespace sluice::actors
