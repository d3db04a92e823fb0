// SPDX-License-Identifier: Apache-2.0
#pragma once

// The configuration of the daemon as plain data: units and defaults here,
// names, meanings and allowed ranges in config/options.hpp (the one list from
// which files, SLUICE_* variables, flags, --help and `config print` follow),
// reading in config/load.hpp.

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "config/units.hpp"

namespace sluice::config {

/// Bad configuration: one line that names the source, the option and the
/// remedy.
class config_error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct daemon_section {
  std::string name = "sluice";  // of the sockets' files and in Hello
  std::string run_dir;          // empty: the user's runtime directory
  std::string control_endpoint; // empty: ipc in run_dir
  std::string stream_endpoint;  // empty: ipc in run_dir
};

struct model_section {
  std::string path;        // directory or .gguf file
  std::string name;        // empty: from the path
  std::string weight_type; // empty: as stored
};

struct executor_section {
  std::string device = "auto"; // a GPU, if there is one
  std::uint32_t gpu = 0;       // which
  std::string determinism = "strict";
  std::uint32_t threads = 0; // 0: as many as the machine gives
  std::string isa;           // empty: the best this CPU has
  bool pin = true;           // threads to cores of their own
};

struct memory_section {
  byte_size kv_bytes = 512_mib;    // on a CPU
  std::uint32_t gpu_fraction = 90; // percent of a GPU's memory
  std::uint32_t page_tokens = 16;
  std::string kv_type = "f16";
  byte_size side_bytes = 1_gib; // of requests, beside KV
  byte_size swap_bytes = 1_gib; // host memory for KV that gave way
  bool prefix_cache = true;
  std::uint32_t pinned_share = 10; // percent of the pages
};

struct scheduling_section {
  std::uint32_t max_sequences = 64; // running at once, of a lane
  std::uint32_t step_tokens = 512;  // positions in one step
  std::uint32_t pipeline_depth = 2; // steps planned ahead, the running included
  std::chrono::milliseconds itl_target{0}; // longest step; 0: any
  std::uint32_t decode_share = 78;         // percent, while prompts wait
  std::string reserve = "prompt";          // pages, when a request starts
  bool fair_share = true;                  // between tenants, by service
};

struct tenants_section {
  std::uint32_t max_waiting = 0; // requests of one tenant; 0: no limit
  std::uint32_t max_running = 0;
  std::string weights;           // "gold=4,free=1"; others: 1
  std::uint32_t input_price = 1; // of a token, when tenants are compared
  std::uint32_t output_price = 2;
};

struct limits_section {
  std::uint32_t queue = 4096;              // requests that wait
  std::uint32_t requests_per_client = 256; // open at once
  std::uint32_t sessions = 4096;           // clients known at once
  std::uint32_t inflight_frames = 1024;    // read but not handled
  std::uint32_t outbox_messages = 65536;   // waiting to be sent
  byte_size outbox_bytes = 256_mib;
  std::uint32_t peer_messages = 4096; // ZeroMQ's high-water mark of a peer
  byte_size frame_bytes = 16_mib;     // one control frame
  std::uint32_t frame_depth = 16;     // nested tables
  std::uint32_t frame_tables = 4096;
  byte_size prompt_bytes = 8_mib;
  std::uint32_t prompt_tokens = 1u << 20;
  std::uint32_t sequences = 16;             // n, best_of or beams of a request
  std::uint32_t logprobs = 20;              // alternatives per token
  std::uint32_t prompt_logprobs = 1u << 20; // of a request, alternatives too
  std::uint32_t stop_strings = 16;
  byte_size stop_bytes{256}; // of one stop string
  std::uint32_t stop_tokens = 64;
  std::uint32_t logit_bias = 1024; // entries
  byte_size name_bytes{128};       // tenant, model and client names
  std::uint32_t messages = 1024;   // of a chat
  std::uint32_t window_chunks = 4096;
  byte_size window_bytes = 1_mib; // of one stream
  byte_size windows_bytes = 256_mib;
  std::chrono::milliseconds window_linger{30'000};
  std::chrono::milliseconds resend_interval{100}; // of one stream's window
};

struct clients_section {
  std::chrono::milliseconds probe_interval{500};
  std::chrono::milliseconds heartbeat{1'000};
  std::chrono::milliseconds heartbeat_timeout{3'000};
  std::chrono::milliseconds handshake_timeout{3'000};
  std::chrono::milliseconds lease_max{3'600'000};
  std::chrono::milliseconds drain_timeout{30'000};
};

struct log_section {
  std::string level = "info";
  std::string format = "text";
};

/// Every option of the daemon.
struct config {
  daemon_section daemon;
  model_section model;
  executor_section executor;
  memory_section memory;
  scheduling_section scheduling;
  tenants_section tenants;
  limits_section limits;
  clients_section clients;
  log_section log;
};

} // namespace sluice::config
