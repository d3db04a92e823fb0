#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints every target for a GPU beside what was measured, from the results that
tools/gpu left. Without a folder it tests itself.

    targets.py FOLDER checks|sanitizers|benchmarks|all

Ends with 1 if something was missed or did not pass; what was not run is said
and is no failure.
"""

import argparse
import json
import pathlib
import sys


class Results:
    """What one folder has."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def report(self, name):
        """The JSON object that a program printed, or nothing."""
        try:
            lines = (self.folder / f"{name}.log").read_text().splitlines()
        except OSError:
            return {}
        for line in reversed(lines):
            if line.startswith("{"):
                try:
                    return json.loads(line)
                except ValueError:
                    pass
        return {}

    def status(self, name):
        """ "passed", "failed" or nothing."""
        try:
            return (self.folder / f"{name}.status").read_text().strip() or None
        except OSError:
            return None

    def statuses(self, prefix):
        """Those of every result whose name begins so, by the rest of it."""
        found = sorted(self.folder.glob(f"{prefix}*.status"))
        return {
            path.stem.removeprefix(prefix): path.read_text().strip()
            for path in found
        }

    def batch(self, name, sequences, key):
        """A column of `bench batch` for a number of sequences."""
        for row in self.report(name).get("rows", []):
            if row.get("b") == sequences:
                return row.get(key)
        return None

    def kernel(self, name, key, **wanted):
        """The median of a column of `bench kernels` in one row."""
        for row in self.report(name).get("rows", []):
            if all(row.get(k) == v for k, v in wanted.items()):
                value = row.get(key)
                return value["median"] if isinstance(value, dict) else value
        return None


def part(value):
    return f"{100 * value:.0f} %"


def number(unit, digits=0):
    return lambda value: f"{value:,.{digits}f} {unit}"


rate = number("tokens/s")


class Line:
    """One target: what it is, what is wanted, what there is."""

    def __init__(self, what, wanted, got, show, aim=False, least=True, beside=""):
        self.what = what
        self.wanted = wanted  # None: shown alone
        self.got = got
        self.show = show
        self.aim = aim  # no failure if it is missed
        self.least = least
        self.beside = beside

    @property
    def verdict(self):
        if self.got is None:
            return "not run"
        if self.wanted is None:
            return "shown"
        kept = self.got >= self.wanted if self.least else self.got <= self.wanted
        return "kept" if kept else "below aim" if self.aim else "MISSED"

    def text(self):
        sign = "at least" if self.least else "at most"
        wanted = "-" if self.wanted is None else f"{sign} {self.show(self.wanted)}"
        got = "-" if self.got is None else self.show(self.got)
        line = f"{self.verdict:9}  {self.what:58}  {wanted:22}  {got:16}"
        return f"{line}  {self.beside}".rstrip()


class Check(Line):
    """A program that passes or does not."""

    def __init__(self, what, status, beside=""):
        super().__init__(what, None, status, str, beside=beside)

    @property
    def verdict(self):
        if self.got is None:
            return "not run"
        return "passed" if self.got == "passed" else "FAILED"


def checks(results):
    accuracy = results.report("accuracy")
    yield Check("ops against the oracle, sampling included", results.status("ops"))
    yield Check("golden models, contract matrix", results.status("models"))
    yield Check("a lost GPU's next life", results.status("lost-gpu"))
    yield Line(
        "pebble's held-out records, through the daemon",
        0.99,
        accuracy.get("accuracy"),
        lambda value: f"{100 * value:.1f} %",
        beside=f"{accuracy.get('rows', '-')} records",
    )
    yield Check(
        "contract 1: 500 requests alone, 1,000 in random batches",
        results.status("contract"),
    )
    yield Check("streams over a device that is lost", results.status("restart"))


def sanitizers(results):
    for tool in ("memcheck", "racecheck"):
        found = results.statuses(f"{tool}-")
        failed = [suite for suite, status in found.items() if status != "passed"]
        status = None if not found else "failed" if failed else "passed"
        beside = "failed: " + " ".join(failed) if failed else " ".join(found)
        yield Check(f"compute-sanitizer {tool} on the ops", status, beside)


def single_sequences(results):
    table = (
        ("8B bf16", "batch-8b-bf16-1", 165, "vLLM 155, SGLang 158"),
        ("8B q4_0", "batch-8b-q4_0-1", 350, ""),
        ("8B fp8", "batch-8b-fp8-1", None, ""),
        ("1B bf16", "batch-1b-bf16-1", 750, ""),
        ("8B bf16 without early starts", "batch-8b-bf16-1-no-early", None, ""),
        ("8B bf16 without graphs", "batch-8b-bf16-1-no-graphs", None, ""),
    )
    for what, name, wanted, beside in table:
        of_roofline = results.batch(name, 1, "part_tg")
        if of_roofline is not None:
            beside = f"{part(of_roofline)} of the bandwidth. {beside}"
        yield Line(
            f"{what}, batch 1, context 1k",
            wanted,
            results.batch(name, 1, "speed_tg"),
            rate,
            beside=beside,
        )


