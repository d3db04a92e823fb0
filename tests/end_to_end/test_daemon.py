# SPDX-License-Identifier: Apache-2.0
"""The short forms of the scripts beside this file, one daemon each."""

import asyncio
import os
import signal
import time
import unittest

import accuracy
import contract
import harness
import kv_quality
import mutated_frames
import schedules as schedules_
import sluice
import streams
import vanish


class AccuracyTest(unittest.TestCase):
    def test_sixteen_clients_get_99_of_100_answers(self):
        result = accuracy.measure(harness.PEBBLE, clients=16, count=500)
        self.assertGreaterEqual(result["accuracy"], 0.99, result["wrong"])


class OutputContractTest(unittest.TestCase):
    def test_answers_do_not_depend_on_batch_chunk_or_threads(self):
        settings = [(16, 512, 2), (1, 8, 1), (4, 64, 2)]
        rows = harness.records(8)
        differing = contract.compare(harness.PEBBLE, rows, settings)
        self.assertEqual(set(differing.values()), {0}, differing)


class KvQualityTest(unittest.TestCase):
    def test_int8_says_the_same_in_full_contexts(self):
        (exact, int8), talks = kv_quality.run(records=24, types=("i8",))
        self.assertGreater(len(talks), 3)
        self.assertGreater(exact["right_after_the_first"], 12)
        self.assertGreater(int8["cached_tokens"], 2000)
        # A record more or less is chance; what is broken loses most of them.
        self.assertGreaterEqual(int8["right"], exact["right"] - 1)
        self.assertLess(int8["mean_off"], 0.01)
        self.assertGreater(int8["top_1_as_reference"], 0.99)
        self.assertLess(int8["perplexity"], 1.01 * exact["perplexity"])


class SchedulesTest(unittest.TestCase):
    def test_answers_do_not_depend_on_pools_caches_and_preemption(self):
        seconds = float(os.environ.get("SCHEDULE_SECONDS", "60"))
        schedules, ran, differing, happened = schedules_.run(
            harness.PEBBLE, seed=1, seconds=seconds
        )
        print(f"{schedules} schedules, {ran} requests: {happened}")
        self.assertGreater(ran, 0)
        self.assertEqual(differing, [])


class StreamsTest(unittest.TestCase):
    def test_disturbed_subscribers_read_whole_streams(self):
        differing, ends, summary = streams.run(harness.PEBBLE, 40, 4, seed=1)
        self.assertEqual((differing, ends), ([], []), summary)


class VanishTest(unittest.TestCase):
    def test_killed_clients_free_their_pages(self):
        _, running = vanish.measure(harness.PEBBLE, 4)
        self.assertGreater(running, 0)


class MutatedFramesTest(unittest.TestCase):
    def test_the_daemon_goes_on(self):
        growth, summary = mutated_frames.run(harness.PEBBLE, 10_000, seed=1)
        self.assertLessEqual(growth, mutated_frames.MOST_GROWTH, summary)


