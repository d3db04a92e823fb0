// SPDX-License-Identifier: Apache-2.0
// What the client does with the frames that come in; the rest is in client.cpp.
#include "tools/client/client.hpp"

#include <algorithm>
#include <utility>

namespace sluice::client {
namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

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

bool client::is_ours(const flatbuffers::String* tenant) const {
  return (tenant ? tenant->string_view() : std::string_view{}) ==
         options_.tenant;
}

client::request* client::find(const messages::RequestId* id) {
  const auto found = requests_.find(messages::request_id::from(*id));
  return found == requests_.end() ? nullptr : &found->second;
}

void client::take(chunk_frame chunk) {
  auto* request = find(chunk->id());
  if (!request || !is_ours(chunk->tenant()))
    return; // of a request that has ended, or of a tenant with the same id
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

} // namespace sluice::client