def many_sequences(results):
    table = (
        ("f16 KV", "batch-8b-bf16-64", 64),
        ("f16 KV", "batch-8b-bf16-192", 192),
        ("int8 KV", "batch-8b-bf16-256", 256),
    )
    for cache, name, sequences in table:
        peer = results.report(f"peer-{sequences}").get("output_tokens_per_second")
        beside = "published, FP8: 15,220; transformers here: " + (
            rate(peer) if peer else "not run"
        )
        yield Line(
            f"8B bf16, {sequences} sequences, {cache}, 1000 in, 1000 out",
            None,
            results.batch(name, sequences, "speed_output"),
            rate,
            beside=beside,
        )
        yield Line(
            "  its part of the measured roofline",
            0.6,
            results.batch(name, sequences, "part"),
            part,
            aim=True,
        )


def attention(results):
    for context, wanted in ((1024, 0.60), (2048, 0.73), (4096, 0.83)):
        yield Line(
            f"decode attention, GQA 8, 64 sequences, context {context}",
            wanted,
            results.kernel(
                "attention-gqa8", "part", shape=f"decode {context}", type="bf16"
            ),
            part,
            beside="of the bandwidth",
        )
    yield Line(
        "prompt attention, causal, bf16, head 128, 8k",
        320,
        results.kernel("attention-gqa8", "tops", shape="prompt 8192", type="bf16"),
        number("TFLOPS"),
    )


def steps(results):
    for sequences, name in ((1, "batch-8b-bf16-1"), (64, "batch-8b-bf16-64")):
        yield Line(
            f"GPU idle in a decode step, batch {sequences}",
            0.05,
            results.batch(name, sequences, "idle_tg"),
            lambda value: f"{100 * value:.1f} %",
            least=False,
        )


def strictness(results):
    for m, wanted in ((1, 0.10), (64, 0.10), (512, 0.35), (4096, 0.35)):
        yield Line(
            f"cost of strictness, 8B bf16 matmuls, M {m}",
            wanted,
            results.kernel(
                "kernels-8b",
                "cost_of_strictness",
                op="matmul",
                type="bf16",
                m=m,
                mode="strict",
            ),
            part,
            aim=True,
            least=False,
        )


def benchmarks(results):
    for group in (single_sequences, many_sequences, attention, steps, strictness):
        yield from group(results)


def everything(results):
    for group in (checks, sanitizers, benchmarks):
        yield from group(results)


GROUPS = {
    "checks": checks,
    "sanitizers": sanitizers,
    "benchmarks": benchmarks,
    "all": everything,
}


def show(results, group):
    lines = list(GROUPS[group](results))
    for line in lines:
        print(line.text())
    return 1 if any(line.verdict in ("MISSED", "FAILED") for line in lines) else 0


def self_test():
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        results = Results(folder)
        for group in GROUPS.values():
            assert {line.verdict for line in group(results)} == {"not run"}
        root = pathlib.Path(folder)
        rows = [{"b": 1, "speed_tg": 170.0, "part_tg": 0.8, "idle_tg": 0.07}]
        (root / "batch-8b-bf16-1.log").write_text(
            "what a library said\n" + json.dumps({"rows": rows}) + "\n"
        )
        rows = [{"b": 64, "speed_output": 5000.0, "part": 0.5}]
        (root / "batch-8b-bf16-64.log").write_text(json.dumps({"rows": rows}))
        rows = [
            {"shape": "decode 1024", "type": "bf16", "part": {"median": 0.61}},
            {"shape": "prompt 8192", "type": "bf16", "tops": 300.0},
        ]
        (root / "attention-gqa8.log").write_text(json.dumps({"rows": rows}))
        (root / "memcheck-norm.status").write_text("passed\n")
        (root / "racecheck-norm.status").write_text("passed\n")
        (root / "racecheck-matmul.status").write_text("failed\n")
        found = {line.what: line for line in benchmarks(results)}
        single = found["8B bf16, batch 1, context 1k"]
        assert single.verdict == "kept" and "80 % of the band" in single.text()
        assert found["GPU idle in a decode step, batch 1"].verdict == "MISSED"
        many = [line for line in many_sequences(results)]
        assert [line.verdict for line in many[:3]] == ["shown", "below aim", "not run"]
        assert "transformers here: not run" in many[0].text()
        prompt = found["prompt attention, causal, bf16, head 128, 8k"]
        assert prompt.verdict == "MISSED", prompt.text()
        memory, races = sanitizers(results)
        assert (memory.verdict, races.verdict) == ("passed", "FAILED")
        assert races.beside == "failed: matmul", races.beside
        assert "165 tokens/s" in single.text(), single.text()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("group", choices=GROUPS, nargs="?")
    options = parser.parse_args()
    if not options.folder:
        self_test()
        return 0
    return show(Results(options.folder), options.group)


if __name__ == "__main__":
    sys.exit(main())
