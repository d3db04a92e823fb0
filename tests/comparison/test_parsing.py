# SPDX-License-Identifier: Apache-2.0
"""What the programs print, as it is read."""

import json
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "bench"))

from comparison import ours, peer, servers, streams  # noqa: E402
from comparison.cells import Spread, Table, for_people  # noqa: E402
from comparison.processes import (  # noqa: E402
    ComparisonError, Cores, Output, describe_end, last_lines)

BENCH = """some warning
[
  {"n_prompt": 512, "n_gen": 0, "avg_ts": 341.5, "test": "pp512"},
  {"n_prompt": 0, "n_gen": 128, "avg_ts": 57.25}
]"""
BATCHED = """
main: n_kv_max = 1024, n_batch = 2048

|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |
|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|
|   128 |     32 |    1 |    160 |    0.349 |   366.91 |    0.138 |    57.82 |    0.487 |   279.14 |
|   128 |     32 |    4 |    640 |    2.385 |   214.72 |    1.124 |    28.46 |    3.509 |   155.03 |
"""
CORES = Cores((0, 1))


class PeerTest(unittest.TestCase):
    def test_bench_output_becomes_speeds_by_test(self):
        self.assertEqual(peer.parse_bench(BENCH),
                         {"pp512": 341.5, "tg128": 57.25})

    def test_other_bench_output_is_an_error(self):
        for text in ("", "usage: llama-bench", "[{}]", '[{"n_gen": 0}]', "[1]"):
            with self.assertRaisesRegex(ComparisonError, "llama-bench: cannot"):
                peer.parse_bench(text)

    def test_the_table_is_found_on_either_stream(self):
        expected = {"b1": 57.82, "b4": 28.46}
        for output in (Output(BATCHED, ""), Output("", BATCHED)):
            self.assertEqual(peer.parse_batched(output, [1, 4]), expected)

    def test_a_missing_row_is_an_error_with_the_log(self):
        with self.assertRaisesRegex(ComparisonError, "batch 8: .*no memory"):
            peer.parse_batched(Output(BATCHED, "no memory\n"), [1, 8])

    def test_the_context_holds_the_largest_batch(self):
        there = peer.Peer(None, pathlib.Path("/x/llama-batched-bench"),
                          ("-rtr",))
        command = peer.batched_command(there, "m.gguf", CORES, [1, 32])
        self.assertEqual(command[command.index("-c") + 1], str(32 * 160))
        self.assertEqual(command[-1], "-rtr")

    def test_only_llama_bench_gives_its_switch_a_value(self):
        self.assertEqual(peer.bench_flags(["-rtr", "-thp", "1"]),
                         ["-rtr", "1", "-thp", "1"])


class OursTest(unittest.TestCase):
    def test_rows_are_read(self):
        text = json.dumps({"rows": [{"b": 1, "speed_tg": 60.5}]})
        self.assertEqual(ours.parse_rows(text)[0]["speed_tg"], 60.5)

    def test_other_output_is_an_error(self):
        for text in ("", "{}", '{"rows": []}', '{"rows": [{"b": 1}]}', "[]"):
            with self.assertRaisesRegex(ComparisonError, "cannot read"):
                ours.parse_rows(text)

    def test_failed_requests_are_an_error(self):
        report = {"failed": 2, "output_throughput": 1, "p99_itl_ms": 1,
                  "median_itl_ms": 1}
        with self.assertRaisesRegex(ComparisonError, "2 requests failed"):
            servers.parse_serve(json.dumps(report))
        report["failed"] = 0
        self.assertEqual(servers.parse_serve(json.dumps(report)),
                         {"output_throughput": 1, "p99_itl_ms": 1,
                          "median_itl_ms": 1})


class StreamTest(unittest.TestCase):
    def test_pieces_are_timed_and_tokens_counted_at_the_end(self):
        stream = streams.Stream()
        lines = (b'data: {"content": "a", "stop": false}\n', b"\n",
                 b'data: {"content": "b", "stop": false}\n')
        for now, line in enumerate(lines):
            self.assertFalse(streams.take_line(line, float(now), stream))
        self.assertEqual(stream.times, [0.0, 2.0])
        end = b'data: {"content": "", "stop": true, "timings": {"predicted_n": 3}}'
        self.assertTrue(streams.take_line(end, 3.0, stream))
        self.assertEqual(stream.tokens, 3)
        self.assertEqual(len(stream.times), 2)
        self.assertTrue(streams.take_line(b"data: [DONE]\n", 4.0, stream))

    def test_sums_over_all_streams(self):
        both = [streams.Stream([0.0, 0.1, 0.3], 4), streams.Stream([1.0], 1)]
        result = streams.sum_up(both, 2.0)
        self.assertAlmostEqual(result["output_throughput"], 2.5)
        self.assertAlmostEqual(result["median_itl_ms"], 150)
        self.assertAlmostEqual(result["p99_itl_ms"], 199)

    def test_a_failed_stream_fails_the_run(self):
        with self.assertRaisesRegex(ComparisonError, "slot is full"):
            streams.sum_up([streams.Stream(error="slot is full")], 1.0)
        with self.assertRaisesRegex(ComparisonError, "no token"):
            streams.sum_up([streams.Stream()], 1.0)

    def test_percentiles_are_numpys(self):
        self.assertEqual(streams.percentile([], 99), 0)
        self.assertEqual(streams.percentile([7.0], 99), 7)
        self.assertAlmostEqual(streams.percentile([4, 1, 3, 2], 50), 2.5)


class TableTest(unittest.TestCase):
    def test_ratios_are_of_medians(self):
        table = Table()
        for peer_speed, our_speed in ((10, 20), (11, 33), (90, 30)):
            table.add("peer", {"b1": peer_speed})
            table.add("ours", {"b1": our_speed})
        table.add("peer", {"b2": 1})  # ours did not come to it
        (row,) = table.rows()
        self.assertEqual(row.peer, Spread(11, 10, 90))
        self.assertAlmostEqual(row.ratio, 30 / 11)
        self.assertIn("2.73x", for_people([row], "tokens/s"))
        self.assertEqual(table.as_json()[0]["ours"]["runs"], [20, 33, 30])

    def test_ends_are_explained(self):
        self.assertEqual(describe_end(3), "exit code 3")
        self.assertEqual(describe_end(-11), "killed by SIGSEGV")
        self.assertEqual(last_lines("a\n\n b \n", 2), "a / b")
        self.assertEqual(last_lines("\n"), "it printed nothing")


if __name__ == "__main__":
    unittest.main()
