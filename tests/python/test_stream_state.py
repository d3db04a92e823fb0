# SPDX-License-Identifier: Apache-2.0
"""Order, gaps, duplicates, checksum and end of one stream."""

import itertools
import unittest

import fake_frames as fake
from sluice import errors, frames
from sluice.messages.ChunkBody import ChunkBody
from sluice.stream_state import StreamState

TOPIC = "0123456789abcdef" * 2


def feed(state, chunks):
    for data in chunks:
        state.add(frames.parse(data)[1], data)
    return state


def text_of(state):
    return "".join(event.text for event in state.events)


class StreamStateTest(unittest.TestCase):
    def setUp(self):
        self.chunks = fake.stream(TOPIC, "a", "b", "cé")

    def test_every_order_gives_the_same_stream(self):
        for order in itertools.permutations(self.chunks):
            state = feed(StreamState(), order)
            self.assertEqual(text_of(state), "abcé")
            self.assertTrue(state.ended)
            self.assertIsNone(state.error)
            self.assertFalse(state.has_gap)
            self.assertEqual([e.seq for e in state.events], [0, 1, 2, 3, 4])

    def test_duplicates_are_dropped_and_counted(self):
        state = feed(StreamState(), self.chunks[:3] + self.chunks)
        self.assertEqual(text_of(state), "abcé")
        self.assertEqual(state.duplicates, 3)

    def test_a_missing_chunk_holds_back_the_later_ones(self):
        state = feed(StreamState(), [self.chunks[0]] + self.chunks[2:])
        self.assertEqual(text_of(state), "a")
        self.assertTrue(state.has_gap)
        self.assertEqual(state.next_seq, 1)
        self.assertFalse(state.ended)

    def test_early_chunks_are_bounded(self):
        state = feed(StreamState(early_limit=2), self.chunks[1:])
        feed(state, self.chunks[:1])
        self.assertEqual(state.next_seq, 3)
        self.assertFalse(state.ended)

    def test_a_wrong_checksum_is_an_error(self):
        last = fake.end_of(TOPIC, self.chunks[:4], checksum=1)
        state = feed(StreamState(), self.chunks[:4] + [last])
        self.assertIsInstance(state.error, errors.ProtocolError)
        self.assertIn("checksum", str(state.error))

    def test_a_wrong_count_is_an_error(self):
        last = fake.end_of(TOPIC, self.chunks[:4], chunks=9)
        state = feed(StreamState(), self.chunks[:4] + [last])
        self.assertIn("says 9", str(state.error))

    def test_failed_comes_after_the_events(self):
        kind = ChunkBody.Failed
        last = fake.end_of(TOPIC, self.chunks[:2], kind, code=12, text="why")
        state = feed(StreamState(), self.chunks[:2] + [last])
        self.assertEqual(text_of(state), "ab")
        self.assertTrue(state.ended)
        self.assertEqual(state.error.code, "deadline_exceeded")
        self.assertEqual(state.error.receipt.model, "pebble")

    def test_nothing_follows_the_end(self):
        late = fake.delta(TOPIC, 5, "late")
        state = feed(StreamState(), self.chunks + [late])
        self.assertEqual(text_of(state), "abcé")

    def test_chunks_of_another_epoch_are_left_out(self):
        other = fake.delta(TOPIC, 1, "x", epoch=8)
        state = feed(StreamState(), [self.chunks[0], other])
        self.assertEqual((text_of(state), state.foreign), ("a", 1))

    def test_a_new_epoch_may_replace_only_what_nobody_saw(self):
        fresh = StreamState()
        self.assertTrue(fresh.begin(7) and fresh.begin(8))
        seen = feed(StreamState(), self.chunks[:1])
        self.assertFalse(seen.begin(8))
        self.assertIsInstance(seen.error, errors.StreamLost)

    def test_lost_chunks_end_a_stream_that_needs_them(self):
        state = feed(StreamState(), self.chunks[:2])
        state.lose(0, 2)
        self.assertFalse(state.ended)
        state.lose(1, 3)
        self.assertIsInstance(state.error, errors.StreamLost)

    def test_a_chunk_without_a_body_is_an_error(self):
        state = feed(StreamState(), [fake.chunk(TOPIC, 0, 0, None)])
        self.assertIsInstance(state.error, errors.ProtocolError)


if __name__ == "__main__":
    unittest.main()
