// SPDX-License-Identifier: Apache-2.0
// What the emulation promises of streams that keep their work: events order
// them as CUDA's do, and nothing else does.
#include "kernels/cuda/launch.hpp"

#include <boost/test/unit_test.hpp>

#include <future>
#include <string>

using namespace sluice::cuda;
using emulation::pace;

namespace {

struct late_streams {
  ~late_streams() { emulation::set_pace(pace::at_once); }

  void note(stream& in, char what) {
    emulation::enqueue(in, [this, what] { done += what; });
  }

  std::string done;
  stream first, second;
  event point;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(cuda_late_streams, late_streams)

BOOST_AUTO_TEST_CASE(work_is_done_when_it_is_given_unless_it_is_kept) {
  note(first, 'a');
  point.record(first);
  BOOST_TEST(done == "a");
  BOOST_TEST(point.reached());
  emulation::set_pace(pace::as_needed);
  note(first, 'b');
  point.record(first);
  BOOST_TEST(done == "a");
  BOOST_TEST(!point.reached());
  first.wait();
  BOOST_TEST(done == "ab");
  BOOST_TEST(point.reached());
}

BOOST_AUTO_TEST_CASE(a_wait_does_what_it_waits_for_and_no_more) {
  emulation::set_pace(pace::as_needed);
  note(first, 'a');
  point.record(first);
  note(first, 'b');
  note(second, 'c');
  point.delay(second);
  note(second, 'd');
  second.wait();
  BOOST_TEST(done == "cad");
  first.wait();
  BOOST_TEST(done == "cadb");
}

BOOST_AUTO_TEST_CASE(others_go_first_as_far_as_they_may) {
  emulation::set_pace(pace::others_first);
  note(first, 'a');
  point.record(first);
  note(first, 'b');
  note(second, 'c');
  point.delay(second);
  note(second, 'd');
  first.wait();
  BOOST_TEST(done == "cadb");
}

BOOST_AUTO_TEST_CASE(a_delay_is_for_what_was_recorded_before_it) {
  for (const auto one : {pace::as_needed, pace::others_first}) {
    emulation::set_pace(one);
    done.clear();
    event again;
    again.delay(second); // never recorded: for nothing
    note(second, 'a');
    note(first, 'b');
    again.record(first);
    again.delay(second);
    note(second, 'c');
    note(first, 'd');
    again.record(first); // no longer what `second` waits for
    second.wait();
    BOOST_TEST(done == (one == pace::as_needed ? "abc" : "bdac"));
    BOOST_TEST(again.reached() == (one == pace::others_first));
    first.wait();
  }
}

// In `first` it would come to wait for what `first` does later.
BOOST_AUTO_TEST_CASE(it_may_be_recorded_in_another_stream_meanwhile) {
  emulation::set_pace(pace::as_needed);
  note(second, 'a');
  point.record(second);
  point.delay(first);
  note(first, 'b');
  point.record(first);
  first.wait();
  BOOST_TEST(done == "ab");
}

BOOST_AUTO_TEST_CASE(what_nobody_waited_for_is_counted) {
  emulation::set_pace(pace::as_needed);
  const auto before = emulation::calls_dropped();
  {
    stream short_lived;
    note(short_lived, 'a');
    short_lived.wait();
    note(short_lived, 'b');
    note(short_lived, 'c');
  }
  BOOST_TEST(done == "a");
  BOOST_TEST(emulation::calls_dropped() == before + 2);
}

BOOST_AUTO_TEST_CASE(threads_may_wait_for_both_ends) {
  emulation::set_pace(pace::as_needed);
  event points[2];
  for (int i = 0; i < 1000; ++i) {
    auto& one = i % 2 ? first : second;
    auto& other = i % 2 ? second : first;
    note(one, 'a');
    points[i % 2].record(one);
    points[i % 2].delay(other);
  }
  const auto ends = std::async(std::launch::async, [&] { points[0].wait(); });
  points[1].wait();
  ends.wait();
  first.wait();
  second.wait();
  BOOST_TEST(done.size() == 1000u);
}

BOOST_AUTO_TEST_SUITE_END()
