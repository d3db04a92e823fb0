// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/matmul_library.hpp"

#include <cublasLt.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

// cuBLASLt, loaded when it is first asked for and not linked: a machine without
// it (it has half a gigabyte) starts all the same, and fast mode does without.

namespace sluice::cuda {
namespace {

/// The functions that we use.
struct library_functions {
  decltype(&cublasLtGetVersion) get_version;
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) get_heuristic;
  decltype(&cublasLtMatmulDescCreate) create_operation;
  decltype(&cublasLtMatmulDescDestroy) destroy_operation;
  decltype(&cublasLtMatmulDescSetAttribute) set_operation;
  decltype(&cublasLtMatrixLayoutCreate) create_layout;
  decltype(&cublasLtMatrixLayoutDestroy) destroy_layout;
  decltype(&cublasLtMatmulPreferenceCreate) create_preference;
  decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;

  /// @return false if a function is missing.
  bool load(void* from) {
    return find(from, "cublasLtGetVersion", get_version) &&
           find(from, "cublasLtCreate", create) &&
           find(from, "cublasLtMatmul", matmul) &&
           find(from, "cublasLtMatmulAlgoGetHeuristic", get_heuristic) &&
           find(from, "cublasLtMatmulDescCreate", create_operation) &&
           find(from, "cublasLtMatmulDescDestroy", destroy_operation) &&
           find(from, "cublasLtMatmulDescSetAttribute", set_operation) &&
           find(from, "cublasLtMatrixLayoutCreate", create_layout) &&
           find(from, "cublasLtMatrixLayoutDestroy", destroy_layout) &&
           find(from, "cublasLtMatmulPreferenceCreate", create_preference) &&
           find(from, "cublasLtMatmulPreferenceDestroy", destroy_preference) &&
           find(from, "cublasLtMatmulPreferenceSetAttribute", set_preference);
  }

private:
  template <class Function>
  static bool find(void* from, const char* name, Function& to) {
    to = reinterpret_cast<Function>(dlsym(from, name));
    return to != nullptr;
  }
};

[[noreturn]] void refuse(const char* what, cublasStatus_t status) {
  throw device_error{"cuBLASLt: " + std::string{what} + ": status " +
                         std::to_string(static_cast<int>(status)),
                     false};
}

void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS)
    refuse(what, status);
}

cudaDataType_t type_of(dtype type) {
  return type == dtype::i8    ? CUDA_R_8I
         : type == dtype::f16 ? CUDA_R_16F
                              : CUDA_R_16BF;
}

/// Numbers of rows of x that share an algorithm.
std::int64_t bucket_of(std::int64_t tokens) {
  const std::int64_t step = tokens <= 4096 ? 512 : 2048;
  return (tokens + step - 1) / step * step;
}

/// The library's view of a product. To it everything is column-major: out^T
/// [rows, tokens] = (weight^T)^T x^T.
class described_product {
public:
  described_product(const library_functions& library,
                    const library_product& product, std::int64_t tokens)
      : library_{library}, workspace_bytes_{product.workspace.size()} {
    const bool integer = product.type == dtype::i8;
    const auto sums = integer ? CUDA_R_32I : CUDA_R_32F;
    const auto type = type_of(product.type);
    check(library.create_operation(
              &operation_, integer ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
              sums),
          "an operation");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    check(library.set_operation(operation_, CUBLASLT_MATMUL_DESC_TRANSA,
                                &transposed, sizeof transposed),
          "an operation");
    const auto rows = static_cast<std::uint64_t>(product.rows);
    const auto columns = static_cast<std::uint64_t>(product.columns);
    const auto count = static_cast<std::uint64_t>(tokens);
    make(weight_, type, columns, rows, product.columns);
    make(x_, type, columns, count, product.columns);
    make(out_, sums, rows, count, product.out_stride);
  }
  ~described_product() {
    for (auto* layout : {weight_, x_, out_})
      if (layout)
        library_.destroy_layout(layout);
    if (operation_)
      library_.destroy_operation(operation_);
  }
  described_product(const described_product&) = delete;
  described_product& operator=(const described_product&) = delete;

