#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzz targets gguf, safetensors and config_json.

    tests/fuzz/make_model_corpus.py

fills tests/fuzz/corpus/. The seeds are committed; run this after a change.
"""

import json
import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
U8, U16, U32, I32, F32, BOOL, STRING, ARRAY = 0, 2, 4, 5, 6, 7, 8, 9
# id: (elements, bytes) of a block, for every published tensor type
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24),
    8: (32, 34), 9: (32, 36), 10: (256, 84), 11: (256, 110), 12: (256, 144),
    13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66),
    17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110),
    22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4),
    27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54),
    35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18), 42: (64, 18),
}  # fmt: skip


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key, kind, value):
    formats = {U8: "<B", U16: "<H", U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}
    data = text(value) if kind == STRING else struct.pack(formats[kind], value)
    return text(key) + struct.pack("<I", kind) + data


def array(key, kind, values):
    formats = {U32: "<I", I32: "<i", F32: "<f"}
    data = b"".join(
        text(v) if kind == STRING else struct.pack(formats[kind], v) for v in values
    )
    return text(key) + struct.pack("<IIQ", ARRAY, kind, len(values)) + data


def gguf(pairs, tensors, version=3, alignment=32):
    """tensors: (name, extents innermost first, type id)."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    head += b"".join(pairs)
    offset, sizes = 0, []
    for name, extents, kind in tensors:
        head += text(name) + struct.pack("<I", len(extents))
        head += struct.pack(f"<{len(extents)}QIQ", *extents, kind, offset)
        elements, size = BLOCKS[kind]
        for extent in extents:
            size *= extent
        sizes.append(size // elements)
        offset += sizes[-1] + -sizes[-1] % alignment
    head += bytes(-len(head) % alignment)
    return head + b"".join(bytes(s + -s % alignment) for s in sizes)


def llama_keys(family="llama"):
    return [
        pair("general.architecture", STRING, family),
        pair("general.alignment", U32, 32),
        pair(f"{family}.block_count", U32, 1),
        pair(f"{family}.context_length", U32, 64),
        pair(f"{family}.embedding_length", U32, 32),
        pair(f"{family}.feed_forward_length", U32, 64),
        pair(f"{family}.attention.head_count", U32, 4),
        array(f"{family}.attention.head_count_kv", I32, [2]),
        pair(f"{family}.attention.layer_norm_rms_epsilon", F32, 1e-5),
        pair(f"{family}.rope.freq_base", F32, 10000),
        pair(f"{family}.rope.scaling.type", STRING, "linear"),
        pair(f"{family}.rope.scaling.factor", F32, 2),
        pair("tokenizer.ggml.model", STRING, family),
        array("tokenizer.ggml.tokens", STRING, ["<s>", "a", "ü"]),
        array("tokenizer.ggml.scores", F32, [0, -1, -2]),
        array("tokenizer.ggml.token_type", I32, [3, 1, 1]),
        pair("tokenizer.ggml.bos_token_id", U32, 0),
        pair("tokenizer.ggml.add_bos_token", BOOL, True),
    ]


def gguf_seeds():
    one = [("t", (32, 2), 8)]
    yield "llama", gguf(llama_keys(), [("token_embd.weight", (32, 3), 2)])
    yield "qwen2", gguf(llama_keys("qwen2"), one, version=2)
    yield "split", gguf(
        [pair("split.no", U16, 0), pair("split.count", U16, 2)], one
    )
    yield "aligned", gguf([pair("general.alignment", U32, 64)], one * 1, 3, 64)
    yield "empty", gguf([], [])
    for kind, (elements, _) in BLOCKS.items():
        yield f"type-{kind}", gguf([], [("t", (elements, 2), kind)])


def safetensors(header, size):
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(data)) + data + bytes(size)


def safetensors_seeds():
    def tensor(dtype, shape, begin, end):
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}

    yield "two", safetensors(
        {
            "__metadata__": {"format": "pt"},
            "a": tensor("F32", [2], 0, 8),
            "b": tensor("BF16", [2, 3], 8, 20),
        },
        20,
    )
    yield "scalar", safetensors({"s": tensor("F16", [], 0, 2)}, 2)
    yield "empty-tensor", safetensors({"e": tensor("I64", [0, 5], 0, 0)}, 0)
    yield "sub-byte", safetensors({"f": tensor("F4", [2], 0, 1)}, 1)
    yield "padded", safetensors(b'{"a":%s}   ' % json.dumps(
        tensor("U8", [1], 0, 1)).encode(), 1)
    yield "hole", safetensors({"a": tensor("U8", [1], 1, 2)}, 2)
    yield "overflow", safetensors({"a": tensor("F32", [2**32, 2**32], 0, 0)}, 0)
    yield "deep", safetensors(b'{"a":' * 20, 0)
    yield "too-long", struct.pack("<Q", 100_000_001) + b"{}"


def config_seeds():
    base = {
        "model_type": "llama",
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 128,
        "vocab_size": 100,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "eos_token_id": [2, 3],
        "tie_word_embeddings": True,
    }
    llama3 = {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    yield "llama", base
    yield "llama3", base | {"rope_scaling": llama3}
    yield "parameters", base | {"rope_parameters": llama3 | {"rope_theta": 5e5}}
    yield "mistral", base | {"model_type": "mistral", "sliding_window": 32}
    yield "qwen2", base | {"model_type": "qwen2", "use_sliding_window": False}
    yield "mixtral", base | {"model_type": "mixtral"}
    yield "huge", base | {"hidden_size": 2**64 - 1}
    yield "index", {
        "metadata": {"total_size": 8},
        "weight_map": {"a": "1.safetensors", "b": "2.safetensors"},
    }
    yield "outside", {"weight_map": {"a": "../1.safetensors"}}


def main():
    targets = {
        "gguf": gguf_seeds(),
        "safetensors": safetensors_seeds(),
        "config_json": ((n, json.dumps(c).encode()) for n, c in config_seeds()),
    }
    for target, seeds in targets.items():
        folder = CORPUS / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds:
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
