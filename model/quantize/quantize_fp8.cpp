// SPDX-License-Identifier: Apache-2.0
#include "model/quantize/quantize_fp8.hpp"

#include "kernels/convert.hpp"
#include "kernels/thread_pool.hpp"
#include "model/weight_names.hpp"
#include "model/weight_plan.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <unistd.h>

namespace sluice {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::uint64_t chunk_bytes = 8u << 20;

/// A tensor of the output, and of a rounded one its scales.
struct job {
  const tensor_info* tensor = nullptr;
  stored_matrix matrix; ///< of one that is rounded, else without a tensor

  bool rounded() const { return matrix.tensor != nullptr; }
};

json description() {
  const json numbers = {
      {"num_bits", 8}, {"type", "float"}, {"symmetric", true}};
  auto weights = numbers, activations = numbers;
  weights.update({{"strategy", "channel"}, {"dynamic", false}});
  activations.update({{"strategy", "token"}, {"dynamic", true}});
  return {{"quant_method", "compressed-tensors"},
          {"format", "float-quantized"},
          {"quantization_status", "compressed"},
          {"kv_cache_scheme", nullptr},
          {"ignore", {"lm_head"}},
          {"config_groups",
           {{"group_0",
             {{"targets", {"Linear"}},
              {"weights", weights},
              {"input_activations", activations},
              {"output_activations", nullptr}}}}}};
}

class fp8_writer {
public:
  fp8_writer(const fs::path& model, const fs::path& path,
             const quantize_options& options)
      : options_(options), model_(checkpoint::open(model)),
        path_(path.has_filename() ? path : path.parent_path()), partial_(path_),
        pool_(std::max(options.threads, 1)) {
    partial_ += ".partial-" + std::to_string(::getpid());
  }
  ~fp8_writer() {
    std::error_code ignored;
    fs::remove_all(partial_, ignored);
  }
  fp8_writer(const fp8_writer&) = delete;
  fp8_writer& operator=(const fp8_writer&) = delete;

  quantize_summary run();

private:
  void plan();
  json header() const;
  void write_tensors();
  void write_rounded(const stored_matrix& matrix);
  void write_as_it_is(const tensor_info& tensor);
  void round(const stored_matrix& matrix, std::uint64_t rows);
  void copy_files();
  void put(std::span<const std::byte> bytes);
  void done(std::uint64_t bytes);
  [[noreturn]] void failed(std::string_view what) const;

  const quantize_options& options_;
  checkpoint model_;
  fs::path path_, partial_;
  thread_pool pool_;
  std::vector<job> jobs_;
  std::ofstream out_;
  std::vector<std::byte> read_, rounded_;
  std::vector<float> scales_; ///< of the tensor being written
  std::uint64_t done_bytes_ = 0;
  quantize_summary summary_;
};

void fp8_writer::failed(std::string_view what) const {
  const auto name = path_.string();
  throw model_error(model_fault::io, {name, ""},
                    std::string(what) + ": " + std::strerror(errno),
                    "check the folder, its permissions and the free space");
}

/// Those that the loader knows; what it never reads stays behind.
void fp8_writer::plan() {
  weights unused;
  const auto plan =
      plan_weights(model_, describe_architecture(model_), {}, unused);
  const auto& names = names_for(model_.format());
  for (const auto& weight : plan.placements) {
    const auto& source = weight.source;
    if (source.scales)
      throw model_error(model_fault::unsupported,
                        {model_.label(), "tensor '" + weight.name + "'"},
                        "it is quantised already, as " +
                            std::string(name(source.type)),
                        "start from the F32, F16 or BF16 model");
    const bool rounded = source.tensor->rank == 2 &&
                         weight.name != names.embed &&
                         weight.name != names.lm_head;
    jobs_.push_back({source.tensor, rounded ? source : stored_matrix{}});
    summary_.bytes_in += source.bytes();
    summary_.weights += source.rows * source.columns;
    ++summary_.tensors[rounded ? "fp8" : std::string(name(source.type))];
  }
}

json fp8_writer::header() const {
  json header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t at = 0;
  const auto add = [&](const std::string& tensor, std::string_view type,
                       std::span<const std::uint64_t> shape,
                       std::uint64_t bytes) {
    header[tensor] = {{"dtype", type},
                      {"shape", std::vector(shape.begin(), shape.end())},
                      {"data_offsets", {at, at + bytes}}};
    at += bytes;
  };
  for (const auto& one : jobs_) {
    const auto& tensor = *one.tensor;
    if (!one.rounded()) {
      add(tensor.name, tensor.type->name, tensor.dimensions(), tensor.bytes);
      continue;
    }
    const std::uint64_t column[] = {one.matrix.rows, 1};
    add(tensor.name, "F8_E4M3", tensor.dimensions(),
        one.matrix.rows * one.matrix.columns);
    add(scale_name(tensor.name), "F32", column,
        one.matrix.rows * sizeof(float));
  }
  return header;
}

void fp8_writer::put(std::span<const std::byte> bytes) {
  out_.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!out_)
    failed("writing failed");
}

