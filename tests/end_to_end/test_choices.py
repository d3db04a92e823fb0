# SPDX-License-Identifier: Apache-2.0
"""Answers that are chosen among others, through a daemon and from the command
line: beams are those of a search written here over scored texts, best_of gives
the likeliest of what n would have given."""

import json
import subprocess
import time
import unittest

import harness
import sluice

UNSURE = "a text unlike all records"  # the model is unsure what follows


class Reference:
    """Beam search by the rules of transformers, over what `score` says of the
    token behind a text."""

    def __init__(self, client, prompt, eos):
        self.client = client
        self.prompt = prompt
        self.eos = eos
        self.known = {}

    def choices(self, tokens):
        """(token, log-probability) of the likeliest that may follow."""
        if tokens not in self.known:
            text = [*self.prompt, *tokens, 5]  # any token: it is the last
            score = self.client.score(
                text, score_from=len(text) - 1, prompt_logprobs=20
            )
            self.known[tokens] = score.per_token[-1].top
        return self.known[tokens]

    def search(self, width, most, penalty, early):
        """The best answers: (score, tokens)."""
        beams, done = [((), 0.0)], []
        for length in range(1, most + 1):
            steps = sorted(
                (-(total + logprob), place, token, tokens + (token,))
                for place, (tokens, total) in enumerate(beams)
                for token, logprob in self.choices(tokens)
            )
            beams = []
            for rank, (loss, _, token, tokens) in enumerate(steps):
                if token in self.eos:
                    if rank < width:
                        done.append((-loss / length**penalty, tokens))
                elif len(beams) < width:
                    beams.append((tokens, -loss))
            done = sorted(done, key=lambda each: -each[0])[:width]
            if len(done) == width:
                at = most if early == "never" and penalty > 0 else length
                can = beams[0][1] / at**penalty
                if early == "first" or done[-1][0] >= can:
                    return done
        done += [(total / most**penalty, tokens) for tokens, total in beams]
        return sorted(done, key=lambda each: -each[0])[:width]


class ChoicesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        options = {"scheduling.max_sequences": 8}
        cls.daemon = harness.Daemon(options=options)
        cls.daemon.wait_ready()
        cls.rows = harness.records(4)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def prompt_tokens(self, client, text):
        score = client.score(text, prompt_logprobs=0)
        first = [0]  # the tokenizer's BOS, which has no score
        return first + [token.token for token in score.per_token]

    def test_beams_are_those_of_a_search_over_scores(self):
        cases = [
            (self.rows[0]["prompt"], 4, 60, 1.0, "heuristic"),
            (self.rows[1]["prompt"], 3, 60, 0.0, "first"),
            (UNSURE, 4, 12, 1.0, "never"),
            (UNSURE, 3, 20, 2.0, "heuristic"),
            (UNSURE, 5, 9, -1.0, "never"),
        ]
        eos = {1}
        with self.daemon.client() as client:
            for text, width, most, penalty, early in cases:
                prompt = self.prompt_tokens(client, text)
                reference = Reference(client, prompt, eos)
                expected = reference.search(width, most, penalty, early)
                answer = client.generate(
                    text,
                    beams=width,
                    n=width,
                    max_tokens=most,
                    length_penalty=penalty,
                    early_stopping=early,
                )
                self.assertEqual(answer.receipt.prompt_tokens, len(prompt))
                found = [(s.score, s.tokens) for s in answer.sequences]
                self.assertEqual(found, expected)
                self.assertEqual(answer.receipt.candidates, width)

    def test_one_beam_is_greedy(self):
        options = {"max_tokens": 30, "ignore_eos": True}
        with self.daemon.client() as client:
            greedy = client.generate(UNSURE, temperature=0, **options)
            beam = client.generate(UNSURE, beams=1, **options)
        self.assertEqual(beam.tokens, greedy.tokens)
        self.assertEqual(beam.text, greedy.text)

    def test_stops_logprobs_and_echo_of_beams(self):
        prompt = self.rows[0]["prompt"]
        with self.daemon.client() as client:
            answer = client.generate(
                prompt, beams=3, n=2, stop=['"date"'], logprobs=2,
                want_logprobs=True, echo=True, prompt_logprobs=0,
            )
        self.assertTrue(answer.text.startswith(prompt))
        self.assertNotIn('"date"', answer.text[len(prompt):])
        first = answer.sequences[0]
        self.assertEqual((first.finish_reason, first.stop),
                         ("stop_string", '"date"'))
        self.assertEqual([e.token for e in first.logprobs],
                         list(first.tokens))
        self.assertTrue(all(len(e.top) == 2 for e in first.logprobs))
        self.assertGreater(len(answer.prompt_logprobs), 0)

    def test_best_of_gives_the_likeliest_of_n(self):
        options = {"temperature": 2.0, "seed": 5, "max_tokens": 30}
        with self.daemon.client() as client:
            all_of_them = client.generate(
                UNSURE, n=6, want_logprobs=True, **options
            ).sequences
            best = client.generate(UNSURE, n=2, best_of=6, **options)
        means = [
            sum(e.raw_logprob for e in s.logprobs) / len(s.logprobs)
            for s in all_of_them
        ]
        order = sorted(range(6), key=lambda i: -means[i])[:2]
        for sequence, index in zip(best.sequences, order):
            self.assertEqual(sequence.tokens, all_of_them[index].tokens)
            self.assertEqual(sequence.text, all_of_them[index].text)
            self.assertEqual(sequence.score, means[index])
            self.assertEqual(sequence.logprobs, ())
        self.assertEqual(len(best.sequences), 2)
        self.assertEqual(best.receipt.candidates, 6)
        self.assertEqual(
            best.receipt.generated_tokens,
            sum(len(s.tokens) for s in all_of_them),
        )

    def test_a_cancel_ends_a_choice_without_an_answer(self):
        for options in ({"beams": 4}, {"best_of": 4}):
            with self.daemon.client() as client:
                stream = client.stream(
                    UNSURE, ignore_eos=True, request_id=sluice.new_request_id(),
                    on_disconnect="continue_running", **options,
                )
                events = self.cancelled(client, stream)
                self.assertEqual(events[-1].reason, "cancelled")
                deltas = [e for e in events if isinstance(e, sluice.Delta)]
                self.assertEqual(deltas, [])
                free = lambda: harness.all_pages_are_free(client)  # noqa: E731
                harness.wait_until(free, 60, "every KV page is free")

    @staticmethod
    def cancelled(client, stream):
        """Cancels from beside: the stream's first event is its last."""
        import threading

        def cancel():
            time.sleep(0.05)
            subprocess.run(
                [harness.program("sluice"), "cancel", "--endpoint",
                 client.settings.named_endpoint(), stream.request_id],
                check=True, stdout=subprocess.DEVNULL,
            )

        beside = threading.Thread(target=cancel)
        beside.start()
        events = list(stream)
        beside.join()
        return events

    def test_a_deadline_fails_a_search(self):
        with self.daemon.client() as client:
            with self.assertRaises(sluice.Failed) as caught:
                client.generate(
                    UNSURE, beams=8, ignore_eos=True, deadline=0.02
                )
        self.assertEqual(caught.exception.code, "deadline_exceeded")

    def test_what_makes_no_sense_is_refused(self):
        cases = [
            ({"beams": 2, "top_k": 5}, "invalid_argument", "defaults"),
            ({"beams": 2, "temperature": 0.5}, "invalid_argument", "defaults"),
            ({"beams": 17}, "invalid_argument", "beam.width"),
            ({"best_of": 17}, "invalid_argument", "best_of"),
            ({"beams": 9}, "never_fits", "scheduling.max_sequences"),
            ({"best_of": 9}, "never_fits", "scheduling.max_sequences"),
        ]
        with self.daemon.client() as client:
            for options, code, word in cases:
                with self.assertRaises(sluice.Rejected) as caught:
                    client.generate(UNSURE, **options)
                self.assertEqual(caught.exception.code, code, options)
                self.assertIn(word, caught.exception.text)
        for options in (
            {"n": 3, "best_of": 2},
            {"best_of": 2, "temperature": 0},
            {"beams": 2, "best_of": 2},
            {"beams": 2, "n": 3},
            {"beams": 2, "early_stopping": "late"},
        ):
            with self.assertRaises(ValueError):
                sluice.Request(UNSURE, **options)

    def test_beams_that_can_never_fit_are_refused(self):
        options = {"memory.kv_bytes": 1 << 20, "memory.page_tokens": 16}
        with harness.Daemon(options=options) as daemon:
            with daemon.client() as client:
                pages = client.models()[0].kv_pages
                # One answer of this length fits, four do not.
                asked = {"max_tokens": pages * 16 // 2, "ignore_eos": True}
                client.generate(UNSURE, temperature=0, **asked)
                with self.assertRaises(sluice.Rejected) as caught:
                    client.generate(UNSURE, beams=4, **asked)
        self.assertEqual(caught.exception.code, "never_fits")
        self.assertIn("memory.kv_bytes", caught.exception.text)


class ChoicesCommandTest(unittest.TestCase):
    PROMPT = harness.records(1)[0]["prompt"]

    def generate(self, *arguments):
        return harness.run_cli(
            "generate", "--model", harness.PEBBLE, "--prompt", self.PROMPT,
            *arguments,
        )

    def test_generate_gives_the_best_first(self):
        for flags in (("--beams", 4), ("--best-of", 4, "--seed", 3)):
            result = self.generate(*flags, "-n", 2, "--json")
            self.assertEqual(result.returncode, 0, result.stderr)
            answer = json.loads(result.stdout)
            scores = [s["score"] for s in answer["sequences"]]
            self.assertEqual(len(scores), 2)
            self.assertGreaterEqual(scores[0], scores[1])
            self.assertEqual(answer["usage"]["candidates"], 4)
        text = self.generate("--beams", 2, "--length-penalty", 0.5,
                             "--early-stopping", "first")
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertEqual(text.stdout.strip(), harness.records(1)[0]["answer"])

    def test_flags_that_exclude_each_other(self):
        for flags in (
            ("--beams", 2, "--best-of", 2),
            ("--length-penalty", 2),
            ("--beams", 2, "--early-stopping", "late"),
        ):
            self.assertEqual(self.generate(*flags).returncode, 2)
        refused = self.generate("--beams", 2, "--top-k", 5)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("defaults", refused.stderr)

    def test_rows_of_map_may_ask_for_beams(self):
        params = {"beams": 3, "n": 2, "early_stopping": True,
                  "length_penalty": 0.0, "max_tokens": 80}
        row = json.dumps({"prompt": self.PROMPT, "params": params})
        result = subprocess.run(
            [harness.program("sluice"), "map", "--model", str(harness.PEBBLE),
             "-q", "-i", "-"],
            input=row + "\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, timeout=300,
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        mapped = json.loads(result.stdout)
        self.assertEqual(mapped["text"].strip(),
                         harness.records(1)[0]["answer"])


if __name__ == "__main__":
    unittest.main()
