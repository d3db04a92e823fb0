// SPDX-License-Identifier: Apache-2.0
#include "model/quantize/quantize.hpp"

#include "kernels/convert.hpp"
#include "kernels/thread_pool.hpp"
#include "model/quantize/gguf_keys.hpp"
#include "model/quantize/quantize_fp8.hpp"
#include "model/tokenizer/export_vocabulary.hpp"
#include "model/weight_names.hpp"
#include "model/weight_plan.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace sluice {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t chunk_bytes = 8u << 20;
constexpr std::uint64_t rows_a_tile = 16;

/// One tensor of the output; w8a8 becomes two.
struct job {
  std::string name; ///< in GGUF
  stored_matrix source;
  dtype type;
  std::uint64_t head_rows = 0; ///< rows of q and k that are reordered together
  std::uint64_t rotary_rows = 0; ///< of those, the first ones
};

bool is_real(dtype type) {
  return type == dtype::f32 || type == dtype::f16 || type == dtype::bf16;
}

class quantizer {
public:
  quantizer(const fs::path& model, const fs::path& path,
            const quantize_options& options)
      : options_(options), model_(checkpoint::open(model)),
        arch_(describe_architecture(model_)), path_(path), out_(path),
        pool_(std::max(options.threads, 1)) {}

  quantize_summary run();

private:
  void add_keys();
  void add_tokenizer();
  void plan();
  job plan_tensor(const weight_placement& weight);
  dtype matrix_type(const job& tensor);
  void reorder(job& tensor) const;
  void plan_rope_divisors();
  void declare(const job& tensor);
  void check_space() const;
  void write(const job& tensor);
  void convert(const job& tensor, std::uint64_t first, std::uint64_t rows);
  void put_rows(const job& tensor, std::uint64_t rows);
  [[noreturn]] void refuse(const job& tensor, std::string_view rule,
                           std::string_view remedy) const;

  const quantize_options& options_;
  checkpoint model_;
  architecture arch_;
  fs::path path_;
  gguf_writer out_;
  thread_pool pool_;
  std::vector<job> jobs_;
  std::vector<float> rope_divisors_; ///< of the llama3 scaling, or empty
  std::vector<std::byte> read_, converted_;
  std::vector<float> scales_; ///< of the w8a8 tensor being written
  std::uint64_t done_bytes_ = 0;
  quantize_summary summary_;
};

void quantizer::refuse(const job& tensor, std::string_view rule,
                       std::string_view remedy) const {
  throw model_error(model_fault::unsupported,
                    {model_.label(), "tensor '" + tensor.name + "'"}, rule,
                    remedy);
}

void quantizer::add_keys() {
  if (model_.format() == checkpoint_format::gguf) {
    copy_keys(model_.metadata(), out_);
  } else {
    add_architecture_keys(arch_, model_.label(), out_);
    add_tokenizer();
  }
  out_.add_u32("general.quantization_version", 2);
  if (const auto type = options_.recipe->file_type)
    out_.add_u32("general.file_type", *type);
}

void quantizer::add_tokenizer() {
  auto exported = export_vocabulary(model_);
  if (!exported)
    return;
  if (exported->words.tokens.size() > arch_.vocab)
    throw model_error(model_fault::bad_shape, {model_.label(), "tokenizer"},
                      "it has " +
                          std::to_string(exported->words.tokens.size()) +
                          " tokens and the embedding has " +
                          std::to_string(arch_.vocab) + " rows",
                      "use the tokenizer that the model was trained with");
  // The configuration's ends are those that a request stops at.
  auto& words = exported->words;
  if (arch_.bos)
    words.bos = arch_.bos;
  if (!arch_.eos.empty())
    words.eos = arch_.eos.front();
  if (arch_.eos.size() > 1)
    words.eot = arch_.eos[1];
  if (arch_.eos.size() > 2)
    exported->notes.push_back("of the model's end tokens only two are kept");
  add_vocabulary_keys(words, out_);
  if (!exported->chat_template.empty())
    out_.add_text("tokenizer.chat_template", exported->chat_template);
  summary_.notes = std::move(exported->notes);
}