void fp8_writer::done(std::uint64_t bytes) {
  done_bytes_ += bytes;
  if (options_.progress)
    options_.progress(done_bytes_, summary_.bytes_in);
}

void fp8_writer::write_as_it_is(const tensor_info& tensor) {
  for (std::uint64_t at = 0; at < tensor.bytes; at += chunk_bytes) {
    read_.resize(std::min(chunk_bytes, tensor.bytes - at));
    model_.read(tensor, at, read_);
    put(read_);
    done(read_.size());
  }
}

/// Rows in read_ become fp8 rows in rounded_.
void fp8_writer::round(const stored_matrix& matrix, std::uint64_t rows) {
  const auto columns = static_cast<std::int64_t>(matrix.columns);
  const auto from = row_bytes(matrix.type, columns);
  const auto to = row_bytes(dtype::fp8, columns);
  rounded_.resize(rows * to);
  std::atomic<bool> fits = true;
  pool_.parallel_for(static_cast<std::int64_t>(rows), [&](std::int64_t i) {
    const auto row = static_cast<std::size_t>(i);
    std::vector<float> values(matrix.columns);
    dequantize_row(matrix.type, &read_[row * from], values);
    if (quantisable(dtype::fp8, values))
      quantize_row(dtype::fp8, values, &rounded_[row * to]);
    else
      fits = false;
  });
  if (!fits)
    throw model_error(model_fault::malformed,
                      {model_.label(), "tensor '" + matrix.tensor->name + "'"},
                      "an element is not a number", download_again);
}

void fp8_writer::write_rounded(const stored_matrix& matrix) {
  const auto bytes =
      row_bytes(matrix.type, static_cast<std::int64_t>(matrix.columns));
  const auto step = std::max<std::uint64_t>(chunk_bytes / bytes, 1);
  scales_.clear();
  for (std::uint64_t at = 0; at < matrix.rows; at += step) {
    const auto rows = std::min(step, matrix.rows - at);
    read_.resize(rows * bytes);
    read_rows(model_, matrix, at, rows, read_);
    round(matrix, rows);
    const auto stride = rounded_.size() / rows;
    for (std::uint64_t row = 0; row < rows; ++row) {
      const auto packed = std::span(rounded_).subspan(row * stride, stride);
      put(packed.first(matrix.columns));
      std::memcpy(&scales_.emplace_back(), &packed[matrix.columns],
                  sizeof(float));
    }
    done(rows * bytes);
  }
  put(std::as_bytes(std::span(scales_)));
}

void fp8_writer::write_tensors() {
  out_.open(partial_ / "model.safetensors", std::ios::binary);
  auto text = header().dump();
  text.append(-text.size() % 8, ' '); // tensors begin at a multiple of 8
  const std::uint64_t length = text.size();
  put(std::as_bytes(std::span(&length, 1)));
  put(std::as_bytes(std::span(text)));
  for (const auto& one : jobs_)
    one.rounded() ? write_rounded(one.matrix) : write_as_it_is(*one.tensor);
  out_.close();
  if (!out_)
    failed("writing failed");
}

/// What is no weight: tokenizer, generation settings, licence.
void fp8_writer::copy_files() {
  for (const auto& file : fs::directory_iterator(model_.path())) {
    const auto name = file.path().filename().string();
    const bool weights = name.find(".safetensors") != name.npos ||
                         name.ends_with(".bin") || name.ends_with(".gguf");
    if (file.is_regular_file() && !weights && name != "config.json")
      fs::copy_file(file.path(), partial_ / name);
  }
  auto config = model_.config();
  config["quantization_config"] = description();
  std::ofstream out(partial_ / "config.json");
  out << config.dump(2) << '\n';
  if (!out.flush())
    failed("writing failed");
}

quantize_summary fp8_writer::run() {
  if (model_.format() != checkpoint_format::safetensors ||
      !fs::is_directory(model_.path()))
    throw model_error(model_fault::unsupported, {model_.label(), ""},
                      "fp8 is made of a Hugging Face directory alone",
                      "GGUF files have no such type; choose q8_0 or w8a8");
  plan();
  std::error_code error;
  if (!fs::create_directories(partial_, error)) {
    errno = error.value();
    failed("cannot create the directory");
  }
  write_tensors();
  copy_files();
  summary_.bytes_out = fs::file_size(partial_ / "model.safetensors");
  fs::rename(partial_, path_, error);
  if (error) {
    errno = error.value();
    failed("cannot give the directory its name");
  }
  return std::move(summary_);
}

} // namespace

quantize_summary quantize_fp8(const fs::path& model, const fs::path& path,
                              const quantize_options& options) {
  return fp8_writer(model, path, options).run();
}

} // namespace sluice
