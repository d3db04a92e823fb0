# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden: tiny random models and the logits PyTorch gives them.

Weights are f32 and random; logits are computed in f64 at every position of a
fixed token list. The binary format is described in tests/golden/README.md.
"""

import argparse
import dataclasses
import math
import pathlib
import struct

import torch

import hugging_face
import model as architecture

MAGIC, VERSION = b"SLGD", 1
TOKENS = 24

LLAMA = architecture.Shape(
    vocabulary=128,
    hidden=64,
    layers=2,
    heads=4,
    kv_heads=2,
    head_dim=16,
    ffn=96,
    context=64,
    tied_embeddings=False,
)

LLAMA3_SCALING = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}

# name: (family, shape, shards)
MODELS = {
    "llama": ("llama", LLAMA, 1),
    "llama-sharded": ("llama", LLAMA, 3),
    "llama-rope-scaled": (
        "llama",
        dataclasses.replace(
            LLAMA,
            rope_theta=500000.0,
            rope_scaling=LLAMA3_SCALING,
            tied_embeddings=True,
        ),
        1,
    ),
    "mistral": ("mistral", dataclasses.replace(LLAMA, sliding_window=8), 1),
    "qwen2": (
        "qwen2",
        dataclasses.replace(
            LLAMA,
            qkv_bias=True,
            tied_embeddings=True,
            rope_theta=1000000.0,
            norm_epsilon=1e-6,
        ),
        1,
    ),
}


def randomise(model, seed):
    """Weights large enough that attention and logits are far from flat."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            fresh = 1 + 0.2 * noise
        elif parameter.dim() == 1:
            fresh = 0.5 * noise
        else:
            fresh = 1.5 / math.sqrt(parameter.shape[1]) * noise
        parameter.data.copy_(fresh)


def expected_logits(model, tokens):
    """[tokens, vocabulary], computed in f64 from the f32 weights."""
    with torch.no_grad():
        return model.double()(tokens[None])[0].float()


def write_golden(path, tokens, logits):
    with open(path, "wb") as file:
        file.write(MAGIC + struct.pack("<III", VERSION, *logits.shape))
        file.write(tokens.numpy().astype("<i4").tobytes())
        file.write(logits.numpy().astype("<f4").tobytes())


def write_model(directory, family, model, shards):
    directory.mkdir(parents=True, exist_ok=True)
    content = hugging_face.config(model.shape, family, "float32")
    hugging_face.write_json(directory / "config.json", content)
    tensors = hugging_face.named_tensors(model, torch.float32)
    if shards == 1:
        hugging_face.write_safetensors(directory / "model.safetensors", tensors)
    else:
        hugging_face.write_sharded(directory, tensors, shards)


def main():
    parser = argparse.ArgumentParser(description="Write the golden models.")
    parser.add_argument("output", type=pathlib.Path, help="tests/golden")
    arguments = parser.parse_args()
    for name, (family, shape, shards) in MODELS.items():
        seed = 1 + list(MODELS).index(name.removesuffix("-sharded"))
        generator = torch.Generator().manual_seed(100 + seed)
        tokens = torch.randint(shape.vocabulary, (TOKENS,), generator=generator)
        model = architecture.Model(shape)
        randomise(model, seed)
        write_model(arguments.output / name, family, model, shards)
        logits = expected_logits(model, tokens)
        write_golden(arguments.output / f"{name}.logits", tokens, logits)
        print(f"{name}: largest logit {logits.abs().max():.3f}")


if __name__ == "__main__":
    main()
