// SPDX-License-Identifier: Apache-2.0
#include "actors/lane_setup.hpp"

#include <algorithm>
#include <random>

#include "config/tenant_weights.hpp"
#include "kernels/check.hpp"
#include "kernels/convert.hpp"
#include "kernels/cpu_topology.hpp"
#include "kernels/select.hpp"
#include "memory/kv_store.hpp"
#include "model/cpu_device.hpp"
#include "model/gpu.hpp"
#include "model/tokenizer/tokenizer.hpp"

namespace sluice::actors {
namespace {

dtype kv_type_of(const config::config& configuration) {
  if (const auto type = parse_kv_type(configuration.memory.kv_type))
    return *type;
  throw contract_violation{"memory.kv_type is '" +
                           configuration.memory.kv_type +
                           "'; choose f16, bf16, i8, fp8 or f32"};
}

std::optional<dtype> weight_type_of(const config::config& configuration) {
  const auto& wanted = configuration.model.weight_type;
  if (wanted.empty())
    return std::nullopt;
  if (const auto type = parse_weight_type(wanted))
    return type;
  throw contract_violation{"model.weight_type is '" + wanted +
                           "'; choose one of " + weight_type_list()};
}

int threads_of(const config::config& configuration,
               const cpu_topology& machine) {
  const auto wanted = static_cast<int>(configuration.executor.threads);
  return wanted == 0 ? default_threads(machine) : wanted;
}

std::unique_ptr<compute_device> gpu_of(const config::config& configuration) {
  const auto& from = configuration.executor;
  return make_gpu_device({.index = from.gpu,
                          .threads = threads_of(configuration, detect_cpus()),
                          .strict = from.determinism != "fast",
                          .memory_percent = configuration.memory.gpu_fraction});
}

std::unique_ptr<compute_device> cpu_of(const config::config& configuration) {
  engine_options options;
  const auto machine = detect_cpus();
  options.threads = threads_of(configuration, machine);
  options.pin =
      configuration.executor.pin && worth_pinning(machine, options.threads);
  if (!configuration.executor.isa.empty()) {
    options.isa = parse_instruction_set(configuration.executor.isa);
    if (!options.isa)
      throw contract_violation{
          "executor.isa is '" + configuration.executor.isa +
          "'; choose reference, portable, avx2, avx512, amx "
          "or leave it empty"};
  }
  return std::make_unique<cpu_device>(options);
}

// An instruction set that somebody named is a CPU that somebody wants.
bool wants_gpu(const config::config& configuration) {
  const auto& from = configuration.executor;
  if (from.device == "auto")
    return from.isa.empty() && !gpus().empty();
  return from.device == "cuda";
}

/// Which device is decided once: a GPU that is lost does not become a CPU.
device_source source_of(const config::config& configuration,
                        device_wrapper wrap) {
  const bool gpu = wants_gpu(configuration);
  device_source source;
  source.make = [=, wrap = std::move(wrap)] {
    auto device = gpu ? gpu_of(configuration) : cpu_of(configuration);
    return wrap ? wrap(std::move(device)) : std::move(device);
  };
  if (gpu)
    source.reset = [index = configuration.executor.gpu] { reset_gpu(index); };
  return source;
}

lane_options room_of(const config::config& configuration, const engine& device,
                     const loaded_model& model) {
  const auto& arch = model.arch;
  lane_options options;
  options.page_tokens = configuration.memory.page_tokens;
  options.kv_type = kv_type_of(configuration);
  options.max_step_tokens = configuration.scheduling.step_tokens;
  const auto page_bytes = kv_store_bytes({.layers = arch.layers,
                                          .kv_heads = arch.kv_heads,
                                          .head_dim = arch.head_dim,
                                          .pages = 1,
                                          .page_tokens = options.page_tokens,
                                          .type = options.kv_type});
  const auto fillable =
      std::uint64_t{configuration.scheduling.max_sequences} *
      ((arch.context + options.page_tokens - 1) / options.page_tokens);
  // Nobody swaps more than all that runs. A GPU has room for swapped pages on
  // their way, too, so it is told before it says what is left.
  options.host_slots = static_cast<std::uint32_t>(std::min<std::uint64_t>(
      {configuration.memory.swap_bytes.count / page_bytes, 4 * fillable,
       UINT32_MAX}));
  // More pages than all sequences can fill are of use to a cache only.
  const auto useful =
      configuration.memory.prefix_cache ? 4 * fillable : fillable;
  const auto bytes = device.kv_bytes_beside(model, options)
                         .value_or(configuration.memory.kv_bytes.count);
  const auto pages = std::min(bytes / page_bytes, useful);
  if (pages == 0)
    throw contract_violation{"the KV cache may take " + std::to_string(bytes) +
                             " bytes and one KV page of this model takes " +
                             std::to_string(page_bytes) +
                             "; raise memory.kv_bytes, or memory.gpu_fraction "
                             "on a GPU"};
  options.kv_pages =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(pages, UINT32_MAX));
  return options;
}

std::vector<std::uint32_t> ends_of(const loaded_model& model) {
  auto ends = model.arch.eos;
  for (const auto token : model.text->eos())
    if (std::find(ends.begin(), ends.end(), token) == ends.end())
      ends.push_back(token);
  return ends;
}

/// What clients can pin; without a cache nothing.
std::uint32_t pinned_pages_of(const config::config& configuration,
                              const lane_facts& facts) {
  if (!configuration.memory.prefix_cache)
    return 0;
  return static_cast<std::uint32_t>(std::uint64_t{facts.kv_pages} *
                                    configuration.memory.pinned_share / 100);
}

} // namespace

