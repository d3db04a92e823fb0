// SPDX-License-Identifier: Apache-2.0
#include "tools/bench/serve/load_generator.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <unordered_map>

#include "kernels/check.hpp"

namespace sluice::bench {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds longest_wait{50};
constexpr milliseconds between_looks{20};

messages::SubmitT submit_of(const planned_request& request,
                            std::uint64_t seed) {
  messages::SubmitT submit;
  submit.prompt_tokens = request.prompt;
  submit.sampling = std::make_unique<messages::SamplingT>();
  submit.sampling->temperature = 0;
  submit.sampling->seed = seed;
  submit.stopping = std::make_unique<messages::StopRulesT>();
  submit.stopping->max_tokens = request.output_tokens;
  submit.stopping->ignore_eos = true;
  return submit;
}

/// What the connections share: the requests, in the order of their arrival.
struct shared_work {
  const std::vector<planned_request>& requests;
  std::vector<request_record>& records;
  clock::time_point began;
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> ended{0};

  double now() const {
    return std::chrono::duration<double>{clock::now() - began}.count();
  }
};

/// One client's part: takes a request when it has room for one, waits until it
/// is due, and notes what comes.
class connection_loop {
public:
  connection_loop(client::client& client, shared_work& work, std::uint32_t room)
      : client_{client}, work_{work}, room_{room} {}

  void run() {
    for (;;) {
      take_next();
      if (taken_ && work_.requests[*taken_].at <= work_.now())
        send_taken();
      else if (!taken_ && running_.empty())
        return;
      else
        listen();
    }
  }

private:
  bool has_room() const { return room_ == 0 || running_.size() < room_; }

  void take_next() {
    if (taken_ || !has_room())
      return;
    if (const auto index = work_.next.fetch_add(1);
        index < work_.requests.size())
      taken_ = index;
  }

  void send_taken() {
    const auto index = *taken_;
    taken_.reset();
    const auto& request = work_.requests[index];
    auto& record = work_.records[index];
    record.input_tokens = static_cast<std::uint32_t>(request.prompt.size());
    record.due = request.at;
    auto submit = submit_of(request, index);
    record.sent = work_.now();
    running_.emplace(client_.submit(std::move(submit)), index);
  }

  void listen() {
    auto wait = longest_wait;
    if (taken_) {
      const auto left = work_.requests[*taken_].at - work_.now();
      wait = std::clamp(milliseconds{static_cast<int>(left * 1e3)},
                        milliseconds{0}, longest_wait);
    }
    const auto events = client_.poll(wait);
    const auto now = work_.now();
    for (const auto& event : events)
      if (const auto found = running_.find(event.id); found != running_.end())
        take(event, found->second, now);
  }

  void take(const client::event& event, std::size_t index, double now) {
    auto& record = work_.records[index];
    if (const auto* frame = std::get_if<client::chunk_frame>(&event.what)) {
      const auto* delta = (*frame)->body_as_Delta();
      if (delta && delta->tokens() && delta->tokens()->size() > 0)
        record.chunks.push_back({now, delta->tokens()->size()});
      return;
    }
    if (const auto* failure = std::get_if<client::failure>(&event.what))
      record.error = failure->text;
    else if (std::holds_alternative<client::finished>(event.what))
      record.success = true;
    else
      return;
    running_.erase(event.id);
    work_.ended.fetch_add(1);
  }

  client::client& client_;
  shared_work& work_;
  std::size_t room_;
  std::optional<std::size_t> taken_; // not due yet
  std::unordered_map<messages::request_id, std::size_t> running_;
};

/// How a connection's loop ended.
struct loop_end {
  double at = 0;
  std::exception_ptr error;
};

loop_end run_guarded(connection_loop loop, const shared_work& work) {
  loop_end end;
  try {
    loop.run();
  } catch (...) {
    end.error = std::current_exception();
  }
  end.at = work.now();
  return end;
}

} // namespace

load_generator::load_generator(const client::client_options& where,
                               const generator_options& options)
    : per_connection_{options.concurrency / options.connections} {
  require(options.concurrency % options.connections == 0,
          "bench serve: the concurrency must be a multiple of the connections");
  for (std::uint32_t i = 0; i < options.connections; ++i)
    clients_.push_back(std::make_unique<client::client>(where));
}

load_generator::result
load_generator::run(const std::vector<planned_request>& requests,
                    const std::function<void(std::size_t)>& ended) {
  result out;
  out.records.resize(requests.size());
  shared_work work{requests, out.records, clock::now()};
  std::vector<loop_end> ends(clients_.size());
  std::atomic<std::size_t> loops_left{clients_.size()};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < clients_.size(); ++i)
    threads.emplace_back([&, i] {
      ends[i] = run_guarded({*clients_[i], work, per_connection_}, work);
      loops_left.fetch_sub(1);
    });
  while (loops_left > 0) {
    ended(work.ended);
    std::this_thread::sleep_for(between_looks);
  }
  for (auto& thread : threads)
    thread.join();
  for (const auto& end : ends) {
    if (end.error)
      std::rethrow_exception(end.error);
    out.duration = std::max(out.duration, end.at);
  }
  return out;
}

} // namespace sluice::bench
