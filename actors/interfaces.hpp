// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every typed actor interface of the daemon: reading this file is learning the
// system. Names in CAPITALS are actors. `request` is the daemon's own number of
// a request (the clients' 128-bit ids stay at the edge: GATEWAY, PUBLISHER);
// `session` is the routing id that ZeroMQ gave a client's connection.

#include <cstdint>
#include <string>

#include <caf/all.hpp>

#include "actors/caf_frame.hpp"
#include "actors/reports.hpp"

namespace sluice::actors {

template <class T>
using frame = messages::frame<T>;

using session_id = std::string;
using request_number = std::uint64_t;

// -- atoms (at most ten characters) -------------------------------------------
using tick_atom = caf::atom_constant<caf::atom("tick")>;
using drain_atom = caf::atom_constant<caf::atom("drain")>;
using vanish_atom = caf::atom_constant<caf::atom("vanish")>;
using open_atom = caf::atom_constant<caf::atom("open")>;
using ended_atom = caf::atom_constant<caf::atom("ended")>;
using expired_atom = caf::atom_constant<caf::atom("expired")>;
using accept_atom = caf::atom_constant<caf::atom("accept")>;
using reject_atom = caf::atom_constant<caf::atom("reject")>;
using topic_atom = caf::atom_constant<caf::atom("topic")>;
using cancel_atom = caf::atom_constant<caf::atom("cancel")>;
using failed_atom = caf::atom_constant<caf::atom("failed")>;
using report_atom = caf::atom_constant<caf::atom("report")>;
using lost_atom = caf::atom_constant<caf::atom("lost")>;
using renew_atom = caf::atom_constant<caf::atom("renew")>;

// Counts and measures; answers questions about them.
using meter_actor = caf::typed_actor<
    // Adds increments to counters, observations to histograms, sets gauges.
    caf::reacts_to<metric_batch>,
    // All series, for `sluice top` and Stats. Sent by GATEWAY.
    caf::replies_to<report_atom>::with<metric_snapshot>>;

// Sessions of clients, ids of requests, leases.
using gateway_actor = caf::typed_actor<
    caf::reacts_to<session_id, frame<messages::Hello>>,
    caf::reacts_to<session_id, frame<messages::Submit>>,
    caf::reacts_to<session_id, frame<messages::Cancel>>,
    caf::reacts_to<session_id, frame<messages::Replay>>,
    caf::reacts_to<session_id, frame<messages::Query>>,
    caf::reacts_to<session_id, frame<messages::Lease>>,
    caf::reacts_to<session_id, frame<messages::Credit>>,
    // The connection of a session is gone. Sent by the socket loop.
    caf::reacts_to<vanish_atom, session_id>,
    // The scheduler took the request. Sent by SCHEDULER.
    caf::reacts_to<accept_atom, request_number>,
    // The scheduler or the preparer refused it: code, text, retry after
    // (milliseconds).
    caf::reacts_to<reject_atom, request_number, messages::ErrorCode,
                   std::string, std::uint32_t>,
    // The stream has had its last chunk. Sent by PUBLISHER.
    caf::reacts_to<ended_atom, request_number>,
    // Its window is gone too: the id may be forgotten. Sent by PUBLISHER.
    caf::reacts_to<expired_atom, request_number>,
    // Stop taking requests. Sent by SUPERVISOR.
    caf::reacts_to<drain_atom>,
    // Probes connections, expires leases; sends itself one a probe interval.
    caf::reacts_to<tick_atom>>;

// Chunks, seq numbers, replay windows; alone closes a stream.
using publisher_actor = caf::typed_actor<
    // Who is told of ended and expired streams. Sent by GATEWAY at its start.
    caf::reacts_to<open_atom, gateway_actor>,
    // Opens the stream of a request. Sent by GATEWAY before anything runs.
    caf::reacts_to<open_atom, request_number, frame<messages::Submit>>,
    // How many chunks a stream has had. Sent by GATEWAY when a client attaches.
    caf::replies_to<open_atom, request_number>::with<std::uint32_t>,
    // Forgets a stream that was opened but then rejected. Sent by GATEWAY.
    caf::reacts_to<reject_atom, request_number>,
    // What one step gave, for all its requests. Sent by BATCHER.
    caf::reacts_to<frame<messages::Tokens>>,
    // Ends a stream with Failed. Sent by SCHEDULER (deadlines, shutdown).
    caf::reacts_to<failed_atom, request_number, messages::ErrorCode,
                   std::string>,
    // Ends a stream that never ran with Finished. Sent by SCHEDULER.
    caf::reacts_to<cancel_atom, request_number, messages::FinishReason>,
    // Sends chunks again on the control socket. Sent by GATEWAY.
    caf::reacts_to<session_id, request_number, frame<messages::Replay>>,
    // A subscription arrived: send the window again. Sent by the socket loop.
    caf::reacts_to<topic_atom, std::string>,
    // Expires windows; sends itself one a second.
    caf::reacts_to<tick_atom>,
    // How many streams are open and held. Sent by GATEWAY, SUPERVISOR.
    caf::replies_to<report_atom>::with<publisher_report>>;

// Turns text into tokens; a small pool of them.
using preparer_actor = caf::typed_actor<
    // Tokenises and resolves defaults. Sent by GATEWAY.
    caf::reacts_to<request_number, frame<messages::Submit>>>;

// The ledger and the page tables of one lane.
using kv_page_manager_actor = caf::typed_actor<
    // Grants pages for one step, or says which sequences must wait. Sent by
    // BATCHER.
    caf::replies_to<frame<messages::PageRequest>>::with<
        frame<messages::PageGrant>>,
    caf::replies_to<report_atom>::with<ledger_report>>;

// The running sequences of one lane and its step pipeline.
using batcher_actor = caf::typed_actor<
    // Run this request from the next step on. Sent by SCHEDULER.
    caf::reacts_to<frame<messages::Admit>>,
    // End it at the next step. Sent by SCHEDULER.
    caf::reacts_to<frame<messages::Stop>>,
    // Pages for the step being planned. Sent by KV_PAGE_MANAGER.
    caf::reacts_to<frame<messages::PageGrant>>,
    // What a step gave. Sent by EXECUTOR.
    caf::reacts_to<frame<messages::StepResult>>,
    // The device was lost and is back, in this life of its own: plans without a
    // result are void, and no page has KV. Sent by EXECUTOR.
    caf::reacts_to<renew_atom, std::uint64_t>,
    caf::replies_to<report_atom>::with<batcher_report>>;

// One device: sees frames only, and may live in another process.
using executor_actor = caf::typed_actor<
    // Runs one step and sends the result to the lane's BATCHER. There is none
    // if the device is lost in it, or was lost before it was made.
    caf::reacts_to<frame<messages::StepPlan>>,
    // Plans of the lane count again. Sent by BATCHER when it has heard that the
    // device is back.
    caf::reacts_to<frame<messages::Attach>>,
    // Where the results of a lane go. Sent by the daemon at start.
    caf::reacts_to<open_atom, std::uint32_t, batcher_actor>,
    // A step has ended on the device. Sent by its own watch.
    caf::reacts_to<ended_atom>,
    // Answers when the device is lost, with what it met. Without anybody who
    // has asked, such a step fails as others do. Sent by SUPERVISOR.
    caf::replies_to<lost_atom>::with<std::string>,
    // Makes the lost device anew and tells every BATCHER; the answer is why it
    // could not, or empty. Sent by SUPERVISOR.
    caf::replies_to<renew_atom>::with<std::string>>;

// Request states, the queue, budgets, deadlines.
using scheduler_actor = caf::typed_actor<
    // Who is told of accepted and refused requests, and the lane's BATCHER.
    // Sent by SUPERVISOR at start.
    caf::reacts_to<open_atom, gateway_actor>,
    caf::reacts_to<open_atom, std::uint32_t, batcher_actor>,
    // Admit, queue or refuse. Sent by PREPARER.
    caf::reacts_to<frame<messages::Prepared>>,
    // End it wherever it is. Sent by GATEWAY.
    caf::reacts_to<cancel_atom, request_number, messages::FinishReason>,
    // A request left its lane. Sent by BATCHER.
    caf::reacts_to<frame<messages::Outcome>>,
    // What a step gave and the pool has. Sent by BATCHER after every step.
    caf::reacts_to<lane_news>,
    // Refuse what comes, finish what runs; answers when nothing is left.
    caf::replies_to<drain_atom>::with<bool>,
    // Fail everything that is left. Sent by SUPERVISOR when time is up.
    caf::reacts_to<failed_atom, messages::ErrorCode, std::string>,
    // Deadlines; sends itself one when the next is due.
    caf::reacts_to<tick_atom>,
    caf::replies_to<report_atom>::with<scheduler_report>>;

// The spawn tree, stop levels, health.
using supervisor_actor = caf::typed_actor<
    // Whom it watches and drains. Sent by the daemon at start.
    caf::reacts_to<open_atom, gateway_actor, scheduler_actor, batcher_actor>,
    // Ends the daemon if this one dies. Sent by the daemon at start.
    caf::reacts_to<open_atom, caf::actor_addr, std::string>,
    // Whose device is made anew when it is lost, and where that is counted.
    // Sent by the daemon at start.
    caf::reacts_to<open_atom, executor_actor, meter_actor>,
    // Time to make its device anew; sent to itself.
    caf::reacts_to<renew_atom>,
    // Finish what runs, then stop. A second one stops now. Sent by the socket
    // loop on SIGTERM or SIGINT.
    caf::reacts_to<drain_atom>, caf::reacts_to<tick_atom>,
    // State and ages of the last progress. Sent by GATEWAY.
    caf::replies_to<report_atom>::with<health_report>>;

} // namespace sluice::actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::messages::ErrorCode)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::messages::FinishReason)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::metric_batch)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::metric_snapshot)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::publisher_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::scheduler_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::ledger_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::lane_news)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::batcher_report)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(sluice::actors::health_report)
