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
// work when it is given, unless it records or a test wants it later.

namespace sluice::cuda {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t alignment = 256;
constexpr std::uint64_t total = std::uint64_t{1} << 32;
using calls = std::vector<std::function<void()>>;

/// Streams with work that they have put off wait for each other, so one thread
/// at a time does any of it.
std::recursive_mutex turn;

std::atomic<std::uint64_t> dropped{0}; // calls

std::atomic<emulation::pace> current_pace{emulation::pace::at_once};

/// What native() gives: where calls are recorded, if they are, and what has
/// been put off. Whoever waits does the work, in whatever thread.
class emulated_stream {
public:
  emulated_stream() {
    const std::lock_guard lock{turn};
    all.push_back(this);
  }
  ~emulated_stream() {
    const std::lock_guard lock{turn};
    std::erase(all, this);
    dropped += put_off_.size();
  }
  emulated_stream(const emulated_stream&) = delete;
  emulated_stream& operator=(const emulated_stream&) = delete;

  void add(std::function<void()> work) {
    const std::lock_guard lock{turn};
    put_off_.push_back(std::move(work));
  }

  /// Works until `done` says so, or nothing is left.
  template <class Condition>
  void work_until(Condition done) {
    const std::lock_guard lock{turn};
    while (!put_off_.empty() && !done()) {
      const auto next = std::move(put_off_.front());
      put_off_.pop_front();
      next();
    }
  }

  /// The same, for the host.
  template <class Condition>
  void wait_until(Condition done) {
    const std::lock_guard lock{turn};
    if (current_pace == emulation::pace::others_first)
      for (auto* other : all)
        if (other != this)
          other->work_until([] { return false; });
    work_until(done);
  }

  std::shared_ptr<calls> recording;

private:
  static inline std::vector<emulated_stream*> all;

  std::deque<std::function<void()>> put_off_;
};

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
  /// One record() of it, which is reached once.
  struct point {
    emulated_stream* in;
    clock::time_point at{};
    std::atomic<bool> reached{false};

    explicit point(emulated_stream& stream) : in{&stream} {}
    auto is_reached() const {
      return [this] { return reached.load(); };
    }
  };
  std::shared_ptr<point> last; // none: nobody waits for it
};

void emulation::enqueue(stream& on, std::function<void()> work) {
  auto& state = *static_cast<emulated_stream*>(on.native());
  if (state.recording)
    return state.recording->push_back(std::move(work));
  count_call();
  current_pace == pace::at_once ? work() : state.add(std::move(work));
}

std::uint64_t emulation::calls() {
  return device.calls;
}

void emulation::lose_device_after(std::uint64_t calls) {
  device.lost_at = device.calls + calls;
}

void emulation::set_pace(emulation::pace now) {
  current_pace = now;
}

std::uint64_t emulation::calls_dropped() {
  return dropped;
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
  impl_->wait_until([] { return false; });
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
  auto point = std::make_shared<impl::point>(
      *static_cast<emulated_stream*>(in.native()));
  emulation::enqueue(in, [point] {
    point->at = clock::now();
    point->reached = true;
  });
  impl_->last = std::move(point);
}

bool event::reached() const {
  return !impl_->last || impl_->last->reached;
}

void event::wait() const {
  if (!reached())
    impl_->last->in->wait_until(impl_->last->is_reached());
}

// For what is recorded now, whatever is recorded later.
void event::delay(stream& in) const {
  emulation::enqueue(in, [point = impl_->last] {
    if (point && !point->reached)
      point->in->work_until(point->is_reached());
  });
}

double event::seconds_since(const event& earlier) const {
  return std::chrono::duration<double>(impl_->last->at -
                                       earlier.impl_->last->at)
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
