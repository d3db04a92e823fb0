// SPDX-License-Identifier: Apache-2.0
#include "tools/client/client.hpp"

#include <algorithm>
#include <utility>

namespace sluice::client {
namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

constexpr std::uint32_t protocol_version = 1;
constexpr milliseconds sweep_interval{50};
constexpr unsigned most_submissions = 3; // before a refusal is taken as ours

/// What a daemon may send: it is trusted with more than clients are.
messages::frame_limits answer_limits() {
  messages::frame_limits limits;
  limits.max_frame_bytes = 64u << 20;
  limits.max_tables = 1u << 20;
  limits.max_name_bytes = 4096;
  return limits;
}

failure failure_of(messages::ErrorCode code, const flatbuffers::String* text,
                   milliseconds retry_after = milliseconds{0}) {
  const auto& entry = messages::describe(code);
  if (text && text->size() > 0)
    return {code, text->str(), retry_after};
  return {code, std::string{entry.meaning} + " " + std::string{entry.remedy},
          retry_after};
}

} // namespace

client::client(client_options options)
    : options_{std::move(options)}, transport_{options_.endpoint,
                                               options_.context} {
  greet();
}

client::~client() = default;

messages::request_id client::submit(messages::SubmitT submission) {
  using messages::request_id;
  if (!submission.id)
    submission.id =
        std::make_unique<messages::RequestId>(request_id::random().to_wire());
  submission.tenant = options_.tenant;
  auto frame = messages::pack<messages::Submit>(submission);
  const auto checked = messages::parse_frame<messages::Submit>(
      frame.bytes(), messages::frame_limits{});
  if (const auto* refusal = std::get_if<messages::refusal>(&checked))
    throw bad_request{refusal->text};
  const auto id = request_id::from(*submission.id);
  transport_.subscribe(id.hex());
  sent_ = clock::now();
  transport_.send(frame.bytes());
  requests_.insert_or_assign(
      id, request{std::move(frame), {options_.patience, sent_}, {}});
  return id;
}

void client::cancel(const messages::request_id& id) {
  messages::CancelT message;
  message.id = std::make_unique<messages::RequestId>(id.to_wire());
  message.tenant = options_.tenant;
  send<messages::Cancel>(message);
}

std::vector<event> client::poll(milliseconds timeout) {
  const auto until = clock::now() + timeout;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - clock::now());
    const auto wait = events_.empty() ? left : milliseconds{0};
    receive(std::clamp(wait, milliseconds{0}, sweep_interval));
    sweep();
    if (!events_.empty() || left <= milliseconds{0})
      return std::exchange(events_, {});
  }
}

messages::HealthT client::health() {
  return ask<messages::HealthT>(messages::QueryKind::health);
}

messages::StatsT client::stats() {
  return ask<messages::StatsT>(messages::QueryKind::stats);
}

messages::ModelsT client::models() {
  return ask<messages::ModelsT>(messages::QueryKind::models);
}

bool client::cancel_and_wait(const messages::request_id& id) {
  cancel(id);
  return wait_for_answer<messages::CancelledT>().found;
}

template <class T>
void client::send(const typename T::NativeTableType& message) {
  sent_ = clock::now();
  transport_.send(messages::pack<T>(message).bytes());
}

template <class Answer>
Answer client::wait_for_answer() {
  answer_ = std::monostate{};
  const auto until = clock::now() + options_.answer_timeout;
  while (clock::now() < until) {
    receive(sweep_interval);
    if (auto* found = std::get_if<Answer>(&answer_))
      return std::move(*found);
    if (const auto* refused = std::get_if<messages::RefusedT>(&answer_))
      throw protocol_error{"the daemon refused: " + refused->text};
  }
  throw timeout_error{"the daemon at " + options_.endpoint +
                      " did not answer in time; see `sluice health`"};
}

