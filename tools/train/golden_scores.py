# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/scores.json: log-likelihoods as PyTorch computes them.

Reads the golden models and pebble as they are committed, in f64. What is in
the file is said in tests/golden/README.md.

    golden_scores.py tests
"""

import argparse
import json
import math
import pathlib
import struct

import numpy
import tokenizers
import torch

import golden
import model as architecture

RECORDS = 20  # scored one by one
LONG_RECORDS = 12  # joined to a text longer than the context
STRIDE = 200

FIELDS = {  # of config.json: of Shape
    "vocab_size": "vocabulary",
    "hidden_size": "hidden",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head_dim",
    "intermediate_size": "ffn",
    "max_position_embeddings": "context",
    "rms_norm_eps": "norm_epsilon",
    "rope_theta": "rope_theta",
    "rope_scaling": "rope_scaling",
    "tie_word_embeddings": "tied_embeddings",
    "sliding_window": "sliding_window",
}


def read_tensors(path):
    """{name: f64 tensor} of a safetensors file of F32 or BF16."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + at for at in entry["data_offsets"])
        if entry["dtype"] == "F32":
            values = numpy.frombuffer(data[begin:end], "<f4")
        else:  # BF16 is the upper half of an f32
            halves = numpy.frombuffer(data[begin:end], "<u2").astype("<u4")
            values = (halves << 16).view("<f4")
        values = values.astype("f8").reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values)
    return tensors


def load(directory):
    """A model of model.py in f64, from a Hugging Face directory."""
    config = json.loads((directory / "config.json").read_text())
    known = {
        ours: config[key] for key, ours in FIELDS.items() if config.get(key)
    }
    known["qkv_bias"] = config["model_type"] == "qwen2"
    known["tied_embeddings"] = config["tie_word_embeddings"]
    model = architecture.Model(architecture.Shape(**known)).double()
    tensors = {}
    for file in sorted(directory.glob("*.safetensors")):
        tensors.update(read_tensors(file))
    state = {name.removeprefix("model."): t for name, t in tensors.items()}
    model.load_state_dict(state)
    return model.eval()


def logprobs(model, tokens):
    """Of tokens 1 and up, each given those before it."""
    with torch.no_grad():
        logits = model(torch.tensor(tokens)[None])[0]
    table = torch.log_softmax(logits.double(), -1)
    return [table[i, token].item() for i, token in enumerate(tokens[1:])]


def windowed(model, tokens, window, stride):
    """Each token but the first once, in the first window that holds it."""
    found, end = [], 1
    for begin in range(0, len(tokens), stride):
        part = tokens[begin : begin + window]
        fresh = begin + len(part) - end
        found += logprobs(model, part)[len(part) - 1 - fresh :]
        end = begin + len(part)
        if end == len(tokens):
            return found


def result(scores, **entries):
    total = math.fsum(scores)
    return {
        **entries,
        "log_likelihood": total,
        "perplexity": math.exp(-total / len(scores)),
        "logprobs": [round(score, 9) for score in scores],
    }


def golden_tokens(path):
    data = path.read_bytes()
    magic, version, count, _ = struct.unpack("<4sIII", data[:16])
    assert (magic, version) == (golden.MAGIC, golden.VERSION), path
    return list(struct.unpack(f"<{count}i", data[16 : 16 + 4 * count]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tests", type=pathlib.Path, help="the folder tests")
    folder = parser.parse_args().tests
    out = {"models": {}, "texts": []}
    for name in golden.MODELS:
        tokens = golden_tokens(folder / "golden" / f"{name}.logits")
        model = load(folder / "golden" / name)
        out["models"][name] = result(logprobs(model, tokens), tokens=tokens)
    pebble = folder / "models" / "pebble"
    tokenizer = tokenizers.Tokenizer.from_file(str(pebble / "tokenizer.json"))
    model = load(pebble)
    lines = (folder / "models" / "records.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in lines.splitlines()]
    texts = [row["prompt"] + row["answer"] for row in rows]
    for row, text in zip(rows[:RECORDS], texts):
        tokens = tokenizer.encode(text).ids
        context = len(tokenizer.encode(row["prompt"]).ids)
        entries = {"text": text, "prompt": row["prompt"], "tokens": tokens}
        entries["prompt_tokens"] = context
        out["texts"].append(result(logprobs(model, tokens), **entries))
    text = "\n".join(texts[:LONG_RECORDS])
    tokens = tokenizer.encode(text).ids
    window = model.shape.context
    scores = windowed(model, tokens, window, STRIDE)
    assert len(tokens) > 2 * window and len(scores) == len(tokens) - 1
    out["long"] = result(scores, text=text, window=window, stride=STRIDE)
    total = sum(row["log_likelihood"] for row in out["texts"])
    count = sum(len(row["logprobs"]) for row in out["texts"])
    out["corpus"] = {"tokens": count, "perplexity": math.exp(-total / count)}
    path = folder / "golden" / "scores.json"
    path.write_text(json.dumps(out, ensure_ascii=False) + "\n", "utf-8")
    shown = {**out["models"], "pebble": out["corpus"], "windows": out["long"]}
    for name, row in shown.items():
        print(f"{name}: perplexity {row['perplexity']:.6f}")


if __name__ == "__main__":
    main()