  /// What the library thinks is fastest.
  std::optional<cublasLtMatmulAlgo_t> best(cublasLtHandle_t handle) const {
    cublasLtMatmulPreference_t preference = nullptr;
    check(library_.create_preference(&preference), "a preference");
    const std::unique_ptr<cublasLtMatmulPreferenceOpaque_t,
                          decltype(library_.destroy_preference)>
        owned{preference, library_.destroy_preference};
    const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute,
                         auto value) {
      check(
          library_.set_preference(preference, attribute, &value, sizeof value),
          "a preference");
    };
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
        std::uint64_t{workspace_bytes_});
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, std::uint32_t{16});
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, std::uint32_t{16});
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, std::uint32_t{16});
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    const auto status =
        library_.get_heuristic(handle, operation_, weight_, x_, out_, out_,
                               preference, 1, &found, &count);
    if (status != CUBLAS_STATUS_SUCCESS || count == 0)
      return std::nullopt;
    return found.algo;
  }

  cublasStatus_t start(cublasLtHandle_t handle, const library_product& product,
                       const cublasLtMatmulAlgo_t& algorithm,
                       stream& in) const {
    const float one = 1, zero = 0;
    const std::int32_t integer_one = 1, integer_zero = 0;
    const bool integer = product.type == dtype::i8;
    return library_.matmul(
        handle, operation_,
        integer ? static_cast<const void*>(&integer_one) : &one, product.weight,
        weight_, product.x, x_,
        integer ? static_cast<const void*>(&integer_zero) : &zero, product.out,
        out_, product.out, out_, &algorithm, product.workspace.data(),
        product.workspace.size(), static_cast<cudaStream_t>(in.native()));
  }

private:
  void make(cublasLtMatrixLayout_t& layout, cudaDataType_t type,
            std::uint64_t rows, std::uint64_t columns, std::int64_t stride) {
    check(library_.create_layout(&layout, type, rows, columns, stride),
          "a layout");
  }

  const library_functions& library_;
  std::size_t workspace_bytes_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t weight_ = nullptr;
  cublasLtMatrixLayout_t x_ = nullptr;
  cublasLtMatrixLayout_t out_ = nullptr;
};

std::atomic<std::uint64_t> forgotten{0}; // how often

class blas_library {
public:
  /// Whatever is missing, there is no library.
  blas_library() {
    constexpr auto file = "libcublasLt.so.13";
    static_assert(CUBLAS_VER_MAJOR == 13, "name the library's version here");
    void* loaded = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!loaded)
      loaded = dlopen("/usr/local/cuda/lib64/libcublasLt.so.13",
                      RTLD_NOW | RTLD_LOCAL);
    if (!loaded || !functions_.load(loaded) ||
        functions_.create(&handle_) != CUBLAS_STATUS_SUCCESS)
      return; // never unloaded: a process has one
    const auto version = functions_.get_version(); // 130100
    name_ = "cuBLASLt " + std::to_string(version / 10000) + '.' +
            std::to_string(version / 100 % 100) + '.' +
            std::to_string(version % 100);
  }

  const std::string& name() const { return name_; }

  bool start(const library_product& product, stream& in) {
    renew();
    const described_product described{functions_, product, product.tokens};
    const auto kept = algorithm_for(product, bucket_of(product.tokens));
    if (kept &&
        described.start(handle_, product, *kept, in) == CUBLAS_STATUS_SUCCESS)
      return true;
    // Another number of rows than the bucket's may need another algorithm.
    const auto own = algorithm_for(product, product.tokens);
    if (!own)
      return false;
    check(described.start(handle_, product, *own, in), "a product");
    return true;
  }

private:
  using algorithm = std::optional<cublasLtMatmulAlgo_t>;
  using key = std::array<std::int64_t, 6>;

  // The old handle is not destroyed: its context is no more.
  void renew() {
    const std::lock_guard lock{mutex_};
    const auto now = forgotten.load();
    if (forgotten_ == now)
      return;
    check(functions_.create(&handle_), "a handle after the GPU's reset");
    algorithms_.clear();
    forgotten_ = now;
  }

  algorithm algorithm_for(const library_product& product, std::int64_t tokens) {
    const key shape{static_cast<std::int64_t>(product.type),
                    product.rows,
                    product.columns,
                    product.out_stride,
                    static_cast<std::int64_t>(product.workspace.size()),
                    tokens};
    const std::lock_guard lock{mutex_};
    const auto known = algorithms_.find(shape);
    if (known != algorithms_.end())
      return known->second;
    const auto found =
        described_product{functions_, product, tokens}.best(handle_);
    algorithms_.emplace(shape, found);
    return found;
  }

  library_functions functions_{};
  cublasLtHandle_t handle_ = nullptr;
  std::string name_;
  std::uint64_t forgotten_ = forgotten; // when the handle was made
  std::mutex mutex_;
  std::map<key, algorithm> algorithms_;
};

blas_library& library() {
  static blas_library only;
  return only;
}

} // namespace

bool start_library(const library_product& product, stream& in) {
  return !library().name().empty() && library().start(product, in);
}

void forget_library() noexcept {
  ++forgotten;
}

std::string library_name() {
  return library().name();
}

} // namespace sluice::cuda
