// SPDX-License-Identifier: Apache-2.0
#include "kernels/check.hpp"
#include "kernels/cuda/ops.hpp"
#include "tests/kernels/cuda/device_array.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace sluice;
using namespace sluice::test;
using cuda::page_move;
using cuda::page_route;

namespace {

struct cache_size {
  dtype type = dtype::f16;
  std::int64_t page_tokens = 16;
  std::int64_t head_dim = 32;
  std::int64_t layers = 1;
  std::int64_t kv_heads = 2;
  std::int64_t pages = 5;
  std::int64_t slots = 4;
};

/// A cache and slots in which every byte tells its place, and bytes between the
/// layers that are nobody's.
class moved_cache {
public:
  explicit moved_cache(const cache_size& of)
      : size{of}, bytes(static_cast<std::size_t>(of.layers * layer_bytes())),
        slots(static_cast<std::size_t>(of.slots) * page_bytes()) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
    for (std::size_t i = 0; i < slots.size(); ++i)
      slots[i] = static_cast<std::byte>(i * 11 + i / 241);
  }

  std::int64_t layer_bytes() const {
    return size.pages * static_cast<std::int64_t>(page_bytes()) / size.layers +
           48;
  }

  std::size_t page_bytes() const {
    std::int64_t of_layer = 0;
    for (const auto part : parts())
      of_layer += part;
    return static_cast<std::size_t>(size.layers * of_layer);
  }

  void run(page_route route, const std::vector<page_move>& moves) {
    cuda::stream in;
    const device_array<std::byte> cache(in, std::span<const std::byte>{bytes});
    const device_array<std::byte> rooms(in, std::span<const std::byte>{slots});
    auto args = arguments(cache.bytes(), rooms.bytes());
    args.route = route;
    args.moves = moves;
    cuda::move_pages(args, in);
    bytes = cache.values();
    slots = rooms.values();
  }

  cuda::page_move_args arguments(std::byte* cache, std::byte* rooms) const {
    const auto all = parts();
    auto* v = cache + size.pages * all[0];
    auto* scales = v + size.pages * all[1];
    const bool scaled = is_scaled(size.type);
    return {.first_layer = {.k = cache,
                            .v = v,
                            .type = size.type,
                            .pages = size.pages,
                            .kv_heads = size.kv_heads,
                            .page_tokens = size.page_tokens,
                            .head_dim = size.head_dim,
                            .k_scales = scaled ? floats(scales) : nullptr,
                            .v_scales =
                                scaled ? floats(scales + size.pages * all[2])
                                       : nullptr},
            .layers = size.layers,
            .layer_bytes = layer_bytes(),
            .slots = rooms,
            .slot_count = size.slots};
  }

  /// The same on the host, one after the other.
  void expect(page_route route, const std::vector<page_move>& moves) {
    for (const auto& move : moves) {
      const auto page = route == page_route::from_slots ? slot(move.from)
                                                        : gathered(move.from);
      if (route == page_route::to_slots)
        std::ranges::copy(page, slots.begin() + offset_of(move.to));
      else
        scatter(page, move.to);
    }
  }

  bool operator==(const moved_cache& other) const {
    return bytes == other.bytes && slots == other.slots;
  }

  cache_size size;
  std::vector<std::byte> bytes;
  std::vector<std::byte> slots;

private:
  static float* floats(std::byte* data) {
    return reinterpret_cast<float*>(data);
  }

  std::vector<std::int64_t> parts() const {
    const auto heads = size.kv_heads * size.page_tokens;
    const auto elements =
        static_cast<std::int64_t>(row_bytes(size.type, heads * size.head_dim));
    if (!is_scaled(size.type))
      return {elements, elements};
    return {elements, elements, heads * 4, heads * 4};
  }

  std::ptrdiff_t offset_of(std::uint32_t index) const {
    return static_cast<std::ptrdiff_t>(index * page_bytes());
  }
  std::vector<std::byte> slot(std::uint32_t index) const {
    const auto first = slots.begin() + offset_of(index);
    return {first, first + static_cast<std::ptrdiff_t>(page_bytes())};
  }

  template <class See>
  void for_each_part(std::uint32_t page, const See& see) const {
    for (std::int64_t layer = 0; layer < size.layers; ++layer) {
      auto begin = layer * layer_bytes();
      for (const auto part : parts()) {
        see(begin + page * part, part);
        begin += size.pages * part;
      }
    }
  }

  std::vector<std::byte> gathered(std::uint32_t page) const {
    std::vector<std::byte> out;
    for_each_part(page, [&](std::int64_t at, std::int64_t count) {
      out.insert(out.end(), bytes.begin() + at, bytes.begin() + at + count);
    });
    return out;
  }

  void scatter(const std::vector<std::byte>& from, std::uint32_t page) {
    auto next = from.begin();
    for_each_part(page, [&](std::int64_t at, std::int64_t count) {
      std::copy(next, next + count, bytes.begin() + at);
      next += count;
    });
  }
};

