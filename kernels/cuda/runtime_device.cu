// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/matmul_library.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

// runtime.hpp with the CUDA runtime.

namespace sluice::cuda {
namespace {

constexpr double mebibyte = 1 << 20;

std::string in_mib(std::size_t bytes) {
  return std::to_string(static_cast<std::uint64_t>(static_cast<double>(bytes) /
                                                   mebibyte)) +
         " MiB";
}

// After these nothing of the context can be used: those of which
// driver_types.h says that the process must be terminated, and what memory
// reports of itself.
bool is_sticky(cudaError_t error) {
  switch (error) {
  case cudaErrorIllegalAddress:
  case cudaErrorMisalignedAddress:
  case cudaErrorIllegalInstruction:
  case cudaErrorInvalidPc:
  case cudaErrorInvalidAddressSpace:
  case cudaErrorHardwareStackError:
  case cudaErrorLaunchFailure:
  case cudaErrorLaunchTimeout:
  case cudaErrorAssert:
  case cudaErrorECCUncorrectable:
  case cudaErrorContained:
  case cudaErrorTensorMemoryLeak:
  case cudaErrorMpsClientTerminated:
  case cudaErrorExternalDevice:
    return true;
  default:
    return false;
  }
}

[[noreturn]] void refuse_memory(std::size_t bytes) {
  std::size_t free = 0;
  std::size_t total = 0;
  cudaMemGetInfo(&free, &total);
  cudaGetLastError(); // this failure is told and done with
  throw out_of_device_memory{
      "the GPU cannot give " + in_mib(bytes) + ": " + in_mib(free) + " of " +
      in_mib(total) +
      " are free; lower memory.gpu_fraction, take a smaller model or "
      "quantisation, or end other programs on this GPU"};
}

int attribute_of_current(cudaDeviceAttr attribute) {
  int device = 0;
  int value = 0;
  const auto found = cudaGetDevice(&device);
  check_cuda(found == cudaSuccess
                 ? cudaDeviceGetAttribute(&value, attribute, device)
                 : found,
             "what a GPU has");
  return value;
}

cudaStream_t native_of(const stream& in) {
  return static_cast<cudaStream_t>(in.native());
}

} // namespace

void check_cuda(cudaError_t result, const char* what) {
  if (result == cudaSuccess)
    return;
  cudaGetLastError(); // this failure is told and done with, unless it sticks
  throw device_error{std::string{what} + ": " + cudaGetErrorName(result) +
                         ": " + cudaGetErrorString(result),
                     is_sticky(result)};
}

int most_shared_bytes() {
  return attribute_of_current(cudaDevAttrMaxSharedMemoryPerBlockOptin);
}

bool may_start_early() {
  // For whoever looks for what is at fault, or what early starts gain.
  static const bool wanted = [] {
    const auto* said = std::getenv("SLUICE_CUDA_EARLY");
    return !said || std::string_view{said} != "0";
  }();
  return wanted && attribute_of_current(cudaDevAttrComputeCapabilityMajor) >= 9;
}

std::vector<device_facts> devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();
    return {};
  }
  int current = 0; // to be the calling thread's again
  cudaGetDevice(&current);
  std::vector<device_facts> all;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp found{};
    std::size_t free = 0;
    std::size_t total = 0;
    if (cudaGetDeviceProperties(&found, i) != cudaSuccess ||
        cudaSetDevice(i) != cudaSuccess ||
        cudaMemGetInfo(&free, &total) != cudaSuccess) {
      cudaGetLastError();
      continue;
    }
    all.push_back({.index = i,
                   .name = found.name,
                   .major = found.major,
                   .minor = found.minor,
                   .processors = found.multiProcessorCount,
                   .total_bytes = total,
                   .free_bytes = free,
                   .shared_bytes = static_cast<std::uint32_t>(
                       found.sharedMemPerBlockOptin)});
  }
  cudaSetDevice(current);
  return all;
}

void use_device(int index) {
  check_cuda(cudaSetDevice(index), "the choice of a GPU");
}

void reset_device(int index) {
  cudaSetDevice(index); // may still say what befell the old context
  cudaDeviceReset();
  cudaGetLastError();
  forget_library();
  check_cuda(cudaSetDevice(index), "the choice of a GPU after its reset");
  check_cuda(cudaFree(nullptr), "a new context on a GPU after its reset");
}

