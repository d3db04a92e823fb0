// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "memory/kv_pages.hpp"
#include "tests/memory/paper_device.hpp"

#include <map>
#include <random>

namespace sluice::test {

/// A batcher on paper: sequences that do random things to kv_pages, with plans
/// on their way, and a plain account of what must be so.
class paper_lane {
public:
  paper_lane(const kv_pages_config& config, std::uint32_t seed);

  /// Does one random thing.
  void act();

  /// Throws std::logic_error with what does not hold.
  void verify() const;

  /// Ends everything. Every page must be free or cached then.
  void finish();

  const kv_pages& pages() const { return pages_; }

private:
  struct sequence {
    std::uint64_t life = 0;
    std::uint64_t scope = 0;
    std::vector<std::uint32_t> tokens; // all, also those not sampled yet
    std::uint32_t told = 0;            // of them, to kv_pages
    std::uint32_t planned = 0;         // positions
    std::uint32_t computed = 0;
    std::uint32_t needed = 0;   // positions that must have a page
    std::vector<page_id> table; // as the grants say
    double page_seconds = 0;
    std::uint32_t plans = 0; // on their way
  };
  using iterator = std::map<std::uint64_t, sequence>::iterator;

  std::uint32_t random(std::uint32_t below);
  iterator any();
  std::vector<std::uint32_t> prompt();
  std::vector<std::uint64_t> values(const sequence& s) const;

  void admit(std::uint64_t key, sequence s);
  void admit_new();
  void fork();
  void plan();
  void add_row(std::uint64_t key, sequence& s);
  void finish_plan();
  void release();
  void preempt();
  void truncate();
  void swap_out();
  void swap_in();
  void pass_time();

  void verify_sequence(std::uint64_t key, const sequence& s) const;
  void verify_counts() const;
  void verify_plans() const;

  kv_pages_config config_;
  kv_pages pages_;
  paper_device device_;
  std::mt19937 random_;
  std::map<std::uint64_t, sequence> sequences_;
  std::deque<paper_plan> on_their_way_;
  paper_plan next_{.number = 1};
  std::uint64_t lives_ = 0;
  instant now_{};
};

} // namespace sluice::test
