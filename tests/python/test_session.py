# SPDX-License-Identifier: Apache-2.0
"""The conversation with a daemon, by hand: no sockets, no clock."""

import unittest

import fake_frames as fake
from sluice import errors, frames
from sluice.calls import Timing
from sluice.replies import Replies
from sluice.request import Request
from sluice.session import Session

TIMING = Timing(connect=5, reply=2, attempts=3, silence=0.5, silence_most=4)
TOPIC = "0123456789abcdef" * 2


class SessionTest(unittest.TestCase):
    def setUp(self):
        self.session = Session("ipc://x", "", TIMING)
        self.replies = Replies(self.session)
        self.greeting = self.session.open(0.0)
        self.assertEqual(self.sent(), ["Hello"])

    def sent(self):
        """Names of the control frames that went out, and forgets them."""
        names = [frames.parse(data)[0] for data in self.session.outgoing]
        self.session.outgoing.clear()
        return names

    def hear(self, *data, now=0.0):
        for frame in data:
            self.replies.receive(frame, now)

    def start(self, timeout=60.0):
        """A stream that the daemon accepted at 0."""
        self.hear(fake.hello())
        request = Request("hi", request_id=TOPIC)
        call = self.session.submit(request, 0.0, timeout)
        self.assertEqual(self.sent(), ["Submit"])
        self.hear(fake.accepted(TOPIC))
        return call

    def texts(self, call):
        return "".join(event.text for event in call.state.events)

    def test_a_whole_stream(self):
        call = self.start()
        self.assertEqual(list(self.session.topics), [(True, TOPIC)])
        self.hear(*fake.stream(TOPIC, "a", "b"))
        self.assertEqual(self.texts(call), "ab")
        self.assertTrue(call.state.ended)
        self.assertEqual(self.session.topics[-1], (False, TOPIC))
        self.assertIsNone(self.session.next_due())

    def test_silence_asks_with_growing_patience(self):
        call = self.start()
        asked_at = []
        now = 0.0
        while now < 20:
            now = self.session.next_due()
            self.session.advance(now)
            self.assertEqual(self.sent(), ["Replay"])
            asked_at.append(now)
            self.hear(fake.replayed(TOPIC, 0), now=now)
        self.assertEqual(asked_at[:5], [0.5, 1.5, 3.5, 7.5, 11.5])
        self.assertFalse(call.state.ended)

    def test_a_gap_asks_once_and_the_answer_fills_it(self):
        call = self.start()
        chunks = fake.stream(TOPIC, "a", "b", "c")
        self.hear(chunks[0], chunks[2], chunks[3])
        self.assertEqual(self.sent(), ["Replay"])
        self.hear(*chunks[1:], fake.replayed(TOPIC, 5, True))
        self.assertEqual(self.texts(call), "abc")
        self.assertIsNone(call.state.error)

    def test_unanswered_questions_break_the_connection(self):
        call = self.start()
        for _ in range(TIMING.attempts + 1):
            self.session.advance(self.session.next_due())
        self.assertTrue(self.session.broken)
        self.sent()
        self.session.topics.clear()
        self.session.open(100.0 - 60)
        self.assertEqual(list(self.session.topics), [(True, TOPIC)])
        self.hear(fake.hello(), now=41.0)
        self.assertEqual(self.sent(), ["Hello", "Submit"])
        self.hear(fake.accepted(TOPIC, attached=True), now=41.0)
        self.hear(*fake.stream(TOPIC, "a"), now=41.0)
        self.assertEqual(self.texts(call), "a")

    def test_no_hello_fails_everything_that_is_open(self):
        call = self.start()
        query = self.session.query(0, 0.0, 60)
        self.session.open(10.0)
        self.session.advance(15.0)
        for error in (call.state.error, query.error):
            self.assertIsInstance(error, errors.NoDaemon)
            self.assertIn("ipc://x", str(error))

    def test_another_protocol_is_refused(self):
        self.hear(fake.hello(protocol=3, oldestProtocol=2))
        with self.assertRaises(errors.Rejected) as caught:
            self.greeting.result()
        self.assertEqual(caught.exception.code, "unsupported_protocol")

    def test_a_restart_resubmits_what_nobody_saw(self):
        call = self.start()
        self.hear(fake.gap(TOPIC, 0, 0))
        self.assertEqual(self.sent(), ["Submit"])
        self.hear(fake.accepted(TOPIC, epoch=8))
        chunk = fake.delta(TOPIC, 0, "new", epoch=8)
        self.hear(chunk)
        self.assertEqual(self.texts(call), "new")

    def test_a_restart_in_mid_stream_is_an_error(self):
        call = self.start()
        self.hear(fake.delta(TOPIC, 0, "old"), fake.gap(TOPIC, 0, 0))
        self.assertIsInstance(call.state.error, errors.StreamLost)
        self.assertEqual(self.session.streams, {})

    def test_rejection_carries_code_text_and_remedy(self):
        call = self.start()
        self.hear(fake.rejected(TOPIC, 9, "4096 wait", 250))
        error = call.state.error
        self.assertEqual((error.code, error.retry_after), ("queue_full", 0.25))
        self.assertIn("raise limits.queue", str(error))

    def test_a_deadline_cancels(self):
        call = self.start(timeout=3.0)
        self.hear(fake.delta(TOPIC, 0, "a"), now=2.9)
        self.session.advance(3.0)
        self.assertEqual(self.sent(), ["Cancel"])
        self.assertIsInstance(call.state.error, errors.Timeout)

    def test_abandoning_cancels_once(self):
        call = self.start()
        self.session.abandon(call)
        self.session.abandon(call)
        self.assertEqual(self.sent(), ["Cancel"])
        self.assertIsInstance(call.state.error, errors.Cancelled)

    def test_a_refused_frame_is_the_only_one_that_waits(self):
        self.hear(fake.hello())
        request = Request("hi", request_id=TOPIC)
        call = self.session.submit(request, 0.0, 60.0)
        self.hear(fake.refused(3, "stopping.stop has 99 elements"))
        self.assertEqual(call.state.error.code, "invalid_argument")

    def test_answers_find_their_questions(self):
        self.hear(fake.hello())
        first = self.session.query(0, 0.0, 10)
        second = self.session.query(0, 0.0, 10)
        cancel = self.session.cancel(TOPIC, 0.0, 10)
        self.hear(fake.health(2, state=2), fake.cancelled(TOPIC, False))
        self.assertEqual((first.done, second.answer.state), (False, 2))
        self.assertIs(cancel.result(), False)
        self.session.advance(10.0)
        self.assertRaises(errors.Timeout, first.result)

    def test_garbage_is_noted_and_harms_nobody(self):
        call = self.start()
        good = fake.delta(TOPIC, 0, "a")
        for size in range(len(good)):
            self.hear(good[:size])
        self.hear(b"", b"\xff" * 64, b"\0\0\0\0CHU1" + b"\xff" * 64)
        self.assertFalse(call.state.ended)
        self.hear(good)
        self.assertEqual(self.texts(call), "a")

    def test_replayed_without_an_end_is_an_error(self):
        call = self.start()
        self.hear(fake.replayed(TOPIC, 0, True))
        self.assertIsInstance(call.state.error, errors.ProtocolError)

    def test_chunks_of_another_tenant_are_passed_over(self):
        call = self.start()
        other = fake.delta(TOPIC, 0, "theirs", tenant="other")
        self.hear(other, fake.delta(TOPIC, 0, "ours"))
        self.assertEqual(self.texts(call), "ours")

    def test_the_same_id_twice_in_one_client_is_refused(self):
        self.start()
        request = Request("hi", request_id=TOPIC)
        with self.assertRaises(ValueError):
            self.session.submit(request, 0.0, 1.0)


if __name__ == "__main__":
    unittest.main()
