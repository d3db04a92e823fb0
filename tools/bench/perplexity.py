#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Perplexity of model files on the held-out records: what quantising costs.

    perplexity.py tests/models/pebble tests/models/pebble-q8_0.gguf
    perplexity.py tests/models/pebble --types q8_0,q4_k_m,q4_0
    perplexity.py MODEL --corpus texts.jsonl    rows {"text": ...}

Two measures of the records: `answer` counts the answers' tokens only, given the
prompt, which is what the reference models were trained for; `text` counts the
prompts' tokens too. `top-1` is the part of the tokens that were the model's
likeliest; `ratio` compares the perplexity with the first model's. With --types
the first model is also quantised, into files that are deleted afterwards.
SLUICE_BIN names the folder that holds sluice (default: build/release/tools).
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORDS = ROOT / "tests" / "models" / "records.jsonl"


def sluice(*arguments):
    """Runs `sluice ...`; its output. Ends the program if it fails."""
    folder = os.environ.get("SLUICE_BIN", ROOT / "build" / "release" / "tools")
    command = [str(pathlib.Path(folder) / "sluice"), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"`{' '.join(command)}` failed")
    return done.stdout


def total_of(model, path, options):
    """The total that `sluice score` prints last."""
    flags = ["--set", f"memory.kv_type={options.kv_type}"]
    out = sluice("score", "--model", model, "-i", path, "--json", *flags)
    return json.loads(out.splitlines()[-1])["total"]


def write_rows(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def corpora(folder, options):
    """{measure: file of rows}."""
    if options.corpus:
        return {"text": options.corpus}
    with open(RECORDS, encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines][: options.rows]
    answers = [
        {"prompt": r["prompt"], "continuation": r["answer"]} for r in records
    ]
    texts = [{"text": r["prompt"] + r["answer"]} for r in records]
    return {
        "answer": write_rows(folder / "answers.jsonl", answers),
        "text": write_rows(folder / "texts.jsonl", texts),
    }


def quantised(model, types, folder):
    for name in types:
        suffix = "" if name == "fp8" else ".gguf"  # fp8 makes a directory
        output = folder / f"{pathlib.Path(model).name}-{name}{suffix}"
        sluice("quantize", "--model", model, "--type", name, "-o", output)
        yield output
        shutil.rmtree(output) if output.is_dir() else output.unlink()


def size_of(model):
    path = pathlib.Path(model)
    files = path.glob("*.safetensors") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def measure(model, rows, first, options):
    """One result a measure; `first` remembers the first model's perplexity."""
    for name, path in rows.items():
        total = total_of(model, path, options)
        reference = first.setdefault(name, total["perplexity"])
        yield {
            "model": pathlib.Path(model).name,
            "mib": size_of(model) / 2**20,
            "measure": name,
            "tokens": total["tokens"],
            "perplexity": total["perplexity"],
            "ratio": total["perplexity"] / reference,
            "top_1": total["likeliest_tokens"] / total["tokens"],
        }


def show(result, as_json):
    if as_json:
        return print(json.dumps(result), flush=True)
    print(
        "{model:28} {mib:8.2f} {measure:7} {tokens:8} {perplexity:14.6f} "
        "{ratio:9.5f} {top_1:8.4f}".format(**result),
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", help="directories or .gguf files")
    parser.add_argument("--types", default="", help="also quantise the first")
    parser.add_argument("--corpus", help="JSONL with text; default: records")
    parser.add_argument("--rows", type=int, help="records; default: all")
    parser.add_argument("--kv-type", default="f16", help="of the KV cache")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    types = [name for name in options.types.split(",") if name]
    first = {}
    if not options.json:
        print(f"{'model':28} {'MiB':>8} measure   tokens     perplexity     "
              "ratio    top-1")
    with tempfile.TemporaryDirectory(prefix="sluice-") as name:
        folder = pathlib.Path(name)
        rows = corpora(folder, options)
        made = quantised(options.models[0], types, folder)
        for model in options.models:
            for result in measure(model, rows, first, options):
                show(result, options.json)
        for model in made:
            for result in measure(model, rows, first, options):
                show(result, options.json)


if __name__ == "__main__":
    main()