template <class Answer>
Answer client::ask(messages::QueryKind kind) {
  messages::QueryT query;
  query.correlation = ++correlation_;
  query.kind = kind;
  send<messages::Query>(query);
  return wait_for_answer<Answer>();
}

void client::greet() {
  messages::HelloT hello;
  hello.protocol = hello.oldest_protocol = protocol_version;
  hello.name = options_.name;
  hello.lease_ms = options_.lease_ms;
  send<messages::Hello>(hello);
  try {
    daemon_ = wait_for_answer<messages::HelloT>();
  } catch (const timeout_error&) {
    throw no_daemon{"no daemon answers at " + options_.endpoint +
                    "; start sluiced or pass another --endpoint"};
  }
  if (daemon_.oldest_protocol > protocol_version ||
      daemon_.protocol < protocol_version)
    throw protocol_error{"the daemon speaks protocol " +
                         std::to_string(daemon_.protocol) +
                         ", this client 1; upgrade the older of the two"};
  transport_.connect_streams(daemon_.stream_endpoint);
}

void client::receive(milliseconds timeout) {
  transport_.receive(timeout, [this](transport::bytes b) { dispatch(b); });
}

void client::dispatch(transport::bytes bytes) {
  using namespace messages;
  heard_ = clock::now();
  const auto taking = [this](const auto& frame) { take(*frame); };
  const auto keeping = [this](const auto& frame) { keep_answer(frame); };
  // Frames of other types (a probing Lease, say) need no reaction.
  static_cast<void>(
      handle<Chunk>(bytes, [this](chunk_frame& f) { take(std::move(f)); }) ||
      handle<Accepted>(bytes, taking) || handle<Rejected>(bytes, taking) ||
      handle<Replayed>(bytes, taking) || handle<Gap>(bytes, taking) ||
      handle<Refused>(bytes, taking) || handle<Hello>(bytes, keeping) ||
      handle<Health>(bytes, keeping) || handle<Stats>(bytes, keeping) ||
      handle<Models>(bytes, keeping) || handle<Cancelled>(bytes, keeping));
}

/// Calls the handler if the bytes say that they are a T; broken ones are
/// dropped, as if the network had lost them.
template <class T, class Handler>
bool client::handle(transport::bytes bytes, Handler handler) {
  static const auto limits = answer_limits();
  if (!messages::is_frame_of<T>(bytes))
    return false;
  auto parsed = messages::parse_frame<T>(bytes, limits);
  if (auto* frame = std::get_if<messages::frame<T>>(&parsed))
    handler(*frame);
  return true;
}

template <class T>
void client::keep_answer(const messages::frame<T>& frame) {
  if constexpr (requires { frame->correlation(); })
    if (frame->correlation() != correlation_)
      return;
  answer_ = frame.unpack();
}

client::request* client::find(const messages::RequestId* id) {
  const auto found = requests_.find(messages::request_id::from(*id));
  return found == requests_.end() ? nullptr : &found->second;
}

void client::take(chunk_frame chunk) {
  auto* request = find(chunk->id());
  if (!request)
    return;
  const auto id = messages::request_id::from(*chunk->id());
  const bool first_news = !request->track.is_accepted();
  const auto verdict = request->stream.take(std::move(chunk));
  if (verdict == stream_assembler::verdict::foreign)
    return end(id, failure_of(messages::ErrorCode::unknown_request, nullptr));
  if (verdict != stream_assembler::verdict::taken)
    return;
  if (first_news)
    events_.push_back({id, accepted{}});
  request->track.heard(heard_, request->stream.has_hole());
  release(id, *request);
}

void client::take(const messages::Accepted& answer) {
  auto* request = find(answer.id());
  if (!request)
    return;
  if (!request->track.is_accepted())
    events_.push_back({messages::request_id::from(*answer.id()),
                       accepted{answer.attached()}});
  request->track.accepted(heard_);
}

void client::take(const messages::Rejected& answer) {
  if (find(answer.id()))
    end(messages::request_id::from(*answer.id()),
        failure_of(answer.code(), answer.text(),
                   milliseconds{answer.retry_after_ms()}));
}