/// The plan of the loader finds, checks and names every weight.
void quantizer::plan() {
  weights unused;
  const auto plan = plan_weights(model_, arch_, {}, unused);
  for (const auto& weight : plan.placements) {
    jobs_.push_back(plan_tensor(weight));
    summary_.bytes_in += weight.source.bytes();
  }
  plan_rope_divisors();
}

job quantizer::plan_tensor(const weight_placement& weight) {
  job tensor{.name = gguf_name(weight.name, model_.format()),
             .source = weight.source,
             .type = dtype::f32};
  if (std::holds_alternative<matrix_view*>(weight.target)) {
    reorder(tensor);
    tensor.type = matrix_type(tensor);
  }
  if (!is_real(tensor.source.type) && tensor.source.type != tensor.type)
    refuse(tensor,
           "it is quantised already, as " +
               std::string(name(tensor.source.type)),
           "start from the F32, F16 or BF16 model");
  declare(tensor);
  return tensor;
}

dtype quantizer::matrix_type(const job& tensor) {
  const auto columns = static_cast<std::int64_t>(tensor.source.columns);
  const auto& recipe = *options_.recipe;
  recipe_matrix matrix{tensor.name, arch_.layers, arch_.tied_embeddings,
                       columns};
  const auto found = recipe_type(recipe, matrix);
  matrix.columns = 256; // any type has whole blocks then
  if (found != recipe_type(recipe, matrix))
    summary_.substitutes.push_back(
        tensor.name + ": " +
        std::string(name(found.value_or(tensor.source.type))));
  return found.value_or(tensor.source.type);
}

void quantizer::reorder(job& tensor) const {
  const bool rotated = tensor.name.ends_with("attn_q.weight") ||
                       tensor.name.ends_with("attn_k.weight");
  if (!rotated || arch_.rope.layout == gguf_rope_layout(arch_))
    return;
  tensor.head_rows = arch_.head_dim;
  tensor.rotary_rows = arch_.rope.rotary_dim;
}

void quantizer::plan_rope_divisors() {
  if (arch_.rope.scaling != rope_scaling::llama3)
    return;
  auto plain = arch_.rope;
  plain.scaling = rope_scaling::none;
  const auto scaled = rope_frequencies(arch_.rope, {});
  rope_divisors_ = rope_frequencies(plain, {});
  for (std::size_t i = 0; i < scaled.size(); ++i)
    rope_divisors_[i] /= scaled[i];
  const std::uint64_t count = scaled.size();
  out_.declare("rope_freqs.weight", dtype::f32, {&count, 1});
}

void quantizer::declare(const job& tensor) {
  const std::uint64_t shape[] = {tensor.source.rows, tensor.source.columns};
  const bool is_vector = tensor.source.tensor->rank == 1;
  const bool pair = tensor.type == dtype::w8a8;
  out_.declare(tensor.name, pair ? dtype::i8 : tensor.type,
               std::span(shape).subspan(is_vector ? 1 : 0));
  if (pair)
    out_.declare(scale_name(tensor.name), dtype::f32,
                 std::span(shape).first(1));
  summary_.weights += tensor.source.rows * tensor.source.columns;
  ++summary_.tensors[std::string(name(tensor.type))];
}

void quantizer::check_space() const {
  std::error_code unknown;
  const auto folder = fs::absolute(path_, unknown).parent_path();
  const auto space = fs::space(folder, unknown);
  if (unknown || space.available >= out_.tensor_bytes())
    return;
  throw model_error(model_fault::io, {path_.string(), ""},
                    "it needs " + std::to_string(out_.tensor_bytes() >> 20) +
                        " MiB and the disk has " +
                        std::to_string(space.available >> 20) + " MiB left",
                    "free space or write to another disk");
}

