# SPDX-License-Identifier: Apache-2.0
"""Greedy exact match of an exported model on rows of records.jsonl."""

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
    rows = [records.Record(row["prompt"], row["answer"]) for row in rows]
    share = train.exact_match(model, tokenizer, rows)
    print(f"{arguments.name}: {share * len(rows):.0f} of {len(rows)} exactly right")


if __name__ == "__main__":
    main()
