// SPDX-License-Identifier: Apache-2.0
#include "actors/publisher.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "actors/guard.hpp"
#include "actors/metric_names.hpp"
#include "actors/replies.hpp"

namespace sluice::actors {
namespace {

using namespace messages;

std::string text_of(const flatbuffers::String* text) {
  return text ? text->str() : std::string{};
}

policy::stream_origin origin_of(const Submit& submitted,
                                const publisher_config& config) {
  const std::chrono::milliseconds asked{submitted.keep_for_ms()};
  return {.id = request_id::from(*submitted.id()),
          .tenant = text_of(submitted.tenant()),
          .model = text_of(submitted.model()),
          .linger = asked.count() ? std::min(asked, config.linger_max)
                                  : config.linger};
}

policy::stream_limits limits_of(const publisher_config& config) {
  return {.window = {config.window_chunks, config.window_bytes},
          .total_bytes = config.windows_bytes,
          .resend_interval = config.resend_interval};
}

// Calls `action` for every row of a vector that may be absent.
template <class Rows, class Action>
void each(const Rows* rows, Action action) {
  if (rows)
    for (const auto* row : *rows)
      action(*row);
}

template <class T>
typename T::NativeTableType unpack(const T& table) {
  typename T::NativeTableType result;
  table.UnPackTo(&result);
  return result;
}

FinishedT finished_of(const FinishedOf& row) {
  FinishedT body;
  body.reason = row.reason();
  body.receipt.reset(row.receipt()->UnPack());
  return body;
}

FailedT failed_of(const FailedOf& row) {
  FailedT body;
  body.code = row.code();
  body.text = text_of(row.text());
  if (row.receipt())
    body.receipt.reset(row.receipt()->UnPack());
  return body;
}

} // namespace

publisher_state::publisher_state(publisher_actor::pointer self) : self_{self} {}

void publisher_state::start(publisher_config config, publisher_links links) {
  config_ = config;
  links_ = std::move(links);
  streams_ = policy::stream_table{limits_of(config_)};
  wake_after(config_.tick);
}

policy::instant publisher_state::now() const {
  return self_->clock().now().time_since_epoch();
}

// -- from the gateway ---------------------------------------------------------

void publisher_state::introduce(gateway_actor gateway) {
  gateway_ = std::move(gateway);
}

void publisher_state::open(request_number request, frame<Submit> submitted) {
  auto origin = origin_of(*submitted, config_);
  origin.opened = now();
  streams_.open(request, std::move(origin));
}

std::uint32_t publisher_state::length(request_number request) {
  const auto* stream = streams_.find(request);
  return stream ? stream->window.next_seq() : 0;
}

void publisher_state::discard(request_number request) {
  streams_.erase(request);
}

void publisher_state::replay(session_id to, request_number request,
                             frame<Replay> what) {
  count(metric::replays);
  const auto* stream = streams_.find(request);
  const auto first = stream ? stream->window.first_held() : 0;
  if (!stream || what->from_seq() < first) {
    count(metric::gaps);
    links_.out->send_control(to,
                             gap_reply(*what->id(), what->from_seq(), first));
  }
  if (stream && send_held(to, *stream, what->from_seq())) {
    ReplayedT done;
    done.id = std::make_unique<RequestId>(*what->id());
    done.next_seq = stream->window.next_seq();
    done.ended = stream->ended;
    links_.out->send_control(to, pack_reply<Replayed>(done));
  }
  flush_counts();
}

// False if the outbox is full: the rest would only leave holes.
bool publisher_state::send_held(const session_id& to,
                                const policy::stream& stream,
                                std::uint32_t from_seq) {
  const auto& held = stream.window.held();
  const auto first = stream.window.first_held();
  for (std::size_t i = from_seq > first ? from_seq - first : 0; i < held.size();
       ++i)
    if (!links_.out->send_control(to, outgoing::from(held[i])))
      return false;
  return true;
}

// -- from the batchers and the scheduler --------------------------------------

void publisher_state::tokens(frame<Tokens> step) {
  each(step->deltas(),
       [this](const TokensOf& row) { append(row.request(), *row.delta()); });
  each(step->ends(), [this](const SequenceEndOf& row) {
    append(row.request(), unpack(*row.end()));
  });
  each(step->finished(), [this](const FinishedOf& row) {
    close<Finished>(row.request(), finished_of(row));
  });
  each(step->failed(), [this](const FailedOf& row) {
    close<Failed>(row.request(), failed_of(row));
  });
  flush_counts();
}

void publisher_state::fail(request_number request, ErrorCode code,
                           std::string text) {
  FailedT body;
  body.code = code;
  body.text = text.empty() ? explain(code) : std::move(text);
  body.receipt = receipt_without_run(request);
  close<Failed>(request, std::move(body));
  flush_counts();
}

void publisher_state::finish(request_number request, FinishReason reason) {
  FinishedT body;
  body.reason = reason;
  body.receipt = receipt_without_run(request);
  close<Finished>(request, std::move(body));
  flush_counts();
}

// All that can be said of a request that no batcher gives account of.
std::unique_ptr<ReceiptT>
publisher_state::receipt_without_run(request_number request) {
  auto receipt = std::make_unique<ReceiptT>();
  if (const auto* stream = streams_.find(request)) {
    const auto age = now() - stream->origin.opened;
    receipt->model = stream->origin.model;
    receipt->total_us = static_cast<std::uint64_t>(age.count()) / 1000;
  }
  return receipt;
}

// -- chunks -------------------------------------------------------------------

void publisher_state::append(request_number request, const Delta& body) {
  protect(request, [&](policy::stream& stream) {
    if (stream.ended)
      count(metric::late_chunks);
    else
      send(stream, chunks_.chunk_of(stream, config_.epoch, body));
  });
}

void publisher_state::append(request_number request, const SequenceEndT& body) {
  protect(request, [&](policy::stream& stream) {
    if (stream.ended)
      count(metric::late_chunks);
    else
      send(stream, chunks_.chunk_of<SequenceEnd>(stream, config_.epoch, body));
  });
}

template <class Table>
void publisher_state::close(request_number request,
                            typename Table::NativeTableType body) {
  protect(request, [&](policy::stream& stream) {
    if (stream.ended)
      count(metric::late_terminals);
    else
      send_last<Table>(stream, std::move(body));
  });
}

// What goes wrong with one stream fails that stream alone.
template <class Action>
void publisher_state::protect(request_number request, Action action) {
  auto* stream = streams_.find(request);
  if (!stream)
    return count(metric::late_chunks);
  try {
    action(*stream);
  } catch (const std::exception& error) {
    spdlog::error("publisher: stream {} fails: {}", stream->topic,
                  error.what());
    if (stream->ended)
      return;
    FailedT body;
    body.code = ErrorCode::internal;
    body.text = explain(body.code, error.what());
    send_last<Failed>(*stream, std::move(body));
  }
}

template <class Table>
void publisher_state::send_last(policy::stream& stream,
                                typename Table::NativeTableType body) {
  body.chunks = stream.window.next_seq() + 1;
  body.checksum = stream.window.checksum();
  send(stream, chunks_.chunk_of<Table>(stream, config_.epoch, body));
  streams_.end(stream, now());
  if (gateway_)
    self_->send(gateway_, ended_atom::value, stream.request);
}

void publisher_state::send(policy::stream& stream, frame<Chunk> chunk) {
  report_expired(streams_.append(stream, chunk));
  links_.out->publish(stream.topic, outgoing::from(chunk));
  count(metric::chunks);
}

// -- late subscribers ---------------------------------------------------------

void publisher_state::subscribed(std::string topic) {
  const credit_return done{*links_.credit};
  for (auto* stream : streams_.of_topic(topic))
    offer_window(*stream);
}

void publisher_state::offer_window(policy::stream& stream) {
  switch (streams_.ask_resend(stream, now())) {
  case policy::resend_verdict::now:
    for (const auto& chunk : stream.window.held())
      if (!links_.out->publish(stream.topic, outgoing::from(chunk)))
        break;
    break;
  case policy::resend_verdict::later:
    due_windows_.push_back(stream.request);
    wake_after(stream.resend_after - now());
    break;
  case policy::resend_verdict::already_due:
    break;
  }
}

void publisher_state::offer_due_windows() {
  const auto moment = now();
  for (const auto request : std::exchange(due_windows_, {})) {
    auto* stream = streams_.find(request);
    if (stream && stream->resend_due && stream->resend_after <= moment)
      offer_window(*stream);
    else if (stream && stream->resend_due)
      due_windows_.push_back(request); // its own tick is under way
  }
}

// -- time ---------------------------------------------------------------------

void publisher_state::wake_after(std::chrono::nanoseconds delay) {
  ++ticks_under_way_;
  self_->delayed_send(self_, delay, tick_atom::value);
}

void publisher_state::tick() {
  --ticks_under_way_;
  report_expired(streams_.expire(now()));
  offer_due_windows();
  gauge(metric::streams_open, static_cast<double>(streams_.open_count()));
  gauge(metric::streams_held, static_cast<double>(streams_.held_count()));
  gauge(metric::window_bytes, static_cast<double>(streams_.bytes()));
  flush_counts();
  if (ticks_under_way_ == 0)
    wake_after(config_.tick);
}

void publisher_state::report_expired(
    const std::vector<request_number>& requests) {
  if (gateway_)
    for (const auto request : requests)
      self_->send(gateway_, expired_atom::value, request);
}

publisher_report publisher_state::report() {
  return {.open_streams = streams_.open_count(),
          .held_windows = streams_.held_count(),
          .window_bytes = streams_.bytes()};
}

// -- counts -------------------------------------------------------------------

void publisher_state::count(const char* name) {
  auto& samples = counts_.samples;
  const auto same = std::find_if(
      samples.begin(), samples.end(),
      [name](const metric_sample& sample) { return sample.name == name; });
  if (same != samples.end())
    same->value += 1;
  else
    samples.push_back({.name = name, .value = 1});
}

void publisher_state::gauge(const char* name, double value) {
  counts_.samples.push_back(
      {.name = name, .kind = metric_kind::gauge, .value = value});
}

void publisher_state::flush_counts() {
  if (!counts_.samples.empty() && links_.meter)
    self_->send(links_.meter, std::move(counts_));
  counts_ = {};
}

publisher_actor::behavior_type
publisher(publisher_actor::stateful_pointer<publisher_state> self,
          publisher_config config, publisher_links links) {
  self->state.start(config, std::move(links));
  return {guarded_on<open_atom>(self, &publisher_state::introduce),
          guarded_on<open_atom>(self, &publisher_state::open),
          guarded_on<open_atom>(self, &publisher_state::length),
          guarded_on<reject_atom>(self, &publisher_state::discard),
          guarded(self, &publisher_state::tokens),
          guarded_on<failed_atom>(self, &publisher_state::fail),
          guarded_on<cancel_atom>(self, &publisher_state::finish),
          guarded(self, &publisher_state::replay),
          guarded_on<topic_atom>(self, &publisher_state::subscribed),
          guarded_on<tick_atom>(self, &publisher_state::tick),
          guarded_on<report_atom>(self, &publisher_state::report)};
}

} // namespace sluice::actors
