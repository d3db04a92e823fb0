# SPDX-License-Identifier: Apache-2.0
"""`sluice` and `sluiced` as users call them: answers, exit codes, one-line
errors that name the remedy."""

import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest
import unittest.mock

import harness

PEBBLE = harness.PEBBLE


class CommandLineTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def assert_one_line_error(self, result, *words):
        self.assertNotEqual(result.returncode, 0, result.stdout)
        lines = result.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        for word in words:
            self.assertIn(word, lines[0])

    def generate(self, *arguments, model=PEBBLE):
        return harness.run_cli("generate", "--model", model, *arguments)

    def quantize(self, *arguments):
        return harness.run_cli("quantize", *arguments)

    def test_a_model_in_the_process_heeds_the_environment(self):
        variable = {"SLUICE_EXECUTOR_ISA": "avx3"}
        with unittest.mock.patch.dict(os.environ, variable):
            result = self.generate("--prompt", "a")
        self.assert_one_line_error(result, "SLUICE_EXECUTOR_ISA", "portable")

    def test_quantize_writes_a_model_that_answers(self):
        row = harness.records(1)[0]
        output = self.folder / "pebble.gguf"
        result = self.quantize(
            "--model", PEBBLE, "--type", "q8_0", "-o", output, "--json"
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        summary = json.loads(result.stdout)
        self.assertEqual(summary["tensors"], {"f32": 9, "q8_0": 29})
        self.assertEqual(summary["bytes_out"], output.stat().st_size)
        answer = self.generate(
            "--prompt", row["prompt"], "--temperature", 0, model=output
        )
        self.assertEqual(answer.stdout.strip(), row["answer"])

    def test_quantize_writes_fp8_as_a_directory(self):
        row = harness.records(1)[0]
        output = self.folder / "pebble-fp8"
        result = self.quantize(
            "--model", PEBBLE, "--type", "fp8", "-o", output, "--json"
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(json.loads(result.stdout)["tensors"]["fp8"], 28)
        answer = self.generate(
            "--prompt", row["prompt"], "--temperature", 0, model=output
        )
        self.assertEqual(answer.stdout.strip(), row["answer"])
        wrong = self.folder / "pebble.gguf"
        refused = self.quantize("--model", PEBBLE, "--type", "fp8", "-o", wrong)
        self.assert_one_line_error(refused, "GGUF files hold no fp8")
        self.assertFalse(wrong.exists())
        again = self.quantize("--model", PEBBLE, "--type", "fp8", "-o", output)
        self.assert_one_line_error(again, "it exists")

    def test_quantize_names_its_errors(self):
        output = self.folder / "out.gguf"
        whole = (harness.MODELS / "pebble-f16.gguf").read_bytes()
        cut = self.folder / "cut.gguf"
        cut.write_bytes(whole[:-1000])
        run = self.quantize
        cases = [
            (["--model", PEBBLE, "--type", "q9", "-o", output], "q4_k_m"),
            (["--model", PEBBLE, "--type", "q8_0", "-o", "x.bin"], ".gguf"),
            (["--model", PEBBLE, "--type", "q8_0", "-o", cut], "--force"),
            (["--model", cut, "--type", "q8_0", "-o", output], "cut.gguf"),
            (["--model", "absent", "--type", "q8_0", "-o", output], "absent"),
            (["--model", harness.MODELS / "pebble-q8_0.gguf", "--type",
              "q4_0", "-o", output], "quantised already"),
            (["--model", PEBBLE, "--type", "q8_0", "-o",
              self.folder / "no" / "x.gguf"], "cannot create"),
        ]
        for arguments, word in cases:
            self.assert_one_line_error(run(*arguments), word)
        same = run("--model", cut, "--type", "q8_0", "-o", cut, "--force")
        self.assert_one_line_error(same, "the model itself")
        self.assertEqual(os.listdir(self.folder), ["cut.gguf"])

    def test_a_killed_quantize_leaves_no_model(self):
        model = self.folder / "in.gguf"
        harness.run_cli(
            "synth", "--shape", "llama-160m", "--quant", "f16", "-o", model
        )
        output = self.folder / "out.gguf"
        command = harness.program("sluice"), "quantize", "--model", model
        running = subprocess.Popen(
            [*command, "--type", "iq4_xs", "-o", output],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(0.5)
        self.assertIsNone(running.poll())
        running.kill()
        running.wait()
        self.assertFalse(output.exists())

    def test_generate_answers_the_record(self):
        row = harness.records(1)[0]
        for file in ("pebble", "pebble-f16.gguf", "pebble-q4_0.gguf"):
            model = harness.MODELS / file
            result = self.generate(
                "--prompt", row["prompt"], "--temperature", 0, model=model
            )
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(result.stdout.strip(), row["answer"])

    def test_generate_json_is_json(self):
        result = self.generate("--prompt", "x", "-m", 5, "--json")
        answer = json.loads(result.stdout)
        self.assertEqual(answer["usage"]["generated_tokens"], 5)

    def test_a_daemon_serves_the_command_line(self):
        row = harness.records(1)[0]
        with harness.Daemon() as daemon:
            where = ("--endpoint", daemon.endpoint)
            for command in ("health", "list"):
                result = harness.run_cli(command, *where)
                self.assertEqual(result.returncode, 0, result.stderr)
            result = harness.run_cli(
                "generate",
                *where,
                *("--prompt", row["prompt"], "--temperature", 0),
            )
            self.assertEqual(result.stdout.strip(), row["answer"])

    def test_no_daemon_is_exit_code_3(self):
        result = harness.run_cli(
            "health", "--endpoint", f"ipc://{self.folder}/none"
        )
        self.assertEqual(result.returncode, 3)
        self.assert_one_line_error(result, "none")

    def test_map_resumes_after_a_kill(self):
        rows = harness.records(60)
        source, target = self.folder / "in.jsonl", self.folder / "out.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        command = [harness.program("sluice"), "map", "--model", str(PEBBLE)]
        command += ["-i", str(source), "-o", str(target), "-j", "4"]
        command += ["--temperature", "0", "--max-tokens", "200"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while process.poll() is None and not self.lines_of(target) > 2:
            time.sleep(0.01)
        process.kill()
        process.wait()
        with open(target, "a") as file:
            file.write('{"custom_id": "torn')
        result = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        answers = {}
        for line in target.read_text().splitlines():
            answer = json.loads(line)
            self.assertNotIn(answer["custom_id"], answers)
            answers[answer["custom_id"]] = answer["text"].strip()
        self.assertEqual(len(answers), len(rows))
        wrong = [r for r in rows if answers[r["custom_id"]] != r["answer"]]
        self.assertLessEqual(len(wrong), 1, wrong)  # the model knows 99 of 100

    def lines_of(self, path):
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def test_an_unknown_architecture_is_refused_by_name(self):
        model = self.folder / "mixtral"
        model.mkdir()
        config = json.loads((PEBBLE / "config.json").read_text())
        config["architectures"] = ["MixtralForCausalLM"]
        config["model_type"] = "mixtral"
        (model / "config.json").write_text(json.dumps(config))
        for name in ("tokenizer.json", "model.safetensors"):
            os.symlink(PEBBLE / name, model / name)
        result = self.generate("--prompt", "x", model=model)
        self.assert_one_line_error(result, "ixtral", "llama")

    def test_a_truncated_gguf_is_refused(self):
        whole = (harness.MODELS / "pebble-q8_0.gguf").read_bytes()
        cut = self.folder / "cut.gguf"
        for size in (3, 100, len(whole) // 2, len(whole) - 1):
            cut.write_bytes(whole[:size])
            result = self.generate("--prompt", "x", model=cut)
            self.assert_one_line_error(result, "cut.gguf")

    def test_a_prompt_beyond_the_context_is_refused(self):
        prompt = harness.records(1)[0]["prompt"] * 100
        result = self.generate("--prompt", prompt)
        self.assertEqual(result.returncode, 1)
        self.assert_one_line_error(result, "context")

    def test_a_second_daemon_on_the_socket_is_refused(self):
        with harness.Daemon() as first:
            second = harness.Daemon(folder=first.folder)
            self.assertNotEqual(second.process.wait(120), 0)
            lines = second.log_text().strip().splitlines()
            self.assertEqual(len(lines), 1, lines)
            self.assertIn("another daemon", lines[0])
            with first.client() as client:
                self.assertEqual(client.health().state, "ready")


if __name__ == "__main__":
    unittest.main()
