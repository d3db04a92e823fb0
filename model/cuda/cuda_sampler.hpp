// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/cuda/sampling.hpp"
#include "model/cuda/cuda_scratch.hpp"
#include "model/cuda/cuda_transformer.hpp"
#include "model/lane_batch.hpp"
#include "model/logits_observer.hpp"
#include "model/position_outcome.hpp"
#include "model/step_answer.hpp"

#include <cstdint>
#include <vector>

namespace sluice {

/// Turns the hidden states of a step into tokens and scores on a GPU, as
/// `sampler`. What a row needs beside its logits (settings, biases, penalty
/// counts) goes up with each step, so that nothing about a sequence has to be
/// kept in step with the host.
class cuda_sampler {
public:
  /// @param most_rows  positions of one slice, those of the scratch's logits.
  /// @throws cuda::out_of_device_memory, cuda::device_error.
  cuda_sampler(std::uint32_t vocab, std::uint32_t most_rows);

  /// Samples and scores every position the batch asks for, as sampler::run().
  /// Waits for the device.
  void run(const cuda_transformer& model, cuda_scratch& scratch,
           const lane_batch& batch, const logits_observer& observer,
           cuda::stream& in, step_answer& answer);

private:
  struct slice { // of the step's wanted positions
    std::uint32_t first;
    std::uint32_t count;
  };
  /// What a slice needs on the device.
  struct slice_input {
    std::vector<cuda::choice_row> rows;
    std::vector<cuda::choice_settings> settings;
    std::vector<logit_bias> bias;
    std::vector<std::int32_t> count_rows; // beside the next two
    std::vector<std::int32_t> count_tokens;
    std::vector<std::int32_t> count_changes;
    std::int32_t counted = 0; // rows of penalty counts
    std::int32_t most_top = 0;

    void clear();
  };

  void plan(const lane_batch& batch, slice part);
  void plan_position(const batch_row& row, std::uint32_t wanted,
                     cuda::choice_row& out);
  void choose(const cuda::device_rows& logits, cuda::stream& in);
  void show(const cuda::device_rows& logits, const lane_batch& batch,
            slice part, const logits_observer& observer, cuda::stream& in);
  void collect(const lane_batch& batch, slice part, step_answer& answer);
  position_outcome outcome_of(std::uint32_t index, bool is_scored) const;

  std::uint32_t vocab_;
  std::uint32_t most_rows_;
  slice_input input_;
  // Grow with what is asked.
  cuda::device_memory up_;     // the input
  cuda::device_memory counts_; // [counted, count_stride]
  cuda::device_memory down_;   // choices, then alternatives
  cuda::device_memory workspace_;
  std::vector<std::byte> up_host_;
  std::vector<cuda::choice> choices_;
  std::vector<token_logprob> top_;
};

} // namespace sluice
