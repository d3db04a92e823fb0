# SPDX-License-Identifier: Apache-2.0
"""Requests, errors, answers and the table of identifiers."""

import pathlib
import pickle
import re
import unittest

import fake_frames as fake
import sluice
from sluice import decode, frames
from sluice.answers import Assembly
from sluice.messages.Chunk import ChunkT
from sluice.messages.ChunkBody import ChunkBody
from sluice.messages.Delta import DeltaT
from sluice.messages.TokenScores import TokenScoresT

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOPIC = "0123456789abcdef" * 2


class RequestTest(unittest.TestCase):
    def submit(self, tenant="", **options):
        request = sluice.Request("hi", request_id=TOPIC, **options)
        return frames.parse(request.pack(tenant))[1]

    def test_every_field_reaches_the_wire(self):
        message = self.submit(
            "acme",
            temperature=0.5,
            seed=2**64 - 1,
            logit_bias={3: -100.0},
            stop=["\n", "é"],
            stop_tokens=[7],
            max_tokens=9,
            n=2,
            priority=-3,
            deadline=1.5,
            on_disconnect="continue_running",
        )
        self.assertEqual(frames.topic_of(message.id), TOPIC)
        self.assertEqual(frames.text_of(message.tenant), "acme")
        self.assertEqual(message.sampling.temperature, 0.5)
        self.assertEqual(message.sampling.seed, 2**64 - 1)
        self.assertEqual(message.sampling.logitBias[0].token, 3)
        stop = [frames.text_of(text) for text in message.stopping.stop]
        self.assertEqual(stop, ["\n", "é"])
        self.assertEqual(decode.numbers(message.stopping.stopTokens), [7])
        self.assertEqual((message.n, message.priority), (2, -3))
        self.assertEqual(message.deadlineMs, 1500)
        self.assertEqual(message.onDisconnect, 1)

    def test_scores_reach_the_wire(self):
        message = self.submit()
        self.assertFalse(message.promptLogprobs or message.score)
        message = self.submit(prompt_logprobs=0, echo=True)
        self.assertTrue(message.promptLogprobs and message.echo)
        self.assertEqual(message.promptTopLogprobs, 0)
        message = self.submit(
            score=True, continuation="there", prompt_logprobs=4
        )
        self.assertTrue(message.score)
        self.assertEqual(frames.text_of(message.continuation), "there")
        self.assertEqual(message.promptTopLogprobs, 4)
        self.assertEqual(self.submit(score=True, score_from=3).scoreFrom, 3)

    def test_bad_scores_are_refused(self):
        for options in (
            {"continuation": "x"},
            {"score": True, "n": 2},
            {"score": True, "continuation": "x", "score_from": 1},
            {"prompt_logprobs": -1},
        ):
            with self.assertRaises(ValueError, msg=options):
                self.submit(**options)

    def test_no_seed_stays_absent_and_zero_does_not(self):
        self.assertIsNone(self.submit().sampling.seed)
        self.assertEqual(self.submit(seed=0).sampling.seed, 0)

    def test_chat_and_tokens(self):
        chat = sluice.Request(messages=[("system", "be"), ("user", "go")])
        message = frames.parse(chat.pack(""))[1]
        self.assertEqual([m.role for m in message.messages], [0, 1])
        tokens = sluice.Request(prompt_tokens=[1, 2])
        message = frames.parse(tokens.pack(""))[1]
        self.assertEqual(decode.numbers(message.promptTokens), [1, 2])
        self.assertIsNone(message.prompt)

    def test_what_cannot_be_is_refused_before_it_is_sent(self):
        for options in (
            {},
            {"prompt": "a", "prompt_tokens": [1]},
            {"prompt": "a", "temperature": float("nan")},
            {"prompt": "a", "top_p": 0},
            {"prompt": "a", "stop": "text"},
            {"prompt": "a", "stop": [""]},
            {"prompt": "a", "seed": -1},
            {"prompt": "a", "n": 0},
            {"prompt": "a", "request_id": "xyz"},
            {"prompt": "a", "logit_bias": {1: float("inf")}},
            {"prompt": "a", "min_tokens": 3, "max_tokens": 2},
        ):
            with self.subTest(options), self.assertRaises(ValueError):
                sluice.Request(**options)


