// SPDX-License-Identifier: Apache-2.0
#include "config/options.hpp"

#include <utility>

namespace sluice::config {
namespace {

constexpr std::uint64_t million = 1'000'000;

/// Collects options; one call an option keeps the list readable.
class option_list {
public:
  template <class T>
  void add(std::string_view key, T& field, std::string_view help,
           value_range range = {}, std::string_view choices = {}) {
    all_.push_back({key, help, field_ref{&field}, range, choices});
  }

  std::vector<option> take() && { return std::move(all_); }

private:
  std::vector<option> all_;
};

void add_daemon(option_list& list, config& c) {
  auto& s = c.daemon;
  list.add("daemon.name", s.name,
           "Names the sockets' files; letters, digits, - and _");
  list.add("daemon.run_dir", s.run_dir,
           "Folder of the sockets; empty: $XDG_RUNTIME_DIR/sluice, /run/sluice "
           "for root, else /tmp/sluice-UID");
  list.add("daemon.control_endpoint", s.control_endpoint,
           "ZeroMQ endpoint for requests; empty: ipc in run_dir");
  list.add("daemon.stream_endpoint", s.stream_endpoint,
           "ZeroMQ endpoint of the token streams; empty: ipc in run_dir");
}

void add_model(option_list& list, config& c) {
  auto& s = c.model;
  list.add("model.path", s.path,
           "Model to host: a Hugging Face directory or a .gguf file");
  list.add("model.name", s.name,
           "Name that clients ask for; empty: from the path");
  list.add("model.weight_type", s.weight_type,
           "Type of the weights in memory; empty: as stored", {},
           "|f32|f16|bf16|q8_0|q4_0|q4_1|q5_0|q5_1|q2_k|q3_k|q4_k|q5_k|q6_k"
           "|iq4_nl|iq4_xs|mxfp4|w8a8|fp8");
}

void add_executor(option_list& list, config& c) {
  auto& s = c.executor;
  list.add("executor.device", s.device,
           "What computes: a GPU, the CPU, or a GPU if there is one", {},
           "auto|cpu|cuda");
  list.add("executor.gpu", s.gpu, "Which GPU, as nvidia-smi counts them",
           {0, 1023});
  list.add("executor.determinism", s.determinism,
           "On a GPU: sums in an order that does not depend on the load, so "
           "that answers never do, or as is fastest",
           {}, "strict|fast");
  list.add("executor.threads", s.threads,
           "Threads that compute; 0: one for each core that the affinity mask, "
           "the cpuset and the CPU quota leave to the daemon",
           {0, 1024});
  list.add("executor.isa", s.isa,
           "Instruction set; empty: the best this CPU has", {},
           "|reference|portable|avx2|avx512|amx");
  list.add("executor.pin", s.pin,
           "Pin each thread to a core of its own if they use all the cores");
}

void add_memory(option_list& list, config& c) {
  auto& s = c.memory;
  list.add("memory.kv_bytes", s.kv_bytes,
           "KV cache of the model, where a CPU computes", {1u << 16});
  list.add("memory.gpu_fraction", s.gpu_fraction,
           "Memory of the GPU that weights, KV cache and work may take, in "
           "percent; what weights and work leave becomes KV cache",
           {1, 100});
  list.add("memory.page_tokens", s.page_tokens,
           "Token positions in a KV page; a power of two", {8, 128});
  list.add("memory.kv_type", s.kv_type, "Type of the KV cache", {},
           "f32|f16|bf16|i8|fp8");
  list.add("memory.side_bytes", s.side_bytes,
           "What running requests may need beside KV: their tokens and "
           "log-probabilities",
           {1u << 16});
  list.add(
      "memory.swap_bytes", s.swap_bytes,
      "Host memory for the KV of sequences that gave way; 0: what they had "
      "is computed again",
      {0});
  list.add(
      "memory.prefix_cache", s.prefix_cache,
      "Keep what was computed for prompts that begin the same, of the same "
      "tenant");
  list.add("memory.pinned_share", s.pinned_share,
           "KV pages that requests can keep in the cache with pin, in percent "
           "of all",
           {0, 90});
}

void add_scheduling(option_list& list, config& c) {
  auto& s = c.scheduling;
  list.add("scheduling.max_sequences", s.max_sequences,
           "Sequences that run at once", {1, 65536});
  list.add("scheduling.step_tokens", s.step_tokens,
           "Token positions in one step, prompts and decodes together",
           {1, 65536});
  list.add("scheduling.pipeline_depth", s.pipeline_depth,
           "Steps planned ahead, the running one included", {1, 8});
  list.add("scheduling.itl_target", s.itl_target,
           "Longest step while streams decode: chunks of long prompts are cut "
           "to it; 0s: only step_tokens bounds them",
           {0, 600'000});
  list.add("scheduling.decode_share", s.decode_share,
           "With itl_target: the time that decodes keep while prompts wait, in "
           "percent; more of it makes long prompts later",
           {1, 99});
  list.add(
      "scheduling.reserve", s.reserve,
      "KV pages that a request must find before it starts: its prompt's (it "
      "may have to give way later), or all that it can come to need",
      {}, "full|prompt");
  list.add("scheduling.fair_share", s.fair_share,
           "Among equal priorities, the tenant that has had least is next; "
           "false: first come, first served");
}

void add_tenants(option_list& list, config& c) {
  auto& s = c.tenants;
  list.add("tenants.max_waiting", s.max_waiting,
           "Requests of one tenant that may wait; 0: no limit of its own",
           {0, million});
  list.add("tenants.max_running", s.max_running,
           "Requests of one tenant that run at once; 0: no limit of its own",
           {0, million});
  list.add("tenants.weights", s.weights,
           "Shares of the lane by tenant, as in gold=4,free=1; others have 1");
  list.add("tenants.input_price", s.input_price,
           "What a prompt token counts when tenants are compared", {0, 1000});
  list.add("tenants.output_price", s.output_price,
           "What a generated token counts when tenants are compared",
           {0, 1000});
}

void add_queue_limits(option_list& list, limits_section& s) {
  list.add("limits.queue", s.queue, "Requests that may wait; more are refused",
           {1, million});
  list.add("limits.requests_per_client", s.requests_per_client,
           "Open requests of one client", {1, million});
  list.add("limits.sessions", s.sessions, "Clients known at once",
           {1, million});
  list.add("limits.inflight_frames", s.inflight_frames,
           "Frames read from the socket and not yet handled", {1, million});
  list.add("limits.outbox_messages", s.outbox_messages,
           "Messages that wait to be sent; stream chunks beyond are dropped "
           "and replayed on demand",
           {16, 16 * million});
  list.add("limits.outbox_bytes", s.outbox_bytes,
           "Bytes of the messages that wait to be sent", {1u << 16});
  list.add("limits.peer_messages", s.peer_messages,
           "Messages that ZeroMQ holds for one slow peer", {16, million});
}

void add_frame_limits(option_list& list, limits_section& s) {
  list.add("limits.frame_bytes", s.frame_bytes, "Largest control frame",
           {1024, 1u << 30});
  list.add("limits.frame_depth", s.frame_depth, "Nested tables in a frame",
           {4, 64});
  list.add("limits.frame_tables", s.frame_tables, "Tables in a frame",
           {16, million});
  list.add("limits.name_bytes", s.name_bytes,
           "Longest name of a tenant, model or client", {1, 4096});
  list.add("limits.messages", s.messages, "Messages of a chat", {1, million});
}

void add_request_limits(option_list& list, limits_section& s) {
  list.add("limits.prompt_bytes", s.prompt_bytes, "Longest prompt text",
           {1, 1u << 30});
  list.add("limits.prompt_tokens", s.prompt_tokens,
           "Longest prompt given as token ids", {1, 1u << 28});
  list.add("limits.sequences", s.sequences,
           "Sequences of a request (n, best_of, beams)", {1, 256});
  list.add("limits.logprobs", s.logprobs,
           "Alternatives per token with log-probabilities", {0, 1024});
  list.add("limits.prompt_logprobs", s.prompt_logprobs,
           "Log-probabilities of a prompt's tokens, alternatives included",
           {0, 1u << 30});
  list.add("limits.stop_strings", s.stop_strings, "Stop strings of a request",
           {0, 1024});
  list.add("limits.stop_bytes", s.stop_bytes, "Longest stop string",
           {1, 65536});
  list.add("limits.stop_tokens", s.stop_tokens, "Stop tokens of a request",
           {0, 65536});
  list.add("limits.logit_bias", s.logit_bias, "Logit biases of a request",
           {0, million});
}

void add_window_limits(option_list& list, limits_section& s) {
  list.add("limits.window_chunks", s.window_chunks,
           "Chunks of one stream kept for replay", {1, million});
  list.add("limits.window_bytes", s.window_bytes,
           "Bytes of one stream kept for replay", {1024});
  list.add("limits.windows_bytes", s.windows_bytes,
           "Bytes of all streams kept for replay", {1024});
  list.add("limits.window_linger", s.window_linger,
           "How long an ended stream can be replayed", {0, 86'400'000});
  list.add("limits.resend_interval", s.resend_interval,
           "Shortest time between two resends of a stream to new subscribers",
           {0, 60'000});
}

void add_clients(option_list& list, config& c) {
  auto& s = c.clients;
  constexpr value_range short_time{10, 600'000};
  list.add("clients.probe_interval", s.probe_interval,
           "How often clients with requests are probed", short_time);
  list.add("clients.heartbeat", s.heartbeat, "How often connections are tested",
           short_time);
  list.add("clients.heartbeat_timeout", s.heartbeat_timeout,
           "Silence after which a connection is dead", short_time);
  list.add("clients.handshake_timeout", s.handshake_timeout,
           "Time to complete a connection", short_time);
  list.add("clients.lease_max", s.lease_max,
           "Longest lease that a client may ask for", {1'000, 604'800'000});
  list.add("clients.drain_timeout", s.drain_timeout,
           "Time that running requests get when the daemon stops",
           {0, 86'400'000});
}

void add_log(option_list& list, config& c) {
  auto& s = c.log;
  list.add("log.level", s.level, "Least severity that is logged", {},
           "trace|debug|info|warn|error|off");
  list.add("log.format", s.format, "Lines for people or JSON objects", {},
           "text|json");
}

} // namespace

std::vector<option> options(config& c) {
  option_list list;
  add_daemon(list, c);
  add_model(list, c);
  add_executor(list, c);
  add_memory(list, c);
  add_scheduling(list, c);
  add_tenants(list, c);
  add_queue_limits(list, c.limits);
  add_frame_limits(list, c.limits);
  add_request_limits(list, c.limits);
  add_window_limits(list, c.limits);
  add_clients(list, c);
  add_log(list, c);
  return std::move(list).take();
}

} // namespace sluice::config
