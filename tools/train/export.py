# SPDX-License-Identifier: Apache-2.0
"""Exports a checkpoint as a Hugging Face directory and as GGUF files.

    export.py pebble CHECKPOINT TOKENIZER tests/models

writes tests/models/pebble/ (bf16) and pebble-f16.gguf, pebble-q8_0.gguf and
pebble-q4_0.gguf beside it. All files hold the same bf16-rounded weights, or
their quantisation.
"""

import argparse
import json
import pathlib
import shutil

import torch

import gguf_file as gguf
import hugging_face
import model as architecture
import tokenizer as vocabulary

SHAPES = {
    "pebble": architecture.PEBBLE,
    "pebble-draft": architecture.PEBBLE_DRAFT,
    "pebble-turns": architecture.PEBBLE_TURNS,
}
NORMAL_TOKEN, CONTROL_TOKEN = 1, 3  # tokenizer.ggml.token_type

GGUF_LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    """The GGUF name of a parameter of model.py."""
    if name.startswith("layers."):
        _, layer, rest = name.split(".", 2)
        stem, suffix = rest.rsplit(".", 1)
        return f"blk.{layer}.{GGUF_LAYER_NAMES[stem]}.{suffix}"
    return {
        "embed_tokens.weight": "token_embd.weight",
        "norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }[name]


def interleave(weight, heads):
    """Rows from RoPE's half-split order to GGUF llama's pairwise order."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def gguf_tensors(model, kind):
    """(name, f32 array, tensor type) in the order of the model."""
    shape = model.shape
    for name, tensor in model.state_dict().items():
        weights = tensor.float().numpy()
        if name.endswith("q_proj.weight"):
            weights = interleave(weights, shape.heads)
        if name.endswith("k_proj.weight"):
            weights = interleave(weights, shape.kv_heads)
        yield gguf_name(name), weights, kind if weights.ndim > 1 else "f32"


def shape_entries(name, shape, kind):
    """Metadata of the architecture."""
    integers = {
        "general.alignment": gguf.ALIGNMENT,
        "general.file_type": gguf.FILE_TYPES[kind],
        "llama.block_count": shape.layers,
        "llama.context_length": shape.context,
        "llama.embedding_length": shape.hidden,
        "llama.feed_forward_length": shape.ffn,
        "llama.attention.head_count": shape.heads,
        "llama.attention.head_count_kv": shape.kv_heads,
        "llama.rope.dimension_count": shape.head_dim,
        "llama.vocab_size": shape.vocabulary,
    }
    floats = {
        "llama.attention.layer_norm_rms_epsilon": shape.norm_epsilon,
        "llama.rope.freq_base": shape.rope_theta,
    }
    return [
        gguf.scalar_entry("general.architecture", gguf.STRING, "llama"),
        gguf.scalar_entry("general.name", gguf.STRING, name),
        *(gguf.scalar_entry(k, gguf.UINT32, v) for k, v in integers.items()),
        *(gguf.scalar_entry(k, gguf.FLOAT32, v) for k, v in floats.items()),
    ]


def tokenizer_entries(path):
    """Metadata of the tokenizer, from tokenizer.json."""
    bpe = json.loads(path.read_text(encoding="utf-8"))["model"]
    tokens = sorted(bpe["vocab"], key=bpe["vocab"].get)
    types = [
        CONTROL_TOKEN if token in vocabulary.SPECIALS else NORMAL_TOKEN
        for token in tokens
    ]
    merges = [" ".join(pair) for pair in bpe["merges"]]
    ids = {
        f"tokenizer.ggml.{role}_token_id": index
        for index, role in enumerate(("bos", "eos", "padding"))
    }
    prefix = "tokenizer.ggml."
    return [
        gguf.scalar_entry(prefix + "model", gguf.STRING, "gpt2"),
        gguf.scalar_entry(prefix + "pre", gguf.STRING, "qwen2"),
        gguf.array_entry(prefix + "tokens", gguf.STRING, tokens),
        gguf.array_entry(prefix + "token_type", gguf.INT32, types),
        gguf.array_entry(prefix + "merges", gguf.STRING, merges),
        *(gguf.scalar_entry(k, gguf.UINT32, v) for k, v in ids.items()),
        gguf.scalar_entry(prefix + "add_bos_token", gguf.BOOL, True),
        gguf.scalar_entry(prefix + "add_eos_token", gguf.BOOL, False),
    ]


def export_hugging_face(model, tokenizer_path, directory):
    directory.mkdir(parents=True, exist_ok=True)
    tensors = hugging_face.named_tensors(model, torch.bfloat16)
    hugging_face.write_safetensors(directory / "model.safetensors", tensors)
    shape = model.shape
    hugging_face.write_json(directory / "config.json", hugging_face.config(shape))
    generation = {
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
        "do_sample": False,
        "max_new_tokens": 96,
    }
    hugging_face.write_json(directory / "generation_config.json", generation)
    hugging_face.write_json(
        directory / "tokenizer_config.json",
        vocabulary.tokenizer_config(shape.context),
    )
    copied = directory / "tokenizer.json"
    if tokenizer_path.resolve() != copied.resolve():
        shutil.copyfile(tokenizer_path, copied)


def load(name, checkpoint):
    """The model of a checkpoint, rounded to bf16 as every export is."""
    model = architecture.Model(SHAPES[name])
    model.load_state_dict(torch.load(checkpoint)["model"])
    return model.to(torch.bfloat16).float().eval()


def main():
    parser = argparse.ArgumentParser(description="Export a trained model.")
    parser.add_argument("name", choices=SHAPES)
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("tokenizer", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path, help="tests/models")
    arguments = parser.parse_args()
    model = load(arguments.name, arguments.checkpoint)
    export_hugging_face(
        model, arguments.tokenizer, arguments.output / arguments.name
    )
    for kind in ("f16", "q8_0", "q4_0"):
        gguf.write(
            arguments.output / f"{arguments.name}-{kind}.gguf",
            shape_entries(arguments.name, model.shape, kind)
            + tokenizer_entries(arguments.tokenizer),
            list(gguf_tensors(model, kind)),
        )


if __name__ == "__main__":
    main()
