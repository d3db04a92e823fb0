// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/emulation/block.hpp"

#include <boost/context/fiber.hpp>

#include <algorithm>
#include <cstring>
#include <deque>
#include <exception>
#include <numeric>
#include <random>
#include <string>

namespace sluice::cuda::emulation {
namespace {

namespace context = boost::context;

constexpr int lanes = 32;
constexpr std::size_t stack_bytes = 256u << 10;
constexpr std::size_t most_shared_bytes = 227u << 10; // of compute capability 9

enum class state : std::uint8_t { runs, waits_for_warp, waits_for_block, done };

struct async_copy {
  void* shared;
  const void* global;
  bool valid;
};

struct emulated_thread {
  thread_view view;
  state now = state::runs;
  context::fiber fiber; // where it goes on
  context::fiber caller;
  std::vector<async_copy> open; // not yet committed
  std::deque<std::vector<async_copy>> groups;
  std::uint64_t exchanges = 0;
  bool waited = false; // for the kernel before
  std::exception_ptr error;
};

/// Unwinds a thread whose block another thread's mistake has ended.
struct block_ended {};

struct emulated_warp {
  std::array<warp_words, 2> given; // by turns, so that none is overwritten
};                                 // before every lane has read it

struct block_run {
  std::vector<emulated_thread> threads;
  std::vector<emulated_warp> warps;
  emulated_thread* running = nullptr;
  bool ended = false;
};

thread_local block_run* current = nullptr;
turns turn_order = turns::forward;
std::mt19937_64 turn_chance{1};

emulated_thread& self() {
  if (!current || !current->running)
    throw kernel_error{"a kernel's function was called outside a kernel"};
  return *current->running;
}

void pause(state why) {
  auto& thread = self();
  thread.now = why;
  thread.caller = std::move(thread.caller).resume();
  if (current->ended)
    throw block_ended{};
}

void start(emulated_thread& thread, const std::function<void()>& kernel) {
  thread.fiber =
      context::fiber{std::allocator_arg, context::fixedsize_stack{stack_bytes},
                     [&thread, &kernel](context::fiber&& caller) {
                       thread.caller = std::move(caller);
                       try {
                         kernel();
                       } catch (...) {
                         thread.error = std::current_exception();
                       }
                       thread.now = state::done;
                       return std::move(thread.caller);
                     }};
}

std::vector<std::size_t> order_of(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (turn_order == turns::backward)
    std::reverse(order.begin(), order.end());
  if (turn_order == turns::shuffled)
    std::shuffle(order.begin(), order.end(), turn_chance);
  return order;
}

// All that can run, runs until it waits. True if any did.
bool run_ready(block_run& block) {
  bool any = false;
  for (const auto i : order_of(block.threads.size())) {
    auto& thread = block.threads[i];
    if (thread.now != state::runs)
      continue;
    any = true;
    block.running = &thread;
    thread.fiber = std::move(thread.fiber).resume();
    block.running = nullptr;
    if (thread.error)
      std::rethrow_exception(thread.error);
  }
  return any;
}

// Lets a group go on if all of it that has not ended waits for `what`.
bool release(block_run& block, std::size_t first, std::size_t count,
             state what) {
  bool any = false;
  for (std::size_t i = first; i < first + count; ++i) {
    const auto now = block.threads[i].now;
    if (now != what && now != state::done)
      return false;
    any = any || now == what;
  }
  for (std::size_t i = first; any && i < first + count; ++i)
    if (block.threads[i].now == what)
      block.threads[i].now = state::runs;
  return any;
}

bool release_waiting(block_run& block) {
  const auto all = block.threads.size();
  bool any = false;
  for (std::size_t first = 0; first < all; first += lanes)
    any = release(block, first, std::min<std::size_t>(lanes, all - first),
                  state::waits_for_warp) ||
          any;
  return release(block, 0, all, state::waits_for_block) || any;
}

// Ends the threads that still wait, each on its own stack.
void unwind(block_run& block) {
  block.ended = true;
  for (auto& thread : block.threads) {
    block.running = &thread;
    if (thread.now != state::done && thread.fiber)
      thread.fiber = std::move(thread.fiber).resume();
  }
}

std::string name_of(const thread_view& view) {
  return "thread " + std::to_string(view.thread) + " of block " +
         std::to_string(view.block_x) + ", " + std::to_string(view.block_y) +
         ", " + std::to_string(view.block_z);
}

void check_end(const block_run& block, bool early) {
  for (const auto& thread : block.threads) {
    if (thread.now != state::done)
      throw kernel_error{name_of(thread.view) +
                         " waits for threads that wait elsewhere or have "
                         "ended"};
    if (early && !thread.waited)
      throw kernel_error{name_of(thread.view) +
                         " was started early and never waited for the kernel "
                         "before"};
    if (!thread.open.empty() ||
        std::any_of(thread.groups.begin(), thread.groups.end(),
                    [](const auto& group) { return !group.empty(); }))
      throw kernel_error{"a kernel ended with copies that it never awaited"};
  }
}

void run_block(block_run& block, const std::function<void()>& kernel,
               bool early) {
  current = &block;
  for (auto& thread : block.threads)
    start(thread, kernel);
  try {
    while (run_ready(block) || release_waiting(block))
      release_waiting(block);
    check_end(block, early);
  } catch (...) {
    unwind(block);
    current = nullptr;
    throw;
  }
  current = nullptr;
}

void carry_out(const async_copy& copy) {
  if (copy.valid)
    std::memcpy(copy.shared, copy.global, 16);
  else
    std::memset(copy.shared, 0, 16);
}

} // namespace

void take_turns(turns order, std::uint64_t seed) {
  turn_order = order;
  turn_chance.seed(seed);
}

const thread_view& view() {
  return self().view;
}

void wait_for_block() {
  pause(state::waits_for_block);
}

void wait_for_warp() {
  pause(state::waits_for_warp);
}

const warp_words& exchange(const words& own) {
  auto& thread = self();
  const auto index = static_cast<std::size_t>(thread.view.thread);
  auto& given = current->warps[index / lanes].given[thread.exchanges++ % 2];
  given[index % lanes] = own;
  wait_for_warp();
  return given;
}

void wait_for_grid() {
  self().waited = true;
}

void add_copy(void* shared, const void* global, bool valid) {
  auto& thread = self();
  const auto at = reinterpret_cast<std::uintptr_t>(shared);
  const auto from = reinterpret_cast<std::uintptr_t>(global);
  const auto base = reinterpret_cast<std::uintptr_t>(thread.view.shared);
  if (at % 16 != 0 || (valid && from % 16 != 0))
    throw kernel_error{"an asynchronous copy is not 16-byte aligned"};
  if (at < base || at + 16 > base + thread.view.shared_bytes)
    throw kernel_error{"an asynchronous copy goes outside shared memory"};
  thread.open.push_back({shared, global, valid});
}

void commit_copies() {
  auto& thread = self();
  thread.groups.push_back(std::move(thread.open));
  thread.open.clear();
}

void wait_copies(int youngest) {
  auto& groups = self().groups;
  while (groups.size() > static_cast<std::size_t>(youngest)) {
    for (const auto& copy : groups.front())
      carry_out(copy);
    groups.pop_front();
  }
}

void run_grid(const launch_shape& shape, const std::function<void()>& kernel) {
  if (shape.threads == 0 || shape.threads > 1024)
    throw kernel_error{"a block has 1 to 1,024 threads"};
  if (shape.shared_bytes > most_shared_bytes)
    throw kernel_error{"a block has at most 227 KiB of shared memory"};
  std::vector<std::byte> memory(shape.shared_bytes + 128);
  const auto aligned =
      (reinterpret_cast<std::uintptr_t>(memory.data()) + 127) / 128 * 128;
  auto* const shared = reinterpret_cast<std::byte*>(aligned);
  for (std::uint32_t z = 0; z < shape.grid_z; ++z)
    for (std::uint32_t y = 0; y < shape.grid_y; ++y)
      for (std::uint32_t x = 0; x < shape.grid_x; ++x) {
        // Every bit set: a NaN, whatever reads it too soon.
        std::memset(shared, 0xff, shape.shared_bytes);
        block_run block;
        block.threads.resize(shape.threads);
        block.warps.resize((shape.threads + lanes - 1) / lanes);
        for (std::uint32_t t = 0; t < shape.threads; ++t)
          block.threads[t].view = {static_cast<int>(x),
                                   static_cast<int>(y),
                                   static_cast<int>(z),
                                   static_cast<int>(shape.grid_x),
                                   static_cast<int>(t),
                                   static_cast<int>(shape.threads),
                                   shared,
                                   shape.shared_bytes};
        run_block(block, kernel, shape.early);
      }
}

} // namespace sluice::cuda::emulation