void client::take(const messages::Replayed& answer) {
  if (auto* request = find(answer.id()))
    request->track.replayed();
}

void client::take(const messages::Gap& gap) {
  auto* request = find(gap.id());
  if (!request)
    return;
  const bool unknown = gap.to_seq() == 0;
  if (unknown || gap.to_seq() > request->stream.next_seq())
    end(messages::request_id::from(*gap.id()),
        unknown ? failure_of(gap.code(), gap.text())
                : failure{messages::ErrorCode::unknown_request,
                          "chunks left the replay window before they could be "
                          "read; raise limits.window_chunks and "
                          "limits.window_bytes"});
}

void client::take(const messages::Refused& refused) {
  messages::RefusedT text;
  refused.UnPackTo(&text);
  answer_ = text;
  refusal_ = std::move(text);
  // A refusal names no request; it is clear whose it is if only one waits.
  const auto waits = [](const auto& entry) {
    return !entry.second.track.is_accepted();
  };
  const auto first = std::find_if(requests_.begin(), requests_.end(), waits);
  if (std::count_if(requests_.begin(), requests_.end(), waits) == 1)
    end(first->first, failure{refusal_->code, refusal_->text});
}

void client::release(const messages::request_id& id, request& request) {
  while (auto chunk = request.stream.next()) {
    const auto& body = **chunk;
    if (request.stream.ended() && request.stream.problem())
      return end(id, failure{messages::ErrorCode::internal,
                             *request.stream.problem() + "; submit it again"});
    if (const auto* last = body.body_as_Finished()) {
      finished done{last->reason(), {}};
      if (last->receipt())
        last->receipt()->UnPackTo(&done.receipt);
      return end(id, std::move(done));
    }
    if (const auto* last = body.body_as_Failed())
      return end(id, failure_of(last->code(), last->text()));
    events_.push_back({id, std::move(*chunk)});
  }
}

void client::end(const messages::request_id& id,
                 std::variant<finished, failure> how) {
  const auto gone = id; // the argument may live in what is erased
  transport_.unsubscribe(gone.hex());
  requests_.erase(gone);
  std::visit(
      [&](auto& what) {
        events_.push_back({gone, std::move(what)});
      },
      how);
}

void client::sweep() {
  const auto now = clock::now();
  if (now - swept_ < sweep_interval)
    return;
  swept_ = now;
  renew_lease();
  std::vector<messages::request_id> ids;
  ids.reserve(requests_.size());
  for (const auto& [id, request] : requests_)
    ids.push_back(id);
  for (const auto& id : ids)
    sweep_one(id, requests_.at(id));
}

void client::sweep_one(const messages::request_id& id, request& request) {
  if (request.track.owed(swept_) > options_.dead_after &&
      swept_ - heard_ > options_.dead_after)
    throw no_daemon{"the daemon at " + options_.endpoint +
                    " stopped answering; see its log and start it again"};
  switch (request.track.due(swept_)) {
  case request_track::action::submit:
    if (refusal_ && request.track.submissions() > most_submissions)
      return end(id, failure{refusal_->code, refusal_->text});
    sent_ = swept_;
    transport_.send(request.frame.bytes());
    return;
  case request_track::action::replay: {
    messages::ReplayT message;
    message.id = std::make_unique<messages::RequestId>(id.to_wire());
    message.tenant = options_.tenant;
    message.from_seq = request.stream.next_seq();
    return send<messages::Replay>(message);
  }
  case request_track::action::none:
    return;
  }
}

void client::renew_lease() {
  const auto granted = milliseconds{daemon_.lease_ms};
  if (options_.lease_ms == 0 || granted.count() == 0 ||
      swept_ - sent_ < granted / 3)
    return;
  messages::LeaseT lease;
  lease.lease_ms = daemon_.lease_ms;
  send<messages::Lease>(lease);
}

} // namespace sluice::client
