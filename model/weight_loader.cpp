// SPDX-License-Identifier: Apache-2.0
#include "model/weight_loader.hpp"

#include "kernels/convert.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

namespace sluice {

namespace {

// A chunk fits the second-level cache between reading and packing.
constexpr std::uint64_t chunk_bytes = 512u << 10;
// Below this a thread costs more than it saves.
constexpr std::uint64_t bytes_per_thread = 4u << 20;

/// Some rows of one weight.
struct chunk {
  const weight_placement* weight;
  std::uint64_t first;
  std::uint64_t rows;
};

/// Rows that are read at a time: whole panels, or all rows of a vector.
std::uint64_t chunk_rows(const weight_placement& weight) {
  const auto bytes = row_bytes(
      weight.source.type, static_cast<std::int64_t>(weight.source.columns));
  const auto panel = static_cast<std::uint64_t>(weight.panel_rows);
  return std::max<std::uint64_t>(chunk_bytes / bytes / panel, 1) * panel;
}

std::vector<chunk> chunks_of(const weight_plan& plan) {
  std::vector<const weight_placement*> order;
  for (const auto& weight : plan.placements)
    order.push_back(&weight);
  std::ranges::sort(order, {}, [](const weight_placement* weight) {
    return std::pair(weight->source.tensor->file,
                     weight->source.tensor->offset);
  });
  std::vector<chunk> chunks;
  for (const auto* weight : order) {
    const auto step = chunk_rows(*weight);
    for (std::uint64_t at = 0; at < weight->source.rows; at += step)
      chunks.push_back({weight, at, std::min(step, weight->source.rows - at)});
  }
  return chunks;
}

/// One thread's buffers and its way from a chunk of the file into memory.
class chunk_filler {
public:
  chunk_filler(const checkpoint& model, const weight_packing* packing,
               std::byte* memory)
      : model_(model), packing_(packing), memory_(memory) {}

  void fill(const chunk& part);

private:
  bool as_stored(const weight_placement& weight) const {
    return weight.source.type == weight.stored &&
           weight.source.type == weight.numbers;
  }
  const std::byte* converted(const chunk& part, const std::byte* rows);
  void round_row(const weight_placement& weight);
  [[noreturn]] void refuse(const weight_placement& weight, dtype type) const;
  void pack(const chunk& part, const std::byte* rows);

