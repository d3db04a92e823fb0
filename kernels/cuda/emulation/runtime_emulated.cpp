// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/emulation/launch_emulated.hpp"

#include "kernels/check.hpp"
#include "kernels/cuda/emulation/faults.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

// runtime.hpp without a device: memory is the host's, and a stream does its
// work when it is given, unless it records.

namespace sluice::cuda {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t alignment = 256;
constexpr std::uint64_t total = std::uint64_t{1} << 32;
using calls = std::vector<std::function<void()>>;

/// What native() gives: where calls are recorded, if they are, and what has
/// been put off. Whoever waits does the work, in whatever thread.
struct emulated_stream {
  std::shared_ptr<calls> recording;
  std::recursive_mutex mutex;
  std::deque<std::function<void()>> put_off;

  void add(std::function<void()> work) {
    const std::lock_guard lock{mutex};
    put_off.push_back(std::move(work));
  }

  /// Works until `done` says so, or nothing is left.
  template <class Condition>
  void work_until(Condition done) {
    const std::lock_guard lock{mutex};
    while (!put_off.empty() && !done()) {
      const auto next = std::move(put_off.front());
      put_off.pop_front();
      next();
    }
  }
};

std::atomic<bool> late{false};

constexpr auto never = ~std::uint64_t{0};

/// How the device is, and what is in use of it.
struct device_health {
  std::uint64_t calls = 0;
  std::uint64_t lost_at = never; // call
  bool lost = false;
  std::size_t pieces = 0; // of memory
} device;

void refuse_if_lost() {
  if (device.lost)
    throw device_error{"the emulated device is lost", true};
}

/// Before anything is done on the device.
void count_call() {
  device.lost = device.lost || device.calls >= device.lost_at;
  refuse_if_lost();
  ++device.calls;
}

void give_back(std::byte* data) noexcept {
  --device.pieces;
  std::free(data);
}

std::byte* take(std::size_t bytes) {
  refuse_if_lost();
  const auto whole = (bytes + alignment - 1) / alignment * alignment;
  auto* data = static_cast<std::byte*>(
      std::aligned_alloc(alignment, std::max(whole, alignment)));
  if (!data)
    throw std::bad_alloc{};
  ++device.pieces;
  std::memset(data, 0xff, whole); // NaNs, for what reads it too soon
  return data;
}

} // namespace

struct graph::impl {
  std::shared_ptr<calls> work;
};

struct stream::impl : emulated_stream {};

struct event::impl {
  /// What the stream knows of it, too.
  struct state {
    clock::time_point at{};
    std::atomic<std::uint64_t> recorded{0};
    std::atomic<std::uint64_t> passed{0};
    emulated_stream* in = nullptr; // where it was recorded last

    bool reached() const { return passed >= recorded; }
    void wait() const {
      if (!reached())
        in->work_until([this] { return reached(); });
    }
  };
  std::shared_ptr<state> of = std::make_shared<state>();
};

void emulation::enqueue(stream& on, std::function<void()> work) {
  auto& state = *static_cast<emulated_stream*>(on.native());
  if (state.recording)
    return state.recording->push_back(std::move(work));
  count_call();
  late ? state.add(std::move(work)) : work();
}

std::uint64_t emulation::calls() {
  return device.calls;
}

void emulation::lose_device_after(std::uint64_t calls) {
  device.lost_at = device.calls + calls;
}

void emulation::work_late(bool now) {
  late = now;
}

std::vector<device_facts> devices() {
  return {{.index = 0,
           .name = "emulation",
           .major = 9,
           .minor = 0,
           .processors = 4,
           .total_bytes = total,
           .free_bytes = total,
           .shared_bytes = 227u << 10}};
}

void use_device(int) {
  refuse_if_lost();
}

void reset_device(int) {
  require(device.pieces == 0,
          "emulation: the device is reset while somebody has memory of it; let "
          "it go first");
  device.lost = false;
  device.lost_at = never;
}

// -- streams ------------------------------------------------------------------

stream::stream() : impl_{std::make_unique<impl>()} {}
stream::~stream() = default;

void stream::copy(void* to, const void* from, std::size_t bytes) {
  emulation::enqueue(*this, [=] { std::memmove(to, from, bytes); });
}

void stream::fill(void* to, int byte, std::size_t bytes) {
  emulation::enqueue(*this, [=] { std::memset(to, byte, bytes); });
}

void stream::wait() {
  count_call();
  impl_->work_until([] { return false; });
}

void stream::begin_recording() {
  impl_->recording = std::make_shared<calls>();
}

graph stream::end_recording() {
  graph recorded;
  recorded.impl_ =
      std::make_shared<graph::impl>(std::exchange(impl_->recording, nullptr));
  return recorded;
}

void stream::run(const graph& recorded) {
  for (const auto& call : *recorded.impl_->work)
    emulation::enqueue(*this, call);
}

void* stream::native() const noexcept {
  return static_cast<emulated_stream*>(impl_.get());
}

// -- events -------------------------------------------------------------------

event::event() : impl_{std::make_unique<impl>()} {}
event::~event() = default;

void event::record(stream& in) {
  auto& state = *impl_->of;
  state.in = static_cast<emulated_stream*>(in.native());
  emulation::enqueue(in, [of = impl_->of, number = ++state.recorded] {
    of->at = clock::now();
    of->passed = number;
  });
}

bool event::reached() const {
  return impl_->of->reached();
}

void event::wait() const {
  impl_->of->wait();
}

void event::delay(stream& in) const {
  emulation::enqueue(in, [of = impl_->of] { of->wait(); });
}

double event::seconds_since(const event& earlier) const {
  return std::chrono::duration<double>(impl_->of->at - earlier.impl_->of->at)
      .count();
}

// -- memory -------------------------------------------------------------------

device_memory::device_memory(std::size_t bytes)
    : data_{take(bytes)}, bytes_{bytes} {}

void device_memory::release::operator()(std::byte* data) const noexcept {
  give_back(data);
}

host_memory::host_memory(std::size_t bytes)
    : data_{take(bytes)}, bytes_{bytes} {}

void host_memory::release::operator()(std::byte* data) const noexcept {
  give_back(data);
}

} // namespace sluice::cuda
