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