class ScoreTest(unittest.TestCase):
    def test_columns_become_tokens(self):
        scores = TokenScoresT()
        scores.first = 3
        scores.tokens = [5, 6]
        scores.logprobs = [-0.5, -1.5]
        scores.ranks = [1, 4]
        scores.topCount = 1
        scores.topTokens = [5, 9]
        scores.topLogprobs = [-0.5, -0.25]
        scores.pieces = [104, 105, 33]
        scores.pieceEnds = [2, 3]
        delta = DeltaT()
        delta.prompt = scores
        chunk = ChunkT()
        chunk.bodyType, chunk.body, chunk.seq = ChunkBody.Delta, delta, 0
        event = decode.event_of(chunk)
        self.assertEqual(
            event.prompt,
            (
                sluice.TokenScore(3, 5, b"hi", -0.5, 1, ((5, -0.5),)),
                sluice.TokenScore(4, 6, b"!", -1.5, 4, ((9, -0.25),)),
            ),
        )

    def test_a_score_adds_up(self):
        assembly = Assembly()
        token = sluice.TokenScore(1, 5, b"a", -2.0, 1)
        assembly.add(sluice.Delta(0, 0, prompt=(token,)))
        with self.assertRaises(sluice.Cancelled):
            assembly.score(TOPIC)
        receipt = sluice.Receipt(
            scored_tokens=1,
            log_likelihood=-2.0,
            perplexity=7.389,
            likeliest_tokens=1,
        )
        assembly.add(sluice.Finished(1, "scored", receipt))
        score = assembly.score(TOPIC)
        self.assertEqual((score.tokens, score.log_likelihood), (1, -2.0))
        self.assertTrue(score.greedy)
        self.assertEqual(score.per_token, (token,))


class ValuesTest(unittest.TestCase):
    def test_identifiers_are_those_of_the_daemon(self):
        source = (ROOT / "messages" / "message_traits.hpp").read_text()
        rows = re.findall(r'SLUICE_MESSAGE\((\w+), "(\w+)"\)', source)
        theirs = {name: identifier for name, identifier in rows}
        ours = {
            frames.type_name(module): identifier.decode()
            for identifier, module in frames.IDENTIFIERS.items()
        }
        self.assertEqual(ours, {name: theirs[name] for name in ours})
        between_actors = source.index("between actors")
        wire = re.findall(r'"(\w+)"\)', source[:between_actors])
        self.assertEqual(sorted(ours.values()), sorted(wire))

    def test_errors_can_be_pickled(self):
        for error in (
            sluice.Rejected("queue_full", "full", 0.5),
            sluice.Failed("shutdown", "stop", sluice.Receipt(model="m")),
            sluice.Timeout("late"),
        ):
            copy = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(copy), str(copy)), (type(error), str(error)))
            self.assertEqual(vars(copy), vars(error))

    def test_a_withdrawn_text_is_gone(self):
        assembly = Assembly()
        for data in (
            fake.delta(TOPIC, 0, "né", (1, 2)),
            fake.delta(TOPIC, 1, "xx", (3,)),
            fake.retract(TOPIC, 2, 3, 2),
            fake.delta(TOPIC, 3, "!", (4,)),
            fake.delta(TOPIC, 4, "other", (5,), sequence=1),
        ):
            assembly.add(decode.event_of(frames.parse(data)[1]))
        answer = assembly.generation(TOPIC)
        self.assertEqual((answer.text, answer.tokens), ("né!", (1, 2, 4)))
        self.assertEqual(answer.sequences[1].text, "other")


if __name__ == "__main__":
    unittest.main()