// -- streams ------------------------------------------------------------------

struct graph::impl {
  explicit impl(cudaGraph_t recorded) {
    const auto result = cudaGraphInstantiate(&runnable, recorded, 0);
    cudaGraphDestroy(recorded);
    check_cuda(result, "the making of a graph");
  }
  ~impl() { cudaGraphExecDestroy(runnable); }
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;

  cudaGraphExec_t runnable = nullptr;
};

struct stream::impl {
  impl() {
    check_cuda(cudaStreamCreateWithFlags(&handle, cudaStreamNonBlocking),
               "the making of a stream");
  }
  ~impl() { cudaStreamDestroy(handle); }
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;

  cudaStream_t handle = nullptr;
};

stream::stream() : impl_{std::make_unique<impl>()} {}
stream::~stream() = default;

void stream::copy(void* to, const void* from, std::size_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, impl_->handle),
             "a copy");
}

void stream::fill(void* to, int byte, std::size_t bytes) {
  check_cuda(cudaMemsetAsync(to, byte, bytes, impl_->handle), "a fill");
}

void stream::wait() {
  check_cuda(cudaStreamSynchronize(impl_->handle), "the work of a stream");
}

void stream::begin_recording() {
  check_cuda(
      cudaStreamBeginCapture(impl_->handle, cudaStreamCaptureModeThreadLocal),
      "the recording of a graph");
}

graph stream::end_recording() {
  cudaGraph_t recorded = nullptr;
  check_cuda(cudaStreamEndCapture(impl_->handle, &recorded),
             "the recording of a graph");
  graph made;
  made.impl_ = std::make_shared<graph::impl>(recorded);
  return made;
}

void stream::run(const graph& recorded) {
  check_cuda(cudaGraphLaunch(recorded.impl_->runnable, impl_->handle),
             "the start of a graph");
}

void* stream::native() const noexcept {
  return impl_->handle;
}

// -- events -------------------------------------------------------------------

struct event::impl {
  impl() {
    check_cuda(cudaEventCreateWithFlags(&handle, cudaEventBlockingSync),
               "the making of an event");
  }
  ~impl() { cudaEventDestroy(handle); }
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;

  cudaEvent_t handle = nullptr;
};

event::event() : impl_{std::make_unique<impl>()} {}
event::~event() = default;

void event::record(stream& in) {
  check_cuda(cudaEventRecord(impl_->handle, native_of(in)), "an event");
}

bool event::reached() const {
  const auto result = cudaEventQuery(impl_->handle);
  if (result == cudaErrorNotReady)
    return false;
  check_cuda(result, "the work before an event");
  return true;
}

void event::wait() const {
  check_cuda(cudaEventSynchronize(impl_->handle), "the work before an event");
}

void event::delay(stream& in) const {
  check_cuda(cudaStreamWaitEvent(native_of(in), impl_->handle, 0),
             "the wait for an event");
}

double event::seconds_since(const event& earlier) const {
  float milliseconds = 0;
  check_cuda(
      cudaEventElapsedTime(&milliseconds, earlier.impl_->handle, impl_->handle),
      "the time between two events");
  return milliseconds / 1e3;
}

// -- memory -------------------------------------------------------------------

device_memory::device_memory(std::size_t bytes) : bytes_{bytes} {
  void* data = nullptr;
  const auto result = cudaMalloc(&data, std::max<std::size_t>(bytes, 1));
  if (result == cudaErrorMemoryAllocation)
    refuse_memory(bytes);
  check_cuda(result, "memory of the GPU");
  data_.reset(static_cast<std::byte*>(data));
}

void device_memory::release::operator()(std::byte* data) const noexcept {
  cudaFree(data);
}

host_memory::host_memory(std::size_t bytes) : bytes_{bytes} {
  void* data = nullptr;
  check_cuda(cudaMallocHost(&data, std::max<std::size_t>(bytes, 1)),
             "pinned memory of the host");
  data_.reset(static_cast<std::byte*>(data));
}

void host_memory::release::operator()(std::byte* data) const noexcept {
  cudaFreeHost(data);
}

} // namespace sluice::cuda