class ClientTest(unittest.TestCase):
    """The Python client and a real daemon."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon()
        cls.daemon.wait_ready()
        cls.row = harness.records(1)[0]

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def test_events_and_logprobs(self):
        with self.daemon.client() as client:
            events = list(
                client.stream(
                    self.row["prompt"],
                    temperature=0,
                    max_tokens=200,
                    logprobs=2,
                    want_logprobs=True,
                )
            )
        deltas = [e for e in events if isinstance(e, sluice.Delta)]
        text = "".join(e.text for e in deltas)
        self.assertEqual(text.strip(), self.row["answer"])
        self.assertIsInstance(events[-1], sluice.Finished)
        logprobs = [entry for e in deltas for entry in e.logprobs]
        tokens = [token for e in deltas for token in e.tokens]
        self.assertEqual([entry.token for entry in logprobs], tokens)
        self.assertTrue(all(len(entry.top) == 2 for entry in logprobs))
        receipt = events[-1].receipt
        self.assertGreaterEqual(receipt.generated_tokens, len(tokens))

    def test_the_same_id_attaches_and_another_body_conflicts(self):
        request = sluice.Request(self.row["prompt"], temperature=0, seed=1)
        with self.daemon.client() as client:
            first = client.generate(request)
            again = client.generate(request)
            self.assertEqual(first, again)
            other = sluice.Request("other", request_id=request.request_id)
            with self.assertRaises(sluice.Rejected) as caught:
                client.generate(other)
        self.assertEqual(caught.exception.code, "id_conflict")

    def test_cancel_ends_with_finished(self):
        with self.daemon.client() as client:
            stream = client.stream(self.row["prompt"], ignore_eos=True)
            next(stream)
            self.assertTrue(client.cancel(stream.request_id))
            last = list(stream)[-1]
        self.assertEqual(last.reason, "cancelled")

    def test_seeds_repeat_and_several_sequences_differ(self):
        options = {"temperature": 2.0, "max_tokens": 30, "seed": 5, "n": 3}
        prompt = "a text unlike all records"  # the model is unsure what follows
        with self.daemon.client() as client:
            first = client.generate(prompt, ignore_eos=True, **options)
            again = client.generate(prompt, ignore_eos=True, **options)
        self.assertEqual(first.sequences, again.sequences)
        self.assertEqual(len({s.tokens for s in first.sequences}), 3)

    def test_stop_strings(self):
        with self.daemon.client() as client:
            answer = client.generate(
                self.row["prompt"], temperature=0, stop=['"date"']
            )
        self.assertEqual(answer.finish_reason, "stop_string")
        self.assertNotIn('"date"', answer.text)

    def test_rejections_name_the_remedy(self):
        too_long = self.row["prompt"] * 200
        with self.daemon.client() as client:
            with self.assertRaises(sluice.Rejected) as caught:
                client.generate(too_long)
            self.assertEqual(caught.exception.code, "prompt_too_long")
            with self.assertRaises(sluice.Rejected) as caught:
                client.generate("x", model="unheard-of")
            self.assertEqual(caught.exception.code, "unknown_model")
            self.assertIn("sluice list", str(caught.exception))
            with self.assertRaises(sluice.Rejected) as caught:
                client.generate("x", stop=["x"] * 100)
            self.assertEqual(caught.exception.code, "invalid_argument")

    def test_health_models_stats(self):
        with self.daemon.client() as client:
            self.assertEqual(client.health().state, "ready")
            model = client.models()[0]
            self.assertEqual((model.name, model.family), ("pebble", "llama"))
            self.assertIn("sluice_requests_running", str(client.stats()))

    def test_many_tasks_of_one_client(self):
        async def ask_all():
            async with sluice.AsyncClient(
                self.daemon.endpoint, timing=harness.PATIENT
            ) as client:
                rows = harness.records(16)
                prompts = [row["prompt"] for row in rows]
                work = [
                    client.generate(p, temperature=0, max_tokens=200)
                    for p in prompts
                ]
                return await asyncio.gather(*work)

        answers = asyncio.run(ask_all())
        self.assertEqual(len(answers), 16)
        self.assertEqual(answers[0].text.strip(), self.row["answer"])


class ShutdownTest(unittest.TestCase):
    def test_what_runs_is_finished_and_new_work_refused(self):
        prompt = harness.records(1)[0]["prompt"]
        with harness.Daemon() as daemon, daemon.client() as client:
            stream = client.stream(prompt, ignore_eos=True, max_tokens=200)
            next(stream)
            daemon.process.send_signal(signal.SIGTERM)
            last = list(stream)[-1]
            self.assertIsInstance(last, sluice.Finished)
            self.assertEqual(daemon.process.wait(60), 0)

    def test_a_second_signal_fails_what_runs(self):
        prompt = harness.records(1)[0]["prompt"]
        with harness.Daemon() as daemon, daemon.client() as client:
            calls = [client.stream(prompt, ignore_eos=True) for _ in range(8)]
            next(calls[0])
            os.kill(daemon.process.pid, signal.SIGTERM)
            time.sleep(0.1)  # two at once would be one
            os.kill(daemon.process.pid, signal.SIGTERM)
            for call in calls:
                try:
                    last = list(call)[-1]
                    self.assertIsInstance(last, sluice.Finished)
                except sluice.RequestError as error:
                    self.assertIn(error.code, ("shutdown", "draining"))
            daemon.process.wait(60)


if __name__ == "__main__":
    unittest.main()