void check(const cache_size& size, page_route route,
           const std::vector<page_move>& moves) {
  moved_cache ours{size};
  auto expected = ours;
  ours.run(route, moves);
  expected.expect(route, moves);
  BOOST_TEST((ours == expected),
             name(size.type)
                 << ", pages of " << size.page_tokens << ", " << size.head_dim
                 << ", layers " << size.layers << ", route "
                 << static_cast<int>(route) << ", moves " << moves.size());
}

void check_every_route(const cache_size& size) {
  check(size, page_route::within_cache, {{3, 1}, {3, 4}, {0, 2}});
  check(size, page_route::to_slots, {{4, 0}, {1, 3}, {4, 1}});
  check(size, page_route::from_slots, {{3, 0}, {3, 4}, {0, 2}});
}

} // namespace

BOOST_AUTO_TEST_SUITE(cuda_page_moves)

BOOST_AUTO_TEST_CASE(whole_pages_move_and_nothing_else) {
  for (const dtype type : {dtype::f16, dtype::bf16, dtype::i8, dtype::f8_e4m3})
    for (const std::int64_t page_tokens : {8, 16, 32, 64, 128})
      check_every_route(
          {.type = type, .page_tokens = page_tokens, .layers = 3});
}

BOOST_AUTO_TEST_CASE(pages_of_any_length_do) {
  check_every_route({.page_tokens = 128, .head_dim = 256}); // many slices
  for (const auto type : {dtype::bf16, dtype::i8}) {
    check_every_route({.type = type,
                       .page_tokens = 8,
                       .head_dim = 16,
                       .kv_heads = 1}); // a small part of one
    check_every_route(
        {.type = type, .head_dim = 96, .layers = 5, .kv_heads = 3});
  }
}

BOOST_AUTO_TEST_CASE(moves_take_effect_in_their_order) {
  const cache_size size{.type = dtype::i8, .page_tokens = 8, .layers = 2};
  check(size, page_route::within_cache,
        {{0, 1}, {1, 2}, {2, 0}, {3, 3}, {4, 3}, {3, 4}, {1, 3}});
  check(size, page_route::to_slots, {{0, 1}, {2, 1}, {3, 0}, {4, 1}});
  check(size, page_route::from_slots, {{0, 1}, {2, 1}, {3, 0}, {3, 1}});
}

BOOST_AUTO_TEST_CASE(there_may_be_more_than_a_launch_takes) {
  const cache_size size{.page_tokens = 8,
                        .head_dim = 16,
                        .layers = 2,
                        .kv_heads = 1,
                        .pages = 600,
                        .slots = 600};
  std::vector<page_move> moves;
  for (std::uint32_t i = 0; i < 299; ++i)
    moves.push_back({2 * i, 2 * (i * 7 % 299) + 1});
  for (const auto route :
       {page_route::within_cache, page_route::to_slots, page_route::from_slots})
    check(size, route, moves);
}

BOOST_AUTO_TEST_CASE(no_moves_are_no_work) {
  for (const auto route :
       {page_route::within_cache, page_route::to_slots, page_route::from_slots})
    check({}, route, {});
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused) {
  const moved_cache fine{{}};
  cuda::stream in;
  const device_array<std::byte> cache(in, fine.bytes.size());
  const device_array<std::byte> rooms(in, fine.slots.size());
  const std::vector<page_move> moves{{0, 1}};
  const auto refuses = [&](auto spoil) {
    auto args = fine.arguments(cache.bytes(), rooms.bytes());
    args.route = page_route::to_slots;
    args.moves = moves;
    BOOST_CHECK_NO_THROW(cuda::move_pages(args, in));
    spoil(args);
    BOOST_CHECK_THROW(cuda::move_pages(args, in), contract_violation);
  };
  const std::vector<page_move> no_page{{0, 1}, {5, 1}};
  const std::vector<page_move> no_slot{{0, 1}, {1, 4}};
  using args = cuda::page_move_args;
  refuses([](args& a) { a.first_layer.page_tokens = 12; });
  refuses([](args& a) { a.first_layer.type = dtype::f32; });
  refuses([](args& a) { a.first_layer.type = dtype::i8; }); // without scales
  refuses([](args& a) { a.layers = 0; });
  refuses([](args& a) { a.layer_bytes += 8; });
  refuses([](args& a) { a.layer_bytes -= 64; });
  refuses([](args& a) { a.layers = a.layer_bytes = std::int64_t{1} << 40; });
  refuses([](args& a) { a.slots = nullptr; });
  refuses([](args& a) { a.slots += 8; });
  refuses([](args& a) { a.slot_count = 0; });
  refuses([&](args& a) { a.moves = no_page; });
  refuses([&](args& a) { a.moves = no_slot; });
  refuses([&](args& a) {
    a.route = page_route::from_slots;
    a.moves = {};
    a.slots = nullptr;
  });
  in.wait();
}

BOOST_AUTO_TEST_SUITE_END()