/// Where row `row` of the output is among the rows of its head in the source:
/// 0, d / 2, 1, d / 2 + 1, .. become neighbours; rows past d stay.
std::uint64_t source_row(const job& tensor, std::uint64_t row) {
  if (tensor.head_rows == 0)
    return row;
  const auto at = row % tensor.head_rows;
  if (at >= tensor.rotary_rows)
    return row;
  return row - at + at / 2 + at % 2 * (tensor.rotary_rows / 2);
}

void quantizer::convert(const job& tensor, std::uint64_t first,
                        std::uint64_t rows) {
  const auto columns = static_cast<std::int64_t>(tensor.source.columns);
  const auto from = row_bytes(tensor.source.type, columns);
  const auto to = row_bytes(tensor.type, columns);
  read_.resize(rows * from);
  converted_.resize(rows * to);
  read_rows(model_, tensor.source, first, rows, read_);
  std::atomic<bool> fits = true;
  const auto tile = [&](std::int64_t number) {
    std::vector<float> values(tensor.source.columns);
    const auto begin = static_cast<std::uint64_t>(number) * rows_a_tile;
    const auto end = std::min(begin + rows_a_tile, rows);
    for (auto row = begin; row < end; ++row) {
      const auto* packed = &read_[source_row(tensor, row) * from];
      if (tensor.source.type == tensor.type) {
        std::memcpy(&converted_[row * to], packed, to);
        continue;
      }
      dequantize_row(tensor.source.type, packed, values);
      if (quantisable(tensor.type, values))
        quantize_row(tensor.type, values, &converted_[row * to]);
      else
        fits = false;
    }
  };
  pool_.parallel_for(
      static_cast<std::int64_t>((rows + rows_a_tile - 1) / rows_a_tile), tile);
  if (!fits)
    throw model_error(model_fault::malformed,
                      {model_.label(), "tensor '" + tensor.name + "'"},
                      "an element is not a number or too large for " +
                          std::string(name(tensor.type)),
                      download_again);
}

void quantizer::put_rows(const job& tensor, std::uint64_t rows) {
  if (tensor.type != dtype::w8a8)
    return out_.write(converted_);
  const auto columns = tensor.source.columns;
  const auto stride = converted_.size() / rows;
  for (std::uint64_t row = 0; row < rows; ++row) {
    const auto packed = std::span(converted_).subspan(row * stride, stride);
    out_.write(packed.first(columns));
    float scale;
    std::memcpy(&scale, &packed[columns], sizeof scale);
    scales_.push_back(scale);
  }
}

void quantizer::write(const job& tensor) {
  const auto& source = tensor.source;
  const auto bytes =
      row_bytes(source.type, static_cast<std::int64_t>(source.columns));
  const auto whole = std::max<std::uint64_t>(tensor.head_rows, 1);
  const auto step =
      std::max<std::uint64_t>(chunk_bytes / bytes / whole, 1) * whole;
  scales_.clear();
  for (std::uint64_t at = 0; at < source.rows; at += step) {
    const auto rows = std::min(step, source.rows - at);
    convert(tensor, at, rows);
    put_rows(tensor, rows);
    done_bytes_ += source.bytes() * rows / source.rows;
    if (options_.progress)
      options_.progress(done_bytes_, summary_.bytes_in);
  }
  if (!scales_.empty())
    out_.write(std::as_bytes(std::span(scales_)));
}

quantize_summary quantizer::run() {
  add_keys();
  plan();
  check_space();
  for (const auto& tensor : jobs_)
    write(tensor);
  if (!rope_divisors_.empty())
    out_.write(std::as_bytes(std::span(rope_divisors_)));
  out_.finish();
  summary_.bytes_out = fs::file_size(path_);
  return std::move(summary_);
}

} // namespace

quantize_summary quantize(const fs::path& model, const fs::path& path,
                          const quantize_options& options) {
  if (options.recipe->most == dtype::fp8)
    return quantize_fp8(model, path, options);
  return quantizer(model, path, options).run();
}

} // namespace sluice
