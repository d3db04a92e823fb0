// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

namespace sluice::actors::metric {

// Every series that the daemon keeps, named as Prometheus wants it. Times are
// in seconds. A histogram `x` shows as x_count, x_sum and x_bucket{le="..."}.

// -- requests -----------------------------------------------------------------
inline constexpr auto requests = "sluice_requests_total";  // by outcome
inline constexpr auto rejected = "sluice_rejected_total";  // by reason
inline constexpr auto waiting = "sluice_requests_waiting"; // gauge
inline constexpr auto running = "sluice_requests_running"; // gauge
inline constexpr auto queue_seconds = "sluice_queue_seconds";
inline constexpr auto first_token_seconds = "sluice_first_token_seconds";
inline constexpr auto request_seconds = "sluice_request_seconds";

// -- steps --------------------------------------------------------------------
inline constexpr auto step_seconds = "sluice_step_seconds"; // result to result
inline constexpr auto step_compute_seconds = "sluice_step_compute_seconds";
inline constexpr auto step_kernel_seconds = "sluice_step_kernel_seconds";
inline constexpr auto step_sampling_seconds = "sluice_step_sampling_seconds";
// From the end of a step in the executor to the start of the next one.
inline constexpr auto step_idle_seconds = "sluice_step_idle_seconds";
// All that is no kernel: idle, reading plans, sampling, building results.
inline constexpr auto step_overhead_seconds = "sluice_step_overhead_seconds";
// What the cost model had said of step_compute_seconds, and how far off it is:
// |predicted - measured| / measured, smoothed; a gauge.
inline constexpr auto step_predicted_seconds = "sluice_step_predicted_seconds";
inline constexpr auto step_prediction_error = "sluice_step_prediction_error";
inline constexpr auto step_rows = "sluice_step_rows";
inline constexpr auto prompt_tokens = "sluice_prompt_tokens_total";
inline constexpr auto generated_tokens = "sluice_generated_tokens_total";
inline constexpr auto scored_tokens = "sluice_scored_tokens_total";
// Devices that were lost and made anew.
inline constexpr auto executor_restarts = "sluice_executor_restarts_total";

// -- KV pages -----------------------------------------------------------------
inline constexpr auto kv_pages_pool = "sluice_kv_pages_pool"; // gauge
inline constexpr auto kv_pages_free = "sluice_kv_pages_free"; // gauge
// By state: free, active, cached, pinned, in_flight; swapped ones lie in host
// memory, beside the pool.
inline constexpr auto kv_pages = "sluice_kv_pages"; // gauge
// Positions that have a page but no KV.
inline constexpr auto kv_waste_tokens = "sluice_kv_waste_tokens"; // gauge
// Of one sequence, past what plans on their way compute: less than a page, or
// than two with a look-ahead page.
inline constexpr auto kv_waste_most = "sluice_kv_waste_most_tokens"; // gauge
// From a cancel to the pages free or cached, of requests that ran.
inline constexpr auto cancel_free_seconds = "sluice_cancel_free_seconds";
inline constexpr auto prefix_hit_tokens = "sluice_prefix_hit_tokens_total";
inline constexpr auto prefix_missed_tokens =
    "sluice_prefix_missed_tokens_total";
inline constexpr auto kv_evictions = "sluice_kv_evictions_total"; // pages
inline constexpr auto kv_copies = "sluice_kv_copies_total";       // pages
inline constexpr auto kv_swapped_out = "sluice_kv_swapped_out_pages_total";
inline constexpr auto kv_swapped_in = "sluice_kv_swapped_in_pages_total";
inline constexpr auto preemptions = "sluice_preemptions_total"; // recompute
inline constexpr auto refused_pins = "sluice_refused_pins_total";
inline constexpr auto outside = "sluice_sequences_preempted"; // gauge, now
inline constexpr auto ledger_discrepancies =
    "sluice_ledger_discrepancies_total";

// -- streams and sockets ------------------------------------------------------
inline constexpr auto chunks = "sluice_chunks_total";
inline constexpr auto late_chunks = "sluice_late_chunks_total";
inline constexpr auto late_terminals = "sluice_late_terminals_total";
inline constexpr auto streams_open = "sluice_streams_open"; // gauge
inline constexpr auto streams_held = "sluice_streams_held"; // gauge
inline constexpr auto window_bytes = "sluice_window_bytes"; // gauge
inline constexpr auto replays = "sluice_replays_total";
inline constexpr auto gaps = "sluice_gaps_total";
inline constexpr auto sessions = "sluice_sessions"; // gauge
inline constexpr auto vanished = "sluice_sessions_vanished_total";
inline constexpr auto frames_in = "sluice_frames_in_total";
inline constexpr auto refused_frames = "sluice_refused_frames_total";
inline constexpr auto dropped_parts = "sluice_dropped_parts_total";

/// Counters without labels: shown from the start, at zero.
inline constexpr std::array counters{prompt_tokens,
                                     generated_tokens,
                                     scored_tokens,
                                     executor_restarts,
                                     ledger_discrepancies,
                                     prefix_hit_tokens,
                                     prefix_missed_tokens,
                                     kv_evictions,
                                     kv_copies,
                                     kv_swapped_out,
                                     kv_swapped_in,
                                     preemptions,
                                     refused_pins,
                                     chunks,
                                     late_terminals,
                                     replays,
                                     gaps,
                                     vanished,
                                     refused_frames};

} // namespace sluice::actors::metric
