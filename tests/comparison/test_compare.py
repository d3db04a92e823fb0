# SPDX-License-Identifier: Apache-2.0
"""The whole comparison, with scripts in the place of both engines."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPARE = ROOT / "tools" / "bench" / "compare.py"

BENCH = """
print('[{"n_prompt": 512, "n_gen": 0, "avg_ts": 100.0},'
      ' {"n_prompt": 0, "n_gen": 128, "avg_ts": 20.0}]')
"""
SLUICE = """
import json
at = sys.argv.index("--b") + 1
print(json.dumps({"rows": [{"b": int(b), "speed_pp": 150.0, "speed_tg": 30.0}
                           for b in sys.argv[at].split(",")]}))
"""
# Answers two tokens to every request, as a llama-server does.
SERVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        for text in ('{"stop": false}', '{"stop": false}',
                     '{"stop": true, "tokens_predicted": 2}'):
            self.wfile.write(b"data: " + text.encode() + b"\\n\\n")
    def log_message(self, *_):
        pass
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
SERVE_CLIENT = """
import json
if sys.argv[1] == "bench":
    trace = open(sys.argv[sys.argv.index("--trace") + 1]).read().splitlines()
    assert len(trace) == 4 and len(json.loads(trace[0])["prompt_tokens"]) == 8
    print(json.dumps({"failed": 0, "output_throughput": 50.0,
                      "p99_itl_ms": 2.0, "median_itl_ms": 1.0}))
"""
SLEEP = "import time\ntime.sleep(600)\n"


class CompareTest(unittest.TestCase):
    def setUp(self):
        self._own = tempfile.TemporaryDirectory(prefix="compare-test-")
        self.addCleanup(self._own.cleanup)
        self.folder = pathlib.Path(self._own.name)
        (self.folder / "model.gguf").write_bytes(b"GGUF")

    def script(self, name, text):
        path = self.folder / name
        path.write_text(f"#!{sys.executable}\nimport sys\n{text}")
        path.chmod(0o755)
        return str(path)

    def command(self, *arguments):
        return [sys.executable, str(COMPARE), "--model",
                str(self.folder / "model.gguf"), "-t", "1", "--rounds", "2",
                *arguments]

    def compare(self, *arguments):
        return subprocess.run(self.command(*arguments), capture_output=True,
                              text=True, timeout=120, check=False)

    def assert_fails(self, done, *texts):
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)

    def test_ratios_of_both_cells(self):
        done = self.compare("--sluice", self.script("sluice", SLUICE),
                            "--bench", self.script("llama-bench", BENCH),
                            "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {row["cell"]: row for row in json.loads(done.stdout)["rows"]}
        self.assertAlmostEqual(rows["pp512"]["ratio"], 1.5)
        self.assertAlmostEqual(rows["tg128"]["ratio"], 1.5)
        self.assertEqual(rows["tg128"]["peer"]["runs"], [20.0, 20.0])

    def test_runs_that_were_kept_count(self):
        kept = self.folder / "runs.jsonl"
        for expected in (2, 4):
            done = self.compare("--sluice", self.script("sluice", SLUICE),
                                "--bench", self.script("llama-bench", BENCH),
                                "--keep", str(kept), "--json")
            row = json.loads(done.stdout)["rows"][0]
            self.assertEqual(len(row["peer"]["runs"]), expected)
        kept.write_text("no run\n")
        self.assert_fails(
            self.compare("--sluice", self.script("sluice", SLUICE), "--bench",
                         self.script("llama-bench", BENCH), "--keep",
                         str(kept)),
            "runs.jsonl:1: not a run")

    def test_a_crash_is_named(self):
        crash = "import os\nprint('bad model', file=sys.stderr, flush=True)\n" \
                "os.kill(os.getpid(), 11)\n"
        self.assert_fails(
            self.compare("--sluice", self.script("sluice", SLUICE), "--bench",
                         self.script("llama-bench", crash)),
            "llama-bench: killed by SIGSEGV", "bad model")

    def test_what_is_missing_is_named(self):
        sluice = self.script("sluice", SLUICE)
        bench = self.script("llama-bench", BENCH)
        cases = (
            (("--sluice", "/nowhere/sluice", "--bench", bench),
             "/nowhere/sluice: there is no such program"),
            (("--sluice", sluice, "--bench", "/nowhere/bench"),
             "/nowhere/bench: there is no such program"),
            (("--sluice", sluice), "nothing to compare"),
            (("--sluice", sluice, "--bench", bench, "--cells", "pp7"),
             "--cells 'pp7'"),
            (("--sluice", sluice, "--batched-bench", bench, "--batches", "a"),
             "--batches 'a'"),
            (("--sluice", sluice, "--bench", bench, "-t", "4000"),
             "4000 threads"),
            (("--sluice", sluice, "--bench", bench, "--model", "/no.gguf"),
             "/no.gguf: there is no such model"))
        for arguments, text in cases:
            with self.subTest(text):
                self.assert_fails(self.compare(*arguments), text)

    def test_servers_are_driven_and_ended(self):
        self.script("sluiced", SLEEP)
        done = self.compare(
            "--sluice", self.script("sluice", SERVE_CLIENT), "--serve",
            self.script("llama-server", SERVER), "--requests", "4",
            "--clients", "2", "--input-len", "8", "--output-len", "2", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {row["cell"]: row for row in json.loads(done.stdout)["rows"]}
        self.assertEqual(rows["output_throughput"]["ours"]["median"], 50.0)
        self.assertGreater(rows["output_throughput"]["peer"]["median"], 0)
        self.assertEqual(self.left_behind(), [])

    def test_a_server_that_dies_is_named(self):
        self.script("sluiced", SLEEP)
        self.assert_fails(
            self.compare("--sluice", self.script("sluice", SERVE_CLIENT),
                         "--serve",
                         self.script("llama-server", "sys.exit('no slots')")),
            "llama-server: exit code 1", "no slots")

    def test_being_ended_ends_the_children(self):
        endless = self.script("llama-server", "print('up', flush=True)\n"
                              + SLEEP)
        self.script("sluiced", SLEEP)
        process = subprocess.Popen(
            self.command("--sluice", self.script("sluice", SERVE_CLIENT),
                         "--serve", endless),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not self.left_behind():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        end = time.monotonic() + 30
        while self.left_behind() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.left_behind(), [])

    def left_behind(self):
        """Processes that run a script of this test's folder."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError):
                line = pathlib.Path("/proc", entry, "cmdline").read_bytes()
                scripts = [part for part in line.split(b"\0")[1:2]
                           if part.startswith(str(self.folder).encode())]
                found += scripts
        return found


if __name__ == "__main__":
    unittest.main()
