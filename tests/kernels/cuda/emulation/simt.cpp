// SPDX-License-Identifier: Apache-2.0
#include "kernels/cuda/launch.hpp"

#include "kernels/convert.hpp"
#include "tests/kernels/cuda/device_array.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <numeric>
#include <vector>

// What the emulation promises its users: that barriers hold, that exchanges
// and matrix products have CUDA's layouts, and that mistakes are found.

using namespace sluice;
using namespace sluice::cuda;
using emulation::turns;

namespace {

struct simt_fixture {
  ~simt_fixture() { emulation::take_turns(turns::forward); }
  stream work;

  template <class... Parameters, class... Arguments>
  void run(launch_shape shape, void (*kernel)(Parameters...),
           const Arguments&... arguments) {
    launch(work, shape, kernel, arguments...);
    work.wait();
  }
};

void reverse_kernel(int* data, int count) {
  auto* shared = shared_memory<int>();
  shared[thread()] = data[block_x() * count + thread()];
  sync_block();
  data[block_x() * count + thread()] = shared[count - 1 - thread()];
}

void racing_kernel(int* data) {
  auto* shared = shared_memory<int>();
  shared[thread()] = thread();
  data[thread()] = shared[threads() - 1 - thread()]; // lacks a barrier
}

void sum_kernel(const float* in, float* out) {
  float sum = in[thread()];
  for (int mask = 16; mask > 0; mask /= 2)
    sum += shuffle_xor(sum, mask);
  out[thread()] = sum;
}

void divergent_kernel() {
  if (thread() == 0)
    sync_block();
  else
    sync_warp();
}

void forgetful_kernel(const words4* from) {
  copy_async16(shared_memory<words4>(), from, true);
  copy_async_commit();
}

void hasty_kernel(int* data) {
  if (thread() > 0)
    wait_for_previous_kernel();
  data[thread()] = 1;
}

void copying_kernel(const words4* from, std::uint32_t* before,
                    std::uint32_t* after) {
  auto* shared = shared_memory<words4>();
  copy_async16(shared + thread(), from + thread(), thread() < 3);
  copy_async_commit();
  before[thread()] = shared[thread()].y;
  copy_async_wait<0>();
  after[thread()] = shared[thread()].y;
}

// d = a b for a 16 x 16 and b 16 x 8 in f16, a by ldmatrix, b transposed.
void product_kernel(const std::uint16_t* a, const std::uint16_t* b, float* d) {
  auto* shared = shared_memory<std::uint16_t>();
  auto* shared_b = shared + 256;
  for (int i = thread(); i < 256; i += threads())
    shared[i] = a[i];
  for (int i = thread(); i < 128; i += threads())
    shared_b[i] = b[i];
  sync_block();
  std::uint32_t left[4];
  std::uint32_t both[4];
  const int matrix = lane() / 8;
  const int row = lane() % 8;
  load_matrices(left, shared + (matrix % 2 * 8 + row) * 16 + matrix / 2 * 8);
  load_matrices_transposed(both, shared_b + (matrix % 2 * 8 + row) * 8);
  const std::uint32_t right[2] = {both[0], both[1]};
  float sums[4] = {};
  multiply_f16(sums, left, right);
  for (int i = 0; i < 4; ++i)
    d[(lane() / 4 + i / 2 * 8) * 8 + lane() % 4 * 2 + i % 2] = sums[i];
}

// Int8: a [16, 32] row-major, b [8, 32]: b's columns as rows.
void integer_kernel(const std::uint32_t* a, const std::uint32_t* b,
                    std::int32_t* d) {
  const int group = lane() / 4;
  const int part = lane() % 4;
  const std::uint32_t left[4] = {a[group * 8 + part], a[(group + 8) * 8 + part],
                                 a[group * 8 + part + 4],
                                 a[(group + 8) * 8 + part + 4]};
  const std::uint32_t right[2] = {b[group * 8 + part], b[group * 8 + part + 4]};
  std::int32_t sums[4] = {};
  multiply_s8(sums, left, right);
  for (int i = 0; i < 4; ++i)
    d[(group + i / 2 * 8) * 8 + part * 2 + i % 2] = sums[i];
}

// As int8, of 8-bit floats.
void float8_kernel(const std::uint32_t* a, const std::uint32_t* b, float* d) {
  const int group = lane() / 4;
  const int part = lane() % 4;
  const std::uint32_t left[4] = {a[group * 8 + part], a[(group + 8) * 8 + part],
                                 a[group * 8 + part + 4],
                                 a[(group + 8) * 8 + part + 4]};
  const std::uint32_t right[2] = {b[group * 8 + part], b[group * 8 + part + 4]};
  float sums[4] = {};
  multiply_e4m3(sums, left, right);
  for (int i = 0; i < 4; ++i)
    d[(group + i / 2 * 8) * 8 + part * 2 + i % 2] = sums[i];
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(simt, simt_fixture)

BOOST_AUTO_TEST_CASE(a_barrier_holds_in_every_order) {
  for (const auto order : {turns::forward, turns::backward, turns::shuffled}) {
    emulation::take_turns(order);
    std::vector<int> data(128);
    std::iota(data.begin(), data.end(), 0);
    run({.grid_x = 2, .threads = 64, .shared_bytes = 256}, reverse_kernel,
        data.data(), 64);
    BOOST_TEST(data[0] == 63);
    BOOST_TEST(data[64] == 127);
    BOOST_TEST(data[127] == 64);
  }
}

BOOST_AUTO_TEST_CASE(a_missing_barrier_shows_in_another_order) {
  std::vector<int> forward(64);
  std::vector<int> backward(64);
  run({.threads = 64, .shared_bytes = 256}, racing_kernel, forward.data());
  emulation::take_turns(turns::backward);
  run({.threads = 64, .shared_bytes = 256}, racing_kernel, backward.data());
  BOOST_TEST(forward != backward);
}

BOOST_AUTO_TEST_CASE(lanes_exchange_values) {
  std::vector<float> in(64);
  std::iota(in.begin(), in.end(), 0.f);
  std::vector<float> out(64);
  run({.threads = 64}, sum_kernel, in.data(), out.data());
  BOOST_TEST(out[0] == 496.f);
  BOOST_TEST(out[31] == 496.f);
  BOOST_TEST(out[32] == 496.f + 32 * 32);
}

BOOST_AUTO_TEST_CASE(mistakes_are_found) {
  BOOST_CHECK_THROW(run({.threads = 32}, divergent_kernel),
                    emulation::kernel_error);
  words4 from{};
  BOOST_CHECK_THROW(
      run({.threads = 1, .shared_bytes = 16}, forgetful_kernel, &from),
      emulation::kernel_error);
  BOOST_CHECK_THROW(
      run({.threads = 1, .shared_bytes = 8}, forgetful_kernel, &from),
      emulation::kernel_error);
  BOOST_CHECK_THROW(lane(), emulation::kernel_error);
}

BOOST_AUTO_TEST_CASE(who_is_started_early_has_to_wait) {
  int data[2] = {};
  run({.threads = 2}, hasty_kernel, data);
  BOOST_CHECK_THROW(run({.threads = 2, .early = true}, hasty_kernel, data),
                    emulation::kernel_error);
}

BOOST_AUTO_TEST_CASE(copies_come_when_they_are_awaited) {
  const std::vector<words4> from(4, {1, 2, 3, 4});
  std::vector<std::uint32_t> before(4);
  std::vector<std::uint32_t> after(4);
  run({.threads = 4, .shared_bytes = 64}, copying_kernel, from.data(),
      before.data(), after.data());
  BOOST_TEST(before[0] == 0xffffffffu);
  BOOST_TEST(after == (std::vector<std::uint32_t>{2, 2, 2, 0}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(products_have_the_layouts_of_tensor_cores) {
  std::vector<std::uint16_t> a(256);
  std::vector<std::uint16_t> b(128);
  for (int i = 0; i < 256; ++i)
    a[i] = f32_to_f16(static_cast<float>(i % 19 - 9));
  for (int i = 0; i < 128; ++i)
    b[i] = f32_to_f16(static_cast<float>(i % 7 - 3));
  std::vector<float> d(128);
  run({.threads = 32, .shared_bytes = 1024}, product_kernel, a.data(), b.data(),
      d.data());
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      float sum = 0;
      for (int k = 0; k < 16; ++k)
        sum += static_cast<float>((row * 16 + k) % 19 - 9) *
               static_cast<float>((k * 8 + column) % 7 - 3);
      BOOST_TEST(d[row * 8 + column] == sum);
    }
}

BOOST_AUTO_TEST_CASE(integer_products_have_the_layouts_of_tensor_cores) {
  std::vector<std::int8_t> a(16 * 32);
  std::vector<std::int8_t> b(8 * 32);
  for (std::size_t i = 0; i < a.size(); ++i)
    a[i] = static_cast<std::int8_t>(i * 37 % 255 - 127);
  for (std::size_t i = 0; i < b.size(); ++i)
    b[i] = static_cast<std::int8_t>(i * 91 % 255 - 127);
  std::vector<std::int32_t> d(128);
  run({.threads = 32}, integer_kernel,
      reinterpret_cast<const std::uint32_t*>(a.data()),
      reinterpret_cast<const std::uint32_t*>(b.data()), d.data());
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      std::int32_t sum = 0;
      for (int k = 0; k < 32; ++k)
        sum += a[row * 32 + k] * b[column * 32 + k];
      BOOST_TEST(d[row * 8 + column] == sum);
    }
}

BOOST_AUTO_TEST_CASE(products_of_f8_have_the_layouts_of_tensor_cores) {
  std::vector<std::uint8_t> a(16 * 32);
  std::vector<std::uint8_t> b(8 * 32);
  for (std::size_t i = 0; i < a.size(); ++i)
    a[i] = f32_to_f8_e4m3(static_cast<float>(i * 37 % 17) - 8);
  for (std::size_t i = 0; i < b.size(); ++i)
    b[i] = f32_to_f8_e4m3(static_cast<float>(i * 91 % 13) / 8 - 0.75f);
  std::vector<float> d(128);
  run({.threads = 32}, float8_kernel,
      reinterpret_cast<const std::uint32_t*>(a.data()),
      reinterpret_cast<const std::uint32_t*>(b.data()), d.data());
  for (std::size_t row = 0; row < 16; ++row)
    for (std::size_t column = 0; column < 8; ++column) {
      float sum = 0;
      for (std::size_t k = 0; k < 32; ++k)
        sum += f8_e4m3_to_f32(a[row * 32 + k]) *
               f8_e4m3_to_f32(b[column * 32 + k]);
      BOOST_TEST(d[row * 8 + column] == sum);
    }
}

BOOST_AUTO_TEST_CASE(f8_pairs_are_rounded_and_widened) {
  for (int low = 0; low < 256; ++low) {
    const auto high = static_cast<std::uint8_t>(low * 7);
    const auto pair = static_cast<std::uint16_t>(low | high << 8);
    const auto wide = f16_pair_of_e4m3(pair);
    const auto value = f8_e4m3_to_f32(static_cast<std::uint8_t>(low));
    const auto first = f16_to_f32(static_cast<std::uint16_t>(wide));
    BOOST_TEST((first == value || (std::isnan(first) && std::isnan(value))));
    if (value == value && high % 128 != 127)
      BOOST_TEST(e4m3_pair(value, f8_e4m3_to_f32(high)) == pair);
  }
}

BOOST_AUTO_TEST_CASE(a_recorded_graph_runs_when_it_is_told) {
  std::vector<int> data(64);
  std::iota(data.begin(), data.end(), 0);
  work.begin_recording();
  launch(work, {.threads = 64, .shared_bytes = 256}, reverse_kernel,
         data.data(), 64);
  const auto recorded = work.end_recording();
  BOOST_TEST(data[0] == 0);
  work.run(recorded);
  BOOST_TEST(data[0] == 63);
  work.run(recorded);
  BOOST_TEST(data[0] == 0);
}

BOOST_AUTO_TEST_SUITE_END()