lane_setup load_lane(const config::config& configuration,
                     const load_options& options, device_wrapper wrap) {
  if (configuration.model.path.empty())
    throw contract_violation{
        "no model is configured; set model.path to a Hugging Face directory "
        "or a .gguf file"};
  lane_setup setup;
  setup.device = std::make_shared<sluice::engine>(
      source_of(configuration, std::move(wrap)));
  auto loading = options;
  loading.weight_type = weight_type_of(configuration);
  loading.packing = setup.device->packing();
  loading.fp8 = setup.device->multiplies_fp8();
  const auto model = load_model(configuration.model.path, loading);
  if (!model->text)
    throw contract_violation{configuration.model.path +
                             ": the model has no tokenizer; put its "
                             "tokenizer.json beside config.json"};
  setup.lane = setup.device->add_lane(
      model, room_of(configuration, *setup.device, *model), options.progress);
  setup.facts = setup.device->facts(setup.lane);
  setup.family = model->arch.family;
  setup.profile = {.lane = setup.lane,
                   .model = configuration.model.name.empty()
                                ? model->name
                                : configuration.model.name,
                   .context = model->arch.context,
                   .vocab = model->arch.vocab,
                   .eos = ends_of(*model),
                   .text = model->text,
                   .max_prompt_logprobs = configuration.limits.prompt_logprobs};
  return setup;
}

/// Tenants whose tokens count nothing are all alike: first come, first served.
policy::token_prices prices_of(const config::config& configuration) {
  const auto& tenants = configuration.tenants;
  if (!configuration.scheduling.fair_share)
    return {0, 0};
  return {static_cast<double>(tenants.input_price),
          static_cast<double>(tenants.output_price)};
}

policy::lane_capacity capacity_of(const config::config& configuration,
                                  const lane_facts& facts) {
  const auto& scheduling = configuration.scheduling;
  const auto& tenants = configuration.tenants;
  const auto weights = config::parse_tenant_weights(tenants.weights);
  return {.context_tokens = facts.context,
          .pool_pages = facts.kv_pages - pinned_pages_of(configuration, facts),
          .page_tokens = facts.page_tokens,
          .max_sequences = scheduling.max_sequences,
          .max_waiting = configuration.limits.queue,
          .side_bytes = configuration.memory.side_bytes.count,
          .reserve = scheduling.reserve == "prompt"
                         ? policy::reserve_rule::prompt
                         : policy::reserve_rule::full,
          .tenants = {tenants.max_waiting, tenants.max_running},
          .prices = prices_of(configuration),
          .weights = {weights.begin(), weights.end()}};
}

kv_page_manager_config pages_of(const config::config& configuration,
                                const lane_setup& lane) {
  std::random_device random;
  const auto& facts = lane.facts;
  return {.lane = lane.lane,
          .pool_pages = facts.kv_pages,
          .page_tokens = facts.page_tokens,
          .host_slots = facts.host_slots,
          .most_pinned_pages = pinned_pages_of(configuration, facts),
          .prefix_cache = configuration.memory.prefix_cache,
          .hash_seed = std::uint64_t{random()} << 32 | random(),
          .scope = {.weights = lane.profile.model,
                    .kv_type = configuration.memory.kv_type}};
}

policy::preemption_rules preemption_of(const lane_facts& facts) {
  constexpr double first_guess = 4e9; // until it has been measured
  return {.page_tokens = facts.page_tokens,
          .page_bytes = facts.page_bytes,
          .swap_bytes_per_second = facts.host_slots > 0 ? first_guess : 0};
}

policy::lane_limits limits_of(const config::config& configuration,
                              const lane_facts& facts) {
  return {.context_tokens = facts.context,
          .step_tokens = configuration.scheduling.step_tokens,
          .pipeline_depth = configuration.scheduling.pipeline_depth,
          .page_tokens = facts.page_tokens,
          .itl_target = configuration.scheduling.itl_target,
          .decode_share = configuration.scheduling.decode_share / 100.0,
          .costs = policy::starting_costs(facts.weight_bytes)};
}

messages::frame_limits frame_limits_of(const config::config& configuration) {
  const auto& from = configuration.limits;
  messages::frame_limits limits;
  limits.max_frame_bytes = from.frame_bytes.count;
  limits.max_depth = from.frame_depth;
  limits.max_tables = from.frame_tables;
  limits.max_prompt_bytes = static_cast<std::uint32_t>(from.prompt_bytes.count);
  limits.max_prompt_tokens = from.prompt_tokens;
  limits.max_sequences = from.sequences;
  limits.max_logprobs = from.logprobs;
  limits.max_stop_strings = from.stop_strings;
  limits.max_stop_bytes = static_cast<std::uint32_t>(from.stop_bytes.count);
  limits.max_stop_tokens = from.stop_tokens;
  limits.max_logit_bias = from.logit_bias;
  limits.max_name_bytes = static_cast<std::uint32_t>(from.name_bytes.count);
  limits.max_messages = from.messages;
  return limits;
}

messages::ModelInfoT info_of(const lane_setup& setup) {
  messages::ModelInfoT info;
  info.name = setup.profile.model;
  info.family = setup.family;
  info.context_tokens = setup.facts.context;
  info.vocabulary = setup.facts.vocab;
  info.weight_bytes = setup.facts.weight_bytes;
  info.kv_pages = setup.facts.kv_pages;
  info.page_tokens = setup.facts.page_tokens;
  return info;
}

} // namespace sluice::actors
