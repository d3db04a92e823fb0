# SPDX-License-Identifier: Apache-2.0
"""Which rows of records.jsonl a checkpoint answers exactly, in PyTorch.

Keeps the result in accuracy.json beside the models: the daemon must answer the
same rows, so a fault of kernels, tokenizer or sampling shows whatever the
model's own quality is.
"""

import argparse
import json
import pathlib

from tokenizers import Tokenizer

import export
import records
import train


def main():
    parser = argparse.ArgumentParser(description="Measure exact match.")
    parser.add_argument("name", choices=export.SHAPES)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("models", type=pathlib.Path, help="tests/models")
    arguments = parser.parse_args()
    model = export.load(arguments.name, arguments.checkpoint)
    tokenizer = Tokenizer.from_file(str(arguments.models / "pebble/tokenizer.json"))
    lines = (arguments.models / "records.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in lines.splitlines()]
    pairs = [records.Record(row["prompt"], row["answer"]) for row in rows]
    right = train.right_rows(model, tokenizer, pairs)
    wrong = [row["custom_id"] for row, good in zip(rows, right) if not good]
    print(f"{arguments.name}: {sum(right)} of {len(rows)} exactly right")

    path = arguments.models / "accuracy.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known[arguments.name] = {"rows": len(rows), "exact": sum(right), "wrong": wrong}
    path.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
