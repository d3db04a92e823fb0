// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "actors/chunk_builder.hpp"
#include "actors/frame_credit.hpp"
#include "actors/interfaces.hpp"
#include "actors/outbox.hpp"
#include "actors/policy/stream_table.hpp"

namespace sluice::actors {

struct publisher_config {
  std::uint64_t epoch = 0;             // of this daemon's life; in every chunk
  std::uint32_t window_chunks = 4096;  // of one stream
  std::size_t window_bytes = 1u << 20; // of one stream
  std::size_t windows_bytes = 256u << 20;         // of all streams
  std::chrono::milliseconds linger{30'000};       // of a window after its end
  std::chrono::milliseconds linger_max{600'000};  // that a client may ask for
  std::chrono::milliseconds resend_interval{100}; // of one stream's window
  std::chrono::milliseconds tick{1'000};
};

/// Whom the publisher talks to; the gateway introduces itself.
struct publisher_links {
  std::shared_ptr<outbox> out;
  std::shared_ptr<frame_credit> credit;
  meter_actor meter;
};

/// Numbers chunks, keeps their windows, sends them, and alone closes streams:
/// the first terminal wins. Windows are kept by policy::stream_table.
class publisher_state {
public:
  static constexpr const char* name = "publisher";

  explicit publisher_state(publisher_actor::pointer self);

  void start(publisher_config config, publisher_links links);

  void introduce(gateway_actor gateway);
  void open(request_number request, frame<messages::Submit> submitted);
  std::uint32_t length(request_number request);
  void discard(request_number request);
  void tokens(frame<messages::Tokens> step);
  void fail(request_number request, messages::ErrorCode code, std::string text);
  void finish(request_number request, messages::FinishReason reason);
  void replay(session_id to, request_number request,
              frame<messages::Replay> what);
  void subscribed(std::string topic);
  void tick();
  publisher_report report();

private:
  policy::instant now() const;

  void append(request_number request, const messages::Delta& body);
  void append(request_number request, const messages::SequenceEndT& body);
  template <class Table>
  void close(request_number request, typename Table::NativeTableType body);
  void send(policy::stream& stream, frame<messages::Chunk> chunk);
  template <class Table>
  void send_last(policy::stream& stream, typename Table::NativeTableType body);
  template <class Action>
  void protect(request_number request, Action action);

  bool send_held(const session_id& to, const policy::stream& stream,
                 std::uint32_t from_seq);
  void offer_window(policy::stream& stream);
  void offer_due_windows();
  void wake_after(std::chrono::nanoseconds delay);
  std::unique_ptr<messages::ReceiptT>
  receipt_without_run(request_number request);
  void report_expired(const std::vector<request_number>& requests);
  void count(const char* metric);
  void gauge(const char* metric, double value);
  void flush_counts();

  publisher_actor::pointer self_;
  publisher_config config_;
  publisher_links links_;
  gateway_actor gateway_;
  policy::stream_table streams_{{}};
  std::vector<request_number> due_windows_; // to be sent again soon
  std::uint32_t ticks_under_way_ = 0;
  chunk_builder chunks_;
  metric_batch counts_; // of the running handler
};

publisher_actor::behavior_type
publisher(publisher_actor::stateful_pointer<publisher_state> self,
          publisher_config config, publisher_links links);

} // namespace sluice::actors
