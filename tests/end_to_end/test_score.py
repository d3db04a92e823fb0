# SPDX-License-Identifier: Apache-2.0
"""Scoring through a daemon and from the command line: the likelihoods are those
of PyTorch and do not depend on what else runs."""

import asyncio
import json
import math
import os
import pathlib
import subprocess
import tempfile
import unittest

import harness
import sluice

GOLDEN = json.loads(
    (harness.ROOT / "tests" / "golden" / "scores.json").read_text("utf-8")
)
TOLERANCE = 1e-4  # of a perplexity, relative
# Without these, CPUs with products of bf16 pairs round activations too.
EXACT = {"model.weight_type": "f32", "memory.kv_type": "f32"}
EXACT_FLAGS = [part for k, v in EXACT.items() for part in ("--set", f"{k}={v}")]


def relative_error(found, expected):
    return abs(found - expected) / expected


class ScoreTest(unittest.TestCase):
    """A daemon of small chunks: every text is cut."""

    @classmethod
    def setUpClass(cls):
        options = {"scheduling.step_tokens": 48, "limits.prompt_logprobs": 2000}
        options.update(EXACT)
        cls.daemon = harness.Daemon(options=options)
        cls.daemon.wait_ready()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def test_perplexity_is_that_of_pytorch(self):
        total = count = 0
        with self.daemon.client() as client:
            for row in GOLDEN["texts"]:
                score = client.score(row["text"])
                self.assertEqual(score.tokens, len(row["tokens"]) - 1)
                self.assertLessEqual(
                    relative_error(score.perplexity, row["perplexity"]),
                    TOLERANCE,
                )
                total += score.log_likelihood
                count += score.tokens
        error = relative_error(
            math.exp(-total / count), GOLDEN["corpus"]["perplexity"]
        )
        self.assertLessEqual(error, TOLERANCE)

    def test_tokens_come_in_order_with_their_text(self):
        row = GOLDEN["texts"][0]
        with self.daemon.client() as client:
            score = client.score(row["text"], prompt_logprobs=3)
        tokens = score.per_token
        indices = [t.index for t in tokens]
        self.assertEqual(indices, list(range(1, len(tokens) + 1)))
        self.assertEqual([t.token for t in tokens], row["tokens"][1:])
        text = b"".join(t.piece for t in tokens).decode()
        self.assertEqual(text, row["text"])
        self.assertAlmostEqual(
            sum(t.logprob for t in tokens), score.log_likelihood, places=9
        )
        for token, expected in zip(tokens, row["logprobs"]):
            self.assertLess(abs(token.logprob - expected), 1e-3)
            self.assertEqual(len(token.top), 3)
            if token.rank <= 3:
                self.assertEqual(
                    token.top[token.rank - 1], (token.token, token.logprob)
                )

    def test_a_continuation_counts_alone(self):
        row = GOLDEN["texts"][0]
        first = row["prompt_tokens"]
        answer = row["text"][len(row["prompt"]) :]
        with self.daemon.client() as client:
            whole = client.score(row["text"], prompt_logprobs=0)
            split = client.score(row["prompt"], answer, prompt_logprobs=0)
            given = client.score(row["tokens"], score_from=first)
        self.assertEqual(split.per_token, whole.per_token[first - 1 :])
        self.assertEqual(split.log_likelihood, given.log_likelihood)
        self.assertTrue(split.greedy)
        self.assertFalse(whole.greedy)

    def test_scores_do_not_depend_on_what_else_runs(self):
        texts = [row["text"] for row in GOLDEN["texts"][:8]]
        alone = []
        with self.daemon.client() as client:
            for text in texts:
                alone.append(client.score(text, prompt_logprobs=2))
            answers = [self.answer_alone(client, i) for i in range(8)]
        scores, generated = asyncio.run(self.mixed(texts))
        for found, expected in zip(scores, alone):
            self.assertEqual(found.per_token, expected.per_token)
            self.assertEqual(found.log_likelihood, expected.log_likelihood)
        self.assertEqual(generated, answers)

    @staticmethod
    def request(index):
        prompt = GOLDEN["texts"][index]["prompt"]
        return {"prompt": prompt, "temperature": 0.8, "seed": index,
                "max_tokens": 60, "prompt_logprobs": 0, "echo": True}

    def answer_alone(self, client, index):
        answer = client.generate(**self.request(index))
        prompt = GOLDEN["texts"][index]["prompt"]
        self.assertTrue(answer.text.startswith(prompt))
        return answer.tokens, answer.text, answer.prompt_logprobs

    async def mixed(self, texts):
        settings = {"timing": harness.PATIENT, "timeout": 600}
        async with sluice.AsyncClient(self.daemon.endpoint, **settings) as c:
            scores = [c.score(text, prompt_logprobs=2) for text in texts]
            answers = [c.generate(**self.request(i)) for i in range(8)]
            found = await asyncio.gather(*scores, *answers)
        answers = [(a.tokens, a.text, a.prompt_logprobs) for a in found[8:]]
        return found[:8], answers

    def test_prompt_logprobs_of_an_answer_are_those_of_a_score(self):
        row = GOLDEN["texts"][1]
        with self.daemon.client() as client:
            score = client.score(row["prompt"], prompt_logprobs=1)
            answer = client.generate(
                row["prompt"], prompt_logprobs=1, temperature=0, n=2
            )
        self.assertEqual(answer.prompt_logprobs, score.per_token)
        self.assertEqual(
            answer.receipt.log_likelihood, score.log_likelihood
        )
        self.assertEqual(len(answer.sequences), 2)

    def test_a_cancelled_score_frees_its_pages(self):
        text = GOLDEN["long"]["text"][:1000]
        with self.daemon.client() as client:
            streams = [
                client.stream(text, score=True, prompt_logprobs=0)
                for _ in range(8)
            ]
            next(streams[0])
            for stream in streams:
                client.cancel(stream.request_id)
            ends = [list(stream)[-1].reason for stream in streams]
            self.assertIn("cancelled", ends)
            self.assertLessEqual(set(ends), {"cancelled", "scored"})
            free = lambda: harness.all_pages_are_free(client)  # noqa: E731
            harness.wait_until(free, 60, "every KV page is free")

    def test_what_cannot_be_scored_is_refused(self):
        text = GOLDEN["texts"][0]["text"]
        cases = [
            ((GOLDEN["long"]["text"],), {}, "prompt_too_long", "--stride"),
            (([5],), {}, "invalid_argument", "nothing can be scored"),
            ((text,), {"prompt_logprobs": 20}, "invalid_argument",
             "limits.prompt_logprobs"),
            ((text,), {"prompt_logprobs": 21}, "invalid_argument",
             "prompt_top_logprobs"),
        ]
        with self.daemon.client() as client:
            for arguments, options, code, word in cases:
                with self.assertRaises(sluice.Rejected) as caught:
                    client.score(*arguments, **options)
                self.assertEqual(caught.exception.code, code)
                self.assertIn(word, caught.exception.text)


class ScoreCommandTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def score(self, *arguments, model=harness.PEBBLE, **options):
        return harness.run_cli("score", "--model", model, *arguments, **options)

    def rows(self, result, code=0):
        self.assertEqual(result.returncode, code, result.stderr)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def write(self, rows):
        path = self.folder / "in.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def test_rows_in_rows_out_in_order(self):
        texts = [
            {"custom_id": str(i), "text": row["text"]}
            for i, row in enumerate(GOLDEN["texts"])
        ]
        source = self.write(texts)
        found = self.rows(self.score("-i", source, "--json", *EXACT_FLAGS))
        self.assertEqual(len(found), len(texts) + 1)
        self.assertEqual([r["custom_id"] for r in found[:-1]],
                         [r["custom_id"] for r in texts])
        total = found[-1]["total"]
        self.assertEqual(total["tokens"], GOLDEN["corpus"]["tokens"])
        expected = GOLDEN["corpus"]["perplexity"]
        self.assertLessEqual(
            relative_error(total["perplexity"], expected), TOLERANCE
        )
        as_stored = self.rows(self.score("-i", source, "--json"))[-1]["total"]
        self.assertLessEqual(
            relative_error(as_stored["perplexity"], expected), 1e-3
        )

    def test_a_window_slides_over_a_long_text(self):
        golden = GOLDEN["long"]
        path = self.folder / "long.txt"
        path.write_text(golden["text"], "utf-8")
        result = self.score(
            "-f", path, "--stride", golden["stride"], "--json", "--per-token",
            *EXACT_FLAGS,
        )
        row = self.rows(result)[0]
        self.assertEqual(row["tokens"], len(golden["logprobs"]))
        self.assertEqual(row["first_token"], 1)
        self.assertLessEqual(
            relative_error(row["perplexity"], golden["perplexity"]), TOLERANCE
        )
        text = "".join(entry["text"] for entry in row["per_token"])
        self.assertEqual(text, golden["text"].replace("\ufffd", ""))
        refused = self.score("-f", path)
        self.assertEqual(refused.returncode, 1)
        self.assert_one_line(refused, "prompt_too_long", "--stride")

    def assert_one_line(self, result, *words):
        lines = result.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        for word in words:
            self.assertIn(word, lines[0])

    def test_continuations_and_plain_lines(self):
        row = GOLDEN["texts"][0]
        answer = row["text"][len(row["prompt"]) :]
        split = {"prompt": row["prompt"], "answer": answer}
        found = self.rows(self.score(
            "-i", self.write([split]), "--continuation-field", "answer",
            "--json",
        ))
        self.assertEqual(
            found[0]["tokens"], len(row["tokens"]) - row["prompt_tokens"]
        )
        self.assertTrue(found[0]["greedy"])
        lines = self.score(input=row["text"].splitlines()[0] + "\n")
        self.assertEqual(lines.returncode, 0, lines.stderr)
        self.assertIn("perplexity", lines.stdout)
        self.assertEqual(lines.stderr, "")

    def test_bad_rows_fail_alone(self):
        path = self.folder / "in.jsonl"
        path.write_text('{"text": "one two"}\n{"text": \n\n{"no": 1}\n')
        result = self.score("-i", path, "--json")
        found = self.rows(result, code=1)
        self.assertIsNone(found[0]["error"])
        self.assertEqual([r["line"] for r in found[:3]], [1, 2, 4])
        self.assertTrue(all(r["error"] for r in found[1:3]))
        self.assertEqual(found[3]["total"]["failed"], 2)

    def test_nothing_has_no_perplexity(self):
        result = self.score("--json", input='{"text": ""}\n')
        total = self.rows(result, code=1)[-1]["total"]
        self.assertEqual(total["tokens"], 0)
        self.assertIsNone(total["perplexity"])

    def test_errors_are_one_line_with_the_remedy(self):
        cases = [
            (["--text", "a", "-f", "b"], 2, "--text"),
            (["-i", self.folder / "absent"], 2, "--input"),
            (["-f", self.folder / "absent"], 2, "--file"),
            (["--text", ""], 2, "empty"),
            (["-i", os.devnull], 2, "no texts"),
            (["--text", "a b c", "--top", 2], 2, "--per-token"),
            (["--text", "a b c", "--stride", 600], 2, "--stride"),
            (["--text", "a b c", "--stride", 9, "--window", 600], 2,
             "--window"),
            (["--text", "a b c", "--top", 99, "--per-token"], 1,
             "prompt_top_logprobs"),
        ]
        for arguments, code, word in cases:
            result = self.score(*arguments)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assert_one_line(result, word)
        nobody = harness.run_cli(
            "score", "--endpoint", f"ipc://{self.folder}/none", "--text", "a"
        )
        self.assertEqual(nobody.returncode, 3)
        self.assert_one_line(nobody, "none")

    def test_a_daemon_scores_for_the_command_line(self):
        golden = GOLDEN["long"]
        path = self.folder / "long.txt"
        path.write_text(golden["text"], "utf-8")
        with harness.Daemon(options=EXACT) as daemon:
            where = ("score", "--endpoint", daemon.endpoint)
            blind = harness.run_cli(*where, "-f", path, "--stride", 200)
            self.assertEqual(blind.returncode, 2)
            self.assert_one_line(blind, "--tokenizer")
            result = harness.run_cli(
                *where, "-f", path, "--stride", 200,
                "--tokenizer", harness.PEBBLE, "--json",
            )
        row = self.rows(result)[0]
        error = relative_error(row["perplexity"], golden["perplexity"])
        self.assertLessEqual(error, TOLERANCE)

    def test_generate_and_map_give_prompt_logprobs_and_echo(self):
        row = GOLDEN["texts"][0]
        result = harness.run_cli(
            "generate", "--model", harness.PEBBLE, "--prompt", row["prompt"],
            "--temperature", 0, "--prompt-logprobs", 1, "--echo", "--json",
        )
        answer = self.rows(result)[0]
        self.assertEqual(answer["text"], row["text"])
        scored = answer["sequences"][0]["prompt_logprobs"]
        tokens = row["tokens"][1 : row["prompt_tokens"]]
        self.assertEqual([entry["token"] for entry in scored], tokens)
        params = {"prompt_logprobs": 0, "echo": True, "temperature": 0}
        source = self.write([{"prompt": row["prompt"], "params": params}])
        result = subprocess.run(
            [harness.program("sluice"), "map", "--model", str(harness.PEBBLE),
             "-q", "-i", str(source)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=300,
        )
        mapped = self.rows(result)[0]
        self.assertEqual(mapped["text"], row["text"])
        scored = mapped["sequences"][0]["prompt_logprobs"]
        self.assertEqual([entry["token"] for entry in scored], tokens)


if __name__ == "__main__":
    unittest.main()