  const checkpoint& model_;
  const weight_packing* packing_;
  std::byte* memory_;
  std::vector<std::byte> read_;
  std::vector<std::byte> converted_;
  std::vector<std::byte> rounded_;
  std::vector<float> row_;
};

void chunk_filler::fill(const chunk& part) {
  const auto& weight = *part.weight;
  const auto columns = static_cast<std::int64_t>(weight.source.columns);
  const auto bytes = part.rows * row_bytes(weight.source.type, columns);
  const bool in_rows = weight.layout == weight_layout::rows;
  std::byte* place = memory_ + weight.offset +
                     (in_rows ? part.first * weight.stride_bytes : 0);
  if (in_rows && as_stored(weight))
    return read_rows(model_, weight.source, part.first, part.rows,
                     {place, bytes});
  read_.resize(std::max<std::size_t>(read_.size(), bytes));
  read_rows(model_, weight.source, part.first, part.rows,
            std::span(read_).first(bytes));
  const std::byte* rows =
      as_stored(weight) ? read_.data() : converted(part, read_.data());
  if (in_rows)
    std::copy_n(rows, part.rows * weight.stride_bytes, place);
  else
    pack(part, rows);
}

const std::byte* chunk_filler::converted(const chunk& part,
                                         const std::byte* rows) {
  const auto& weight = *part.weight;
  const auto columns = static_cast<std::int64_t>(weight.source.columns);
  const auto from = row_bytes(weight.source.type, columns);
  const auto to = row_bytes(weight.stored, columns);
  converted_.resize(std::max<std::size_t>(converted_.size(), part.rows * to));
  row_.resize(weight.source.columns);
  for (std::uint64_t i = 0; i < part.rows; ++i) {
    dequantize_row(weight.source.type, rows + i * from, row_);
    if (weight.numbers != weight.source.type && weight.numbers != weight.stored)
      round_row(weight);
    // A block with one infinity or NaN would quantise to nothing else.
    if (!quantisable(weight.stored, row_))
      refuse(weight, weight.stored);
    quantize_row(weight.stored, row_, &converted_[i * to]);
  }
  return converted_.data();
}

/// To numbers that are then stored as another type.
void chunk_filler::round_row(const weight_placement& weight) {
  if (!quantisable(weight.numbers, row_))
    refuse(weight, weight.numbers);
  rounded_.resize(
      row_bytes(weight.numbers, static_cast<std::int64_t>(row_.size())));
  quantize_row(weight.numbers, row_, rounded_.data());
  dequantize_row(weight.numbers, rounded_.data(), row_);
}

void chunk_filler::refuse(const weight_placement& weight, dtype type) const {
  throw model_error(
      model_fault::malformed, {model_.label(), "tensor '" + weight.name + "'"},
      "an element is not a number or too large for " + std::string(name(type)),
      download_again);
}

void chunk_filler::pack(const chunk& part, const std::byte* rows) {
  const auto& weight = *part.weight;
  const auto columns = static_cast<std::int64_t>(weight.source.columns);
  const auto stride = row_bytes(weight.stored, columns);
  const auto panel = static_cast<std::uint64_t>(weight.panel_rows);
  for (std::uint64_t at = 0; at < part.rows; at += panel) {
    const matrix_view some{
        .data = rows + at * stride,
        .type = weight.stored,
        .rows = static_cast<std::int64_t>(std::min(panel, part.rows - at)),
        .columns = columns,
        .row_stride_bytes = stride};
    packing_->pack_panel(some,
                         memory_ + weight.offset +
                             (part.first + at) / panel * weight.stride_bytes);
  }
}

/// The chunks, claimed one by one by all threads.
class parallel_fill {
public:
  parallel_fill(const checkpoint& model, const weight_plan& plan,
                const load_options& options, std::byte* memory)
      : model_(model), options_(options), memory_(memory),
        chunks_(chunks_of(plan)) {
    for (const auto& weight : plan.placements)
      total_bytes_ += weight.source.bytes();
  }

  void run();

private:
  void work(bool reports);
  void failed(std::size_t number);
  void report() const {
    if (options_.progress)
      options_.progress(std::min(done_bytes_.load(), total_bytes_),
                        total_bytes_);
  }

  const checkpoint& model_;
  const load_options& options_;
  std::byte* memory_;
  std::vector<chunk> chunks_;
  std::uint64_t total_bytes_ = 0;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::uint64_t> done_bytes_ = 0;
  std::mutex lock_;
  std::size_t failed_ = SIZE_MAX; ///< the first chunk that failed
  std::exception_ptr error_;      ///< why
};

void parallel_fill::run() {
  report();
  const auto useful =
      std::max<std::uint64_t>(total_bytes_ / bytes_per_thread, 1);
  const auto wanted =
      std::min<std::uint64_t>(useful, std::max(options_.threads, 1));
  std::vector<std::jthread> helpers;
  for (std::uint64_t i = 1; i < wanted; ++i)
    helpers.emplace_back([this] { work(false); });
  work(true);
  helpers.clear(); // joins
  if (error_)
    std::rethrow_exception(error_);
  report();
}

void parallel_fill::work(bool reports) {
  chunk_filler filler(model_, options_.packing, memory_);
  for (;;) {
    const auto number = next_.fetch_add(1);
    if (number >= chunks_.size())
      return;
    try {
      filler.fill(chunks_[number]);
    } catch (...) {
      return failed(number);
    }
    const auto& part = chunks_[number];
    const auto& source = part.weight->source;
    done_bytes_ += source.bytes() * part.rows / source.rows;
    if (reports)
      report();
  }
}

void parallel_fill::failed(std::size_t number) {
  next_ = chunks_.size(); // the others stop after what they hold
  const std::lock_guard guard(lock_);
  if (number >= failed_)
    return;
  failed_ = number;
  error_ = std::current_exception();
}

} // namespace

void fill_weights(const checkpoint& model, const weight_plan& plan,
                  const load_options& options, std::byte* memory) {
  parallel_fill(model, plan, options, memory).run();
}

} // namespace sluice
