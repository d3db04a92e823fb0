# SPDX-License-Identifier: Apache-2.0
"""Writes models as Hugging Face directories."""

import json
import struct

import torch

SAFETENSORS_TYPES = {torch.float32: "F32", torch.bfloat16: "BF16"}


def write_json(path, content):
    text = json.dumps(content, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_safetensors(path, tensors):
    """One safetensors file of {name: tensor}; returns the bytes of data."""
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": SAFETENSORS_TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            raw = tensor.contiguous().view(-1).view(torch.uint8)
            file.write(raw.numpy().tobytes())
    return offset


def write_sharded(directory, tensors, shards):
    """model-0000k-of-0000n.safetensors and their index."""
    names, weight_map, total = list(tensors), {}, 0
    for shard in range(shards):
        file_name = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        begin = len(names) * shard // shards
        end = len(names) * (shard + 1) // shards
        part = {name: tensors[name] for name in names[begin:end]}
        total += write_safetensors(directory / file_name, part)
        weight_map.update({name: file_name for name in part})
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    write_json(directory / "model.safetensors.index.json", index)


def named_tensors(model, dtype):
    """{Hugging Face name: tensor} of a model of model.py."""
    return {
        name if name.startswith("lm_head") else f"model.{name}": tensor.to(dtype)
        for name, tensor in model.state_dict().items()
    }


def config(shape, family="llama", dtype="bfloat16"):
    """The contents of config.json; family is llama, mistral or qwen2."""
    content = {
        "architectures": [f"{family.capitalize()}ForCausalLM"],
        "model_type": family,
        "hidden_act": "silu",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_theta": shape.rope_theta,
        "rope_scaling": shape.rope_scaling,
        "tie_word_embeddings": shape.tied_embeddings,
        "torch_dtype": dtype,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
        "use_cache": True,
    }
    if family == "llama":
        content |= {"attention_bias": False, "mlp_bias": False}
    if family == "mistral":
        content["sliding_window"] = shape.sliding_window
    if family == "qwen2":
        content["use_sliding_window"] = False
    return content
