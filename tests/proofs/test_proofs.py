# SPDX-License-Identifier: Apache-2.0
"""What proofs compute and print, without a daemon."""

import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "bench"))

import prove  # noqa: E402 (the path comes first)
import sluice  # noqa: E402
from proofs import daemon, fairness, kv_waste, victim_times  # noqa: E402
from proofs.load import Track, milliseconds, prompt_of, request  # noqa: E402
from proofs.outcome import Outcome, table  # noqa: E402


def track(sent, *times):
    return Track(sent=sent, times=list(times), counts=[1] * len(times))


class OutcomeTest(unittest.TestCase):
    def test_a_promise_that_holds_is_not_mentioned(self):
        found = Outcome([{"a": 1}])
        found.require(True, "kept")
        self.assertEqual(found.broken, [])
        found.require(False, "3 pages never came back")
        self.assertIn("BROKEN: 3 pages", found.for_people())
        self.assertEqual(found.as_json()["broken"],
                         ["3 pages never came back"])

    def test_tables_line_up(self):
        text = table([{"name": "x", "value": 1234.56},
                      {"name": "longer", "value": None}])
        self.assertEqual(text.splitlines(), [
            "| name   | value |",
            "|--------|-------|",
            "| x      |  1235 |",
            "| longer |     - |"])


class TrackTest(unittest.TestCase):
    def test_one_that_was_cut_off_is_not_finished(self):
        for reason, outcome in (("length", "finished"),
                                ("stop_token", "finished"),
                                ("disconnected", "disconnected"),
                                ("cancelled", "cancelled")):
            some = Track()
            some.take(sluice.Finished(0, reason, None))
            self.assertEqual(some.outcome, outcome)

    def test_times(self):
        some = track(1.0, 2.0, 2.5, 4.0)
        self.assertEqual(some.ttft, 1.0)
        self.assertEqual(some.gaps, [0.5, 1.5])
        self.assertEqual(some.tokens_between(2.0, 3.0), 2)
        self.assertEqual(milliseconds(some.gaps, 50), 1000)
        self.assertIsNone(milliseconds([], 99))

    def test_prompts_differ_by_seed_only(self):
        self.assertEqual(prompt_of(5, 1, 1000), prompt_of(5, 1, 1000))
        self.assertNotEqual(prompt_of(5, 1, 1000), prompt_of(5, 2, 1000))
        self.assertEqual(len(request(prompt_of(5, 1, 1000), 3).prompt_tokens),
                         5)


class StatsTest(unittest.TestCase):
    def test_cached_and_pinned_pages_are_not_in_use(self):
        stats = {"sluice_kv_pages_pool": 100, "sluice_kv_pages_free": 60}
        self.assertEqual(daemon.pages_in_use(stats), 40)
        stats['sluice_kv_pages{state="cached"}'] = 30
        stats['sluice_kv_pages{lane="a",state="pinned"}'] = 4
        stats['sluice_kv_pages{state="active"}'] = 6
        self.assertEqual(daemon.pages_in_use(stats), 6)


class VictimTest(unittest.TestCase):
    def test_a_gap_that_spans_the_prompt_counts(self):
        stream = track(0, 1.0, 2.0, 9.0, 10.0)
        seen = victim_times.Seen(1.0, [[stream]], 3.0, 8.0, 10.5)
        row = seen.row("x")
        self.assertEqual(row["longest gap ms"], 7000)
        self.assertEqual(row["before p99 ITL ms"], 6940)
        self.assertEqual(row["rate kept %"], 0)
        self.assertEqual(row["prompt's TTFT s"], 5.0)
        self.assertTrue(seen.go_on())


class FairnessTest(unittest.TestCase):
    def test_overtakers_are_those_that_begin_while_one_waits(self):
        loud = [track(0, 1.0), track(0, 6.0), track(0, 7.0), track(0, 11.0)]
        self.assertEqual(fairness.overtakers(track(5.0, 10.0), loud), 2)


class WasteTest(unittest.TestCase):
    stats = {"sluice_kv_pages_pool": 10, "sluice_kv_pages_free": 7}

    def test_clients_estimate(self):
        streams = [kv_waste.Asked(20, track(0, 1.0, 2.0))]  # 21 have KV
        sample = kv_waste.sample_of(self.stats, 8, streams)
        self.assertEqual(sample, kv_waste.Sample(24, 3))

    def test_the_daemon_knows_better(self):
        stats = {**self.stats, kv_waste.WASTE: 5}
        streams = [kv_waste.Asked(20, track(0, 1.0))]
        sample = kv_waste.sample_of(stats, 8, streams)
        self.assertEqual(sample, kv_waste.Sample(24, 5))

    def test_the_most_of_a_sequence_is_kept(self):
        watched = kv_waste.Watched()
        watched.add(self.stats, None)
        self.assertIsNone(watched.most)
        for most in (3, 9, 4):
            watched.add({kv_waste.MOST + '{lane="a"}': most}, None)
        self.assertEqual((watched.most, watched.samples), (9, []))

    def test_prompts_are_waited_for(self):
        asked = [kv_waste.Asked(20, track(0, 1.0))]
        self.assertEqual(kv_waste.streams_of(asked), asked)
        asked.append(kv_waste.Asked(20, track(0)))
        self.assertEqual(kv_waste.streams_of(asked), [])


class CommandLineTest(unittest.TestCase):
    def test_the_long_form_changes_defaults_only(self):
        short = prove.parse_arguments(["victim"])
        long = prove.parse_arguments(["victim", "--long", "--victims", "3"])
        self.assertLess(short.prompt, long.prompt)
        self.assertEqual((long.prompt, long.victims), (16384, 3))

    def test_settings_of_the_daemon(self):
        self.assertEqual(prove.options_of(["a.b=1=2"]), {"a.b": "1=2"})
        with self.assertRaises(prove.ComparisonError):
            prove.options_of(["a.b"])


if __name__ == "__main__":
    unittest.main()
