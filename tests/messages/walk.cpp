// SPDX-License-Identifier: Apache-2.0
#include "messages/walk.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "messages/frame.hpp"

namespace sluice::messages {
namespace {

using byte_vector = std::vector<std::byte>;

const RequestId any_id{1, 2};

template <class T>
std::string refusal_of(std::span<const std::byte> bytes) {
  const auto result = parse_frame<T>(bytes, {});
  return result.index() ? std::get<refusal>(result).text : "";
}

template <class T>
std::string refusal_of(const typename T::NativeTableType& message) {
  return refusal_of<T>(pack<T>(message).bytes());
}

/// A frame made field by field, for what the object form cannot say.
template <class T, class F>
frame<T> build(F&& fill) {
  flatbuffers::FlatBufferBuilder builder;
  builder.ForceDefaults(true);
  const auto root = fill(builder);
  builder.Finish(flatbuffers::Offset<T>{root}, message_traits<T>::identifier);
  return frame<T>::adopt(builder.Release());
}

byte_vector copy_of(std::span<const std::byte> bytes) {
  return {bytes.begin(), bytes.end()};
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

byte_vector chunk_with_body_type(std::uint8_t type, bool with_body) {
  return copy_of(build<Chunk>([&](auto& builder) {
                   const auto body = with_body ? CreateRetract(builder).Union()
                                               : flatbuffers::Offset<void>{};
                   ChunkBuilder chunk{builder};
                   chunk.add_id(&any_id);
                   chunk.add_body_type(static_cast<ChunkBody>(type));
                   if (with_body)
                     chunk.add_body(body);
                   return chunk.Finish().o;
                 }).bytes());
}

} // namespace

BOOST_AUTO_TEST_SUITE(walk_suite)

BOOST_AUTO_TEST_CASE(unions_are_known_and_whole) {
  for (unsigned type = 0; type < 256; ++type) {
    const auto bytes = static_cast<std::uint8_t>(type);
    const auto with = refusal_of<Chunk>(chunk_with_body_type(bytes, true));
    const auto without = refusal_of<Chunk>(chunk_with_body_type(bytes, false));
    const bool known = type <= static_cast<unsigned>(ChunkBody::MAX);
    const auto text = "body_type is " + std::to_string(type) +
                      "; it is none of the known values";
    BOOST_TEST(without.empty() == (type == 0));
    if (type == static_cast<unsigned>(ChunkBody::Retract))
      BOOST_TEST(with == "");
    if (!known)
      BOOST_TEST(with == text);
  }
  BOOST_TEST(refusal_of<Chunk>(chunk_with_body_type(0, true)) ==
             "body has a value but no type");
  BOOST_TEST(refusal_of<Chunk>(chunk_with_body_type(1, false)) ==
             "body has a type but no value");
}

BOOST_AUTO_TEST_CASE(enums_have_known_values) {
  const auto refusal_with_code = [](unsigned code) {
    RefusedT message;
    message.code = static_cast<ErrorCode>(code);
    return refusal_of<Refused>(message);
  };
  const auto last = static_cast<unsigned>(ErrorCode::MAX);
  for (unsigned code = 0; code <= last; ++code)
    BOOST_TEST(refusal_with_code(code) == "");
  BOOST_TEST(refusal_with_code(last + 1) ==
             "code is " + std::to_string(last + 1) +
                 "; it is none of the known values");
  BOOST_TEST(refusal_with_code(65535) != "");
}

BOOST_AUTO_TEST_CASE(booleans_are_zero_or_one) {
  for (const int value : {0, 1, 2, 255}) {
    const auto message = build<Cancelled>([&](auto& builder) {
      CancelledBuilder table{builder};
      table.add_id(&any_id);
      builder.template AddElement<std::uint8_t>(
          Cancelled::VT_FOUND, static_cast<std::uint8_t>(value), 0);
      return table.Finish().o;
    });
    BOOST_TEST(refusal_of<Cancelled>(message.bytes()).empty() == (value < 2));
  }
}

BOOST_AUTO_TEST_CASE(numbers_are_finite) {
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    StatsT stats;
    stats.metrics.push_back(std::make_unique<MetricT>());
    stats.metrics.push_back(std::make_unique<MetricT>());
    stats.metrics[1]->value = value;
    BOOST_TEST(contains(refusal_of<Stats>(stats), "metrics[1].value is"));
    SubmitT submit;
    submit.id = std::make_unique<RequestId>(any_id);
    submit.prompt = "x";
    submit.sampling = std::make_unique<SamplingT>();
    submit.sampling->logit_bias.emplace_back(1, static_cast<float>(value));
    BOOST_TEST(
        contains(refusal_of<Submit>(submit), "sampling.logit_bias[0].bias is"));
  }
}

BOOST_AUTO_TEST_CASE(strings_are_utf8) {
  ModelsT models;
  models.models.push_back(std::make_unique<ModelInfoT>());
  models.models[0]->name = "caf\xE9";
  BOOST_TEST(refusal_of<Models>(models) == "models[0].name is not valid UTF-8");
  models.models[0]->name = "caf\xC3\xA9";
  BOOST_TEST(refusal_of<Models>(models) == "");
}

BOOST_AUTO_TEST_CASE(nothing_trails) {
  SubmitT submit;
  submit.id = std::make_unique<RequestId>(any_id);
  submit.prompt = "abc"; // ends on a multiple of four: no padding of its own
  const auto frame = pack<Submit>(submit);
  for (std::size_t extra = 1; extra <= 32; ++extra) {
    auto zeros = copy_of(frame.bytes());
    zeros.resize(zeros.size() + extra);
    BOOST_TEST(refusal_of<Submit>(zeros).empty() == (extra <= 15));
    zeros.back() = std::byte{1};
    BOOST_TEST(contains(refusal_of<Submit>(zeros), "trail the message"));
  }
}

BOOST_AUTO_TEST_CASE(shared_objects_do_not_multiply_the_work) {
  const auto shared = [](std::size_t count) {
    return build<Hello>([&](auto& builder) {
      const auto name = builder.CreateString(std::string(1000, 'x'));
      const std::vector<flatbuffers::Offset<flatbuffers::String>> names(count,
                                                                        name);
      const auto models = builder.CreateVector(names);
      HelloBuilder hello{builder};
      hello.add_models(models);
      return hello.Finish().o;
    });
  };
  const auto problem = [&](std::size_t count) {
    return check_values(shared(count).bytes(), *HelloTypeTable());
  };
  BOOST_TEST(!problem(1));
  BOOST_TEST(contains(problem(200).value_or(""), "models[1] shares its bytes"));
}

BOOST_AUTO_TEST_CASE(fields_of_newer_schemas_are_skipped) {
  const auto newer = build<Lease>([](auto& builder) {
    const auto text = builder.CreateString("what a later version says");
    const auto start = builder.StartTable();
    builder.template AddElement<std::uint32_t>(Lease::VT_LEASE_MS, 5, 0);
    builder.AddOffset(flatbuffers::FieldIndexToOffset(7), text);
    return builder.EndTable(start);
  });
  const auto result = parse_frame<Lease>(newer.bytes(), {});
  BOOST_REQUIRE_EQUAL(result.index(), 0u);
  BOOST_TEST(std::get<0>(result)->lease_ms() == 5u);
}

BOOST_AUTO_TEST_CASE(vectors_of_wide_numbers_are_aligned) {
  const auto with_waiting = [](bool aligned) {
    return build<PageGrant>([&](auto& builder) {
      const std::uint64_t numbers[2] = {1, 2};
      if (!aligned) { // the vector's length then starts on a multiple of eight
        builder.Align(8);
        builder.PushElement(std::uint32_t{0});
        if (builder.GetSize() % 8 == 0)
          builder.PushElement(std::uint32_t{0});
      }
      builder.StartVector(4, aligned ? 8 : 4);
      builder.PushBytes(reinterpret_cast<const std::uint8_t*>(numbers),
                        sizeof numbers);
      const auto vector = builder.EndVector(2);
      const auto start = builder.StartTable();
      builder.AddOffset(PageGrant::VT_WAITING,
                        flatbuffers::Offset<void>{vector});
      return builder.EndTable(start);
    });
  };
  const auto problem = [&](bool aligned) {
    const auto frame = with_waiting(aligned);
    return check_values(frame.bytes(), *PageGrantTypeTable()).value_or("");
  };
  BOOST_TEST(contains(problem(false), "waiting is misaligned"));
}

BOOST_AUTO_TEST_CASE(utf8_is_that_of_rfc_3629) {
  const std::string_view good[] = {"",
                                   "ascii only, long",
                                   "\xC2\x80",
                                   "\xDF\xBF",
                                   "\xE0\xA0\x80",
                                   "\xED\x9F\xBF",
                                   "\xEE\x80\x80",
                                   "\xEF\xBF\xBF",
                                   "\xF0\x90\x80\x80",
                                   "\xF4\x8F\xBF\xBF",
                                   "12345678\xC3\xA9"};
  for (const auto text : good)
    BOOST_TEST(is_utf8(text), text);
  const std::string_view bad[] = {"\x80",
                                  "\xBF",
                                  "\xC0\x80",
                                  "\xC1\xBF",
                                  "\xC2",
                                  "\xC2\x41",
                                  "\xE0\x9F\xBF",
                                  "\xE2\x82",
                                  "\xED\xA0\x80",
                                  "\xED\xBF\xBF",
                                  "\xF0\x8F\xBF\xBF",
                                  "\xF0\x90\x80",
                                  "\xF4\x90\x80\x80",
                                  "\xF5\x80\x80\x80",
                                  "\xFF",
                                  "12345678901234567890\xE9"};
  for (const auto text : bad)
    BOOST_TEST(!is_utf8(text));
}

BOOST_AUTO_TEST_CASE(utf8_of_every_code_point) {
  for (std::uint32_t c = 0; c < 0x120000; ++c) {
    std::string text;
    const auto tail = [&](int shift) {
      text += static_cast<char>(0x80 | (c >> shift & 0x3F));
    };
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else if (c < 0x800) {
      text += static_cast<char>(0xC0 | c >> 6);
      tail(0);
    } else if (c < 0x10000) {
      text += static_cast<char>(0xE0 | c >> 12);
      tail(6), tail(0);
    } else {
      text += static_cast<char>(0xF0 | c >> 18);
      tail(12), tail(6), tail(0);
    }
    const bool legal = c < 0xD800 || (c > 0xDFFF && c <= 0x10FFFF);
    if (is_utf8(text) != legal || (legal && is_utf8(text + "\x80")))
      BOOST_FAIL("code point " << c);
  }
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace sluice::messages
