# SPDX-License-Identifier: Apache-2.0
"""The Llama architecture, with the variants that the golden models need.

Parameter names are the Hugging Face ones without the leading "model.", so
that exporting is renaming. Linear weights are [out, in].
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Shape:
    """Everything that fixes the forward pass except the weights."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    context: int = 512
    rope_theta: float = 10000.0
    rope_scaling: dict | None = None  # rope_type "llama3" and its factors
    norm_epsilon: float = 1e-5
    qkv_bias: bool = False  # qwen2
    sliding_window: int | None = None  # mistral
    tied_embeddings: bool = True


PEBBLE = Shape(
    vocabulary=768, hidden=256, layers=4, heads=8, kv_heads=4, head_dim=32, ffn=640
)
PEBBLE_TURNS = PEBBLE  # trained on conversations
PEBBLE_DRAFT = Shape(
    vocabulary=768, hidden=96, layers=3, heads=3, kv_heads=1, head_dim=32, ffn=192
)


class RmsNorm(nn.Module):
    def __init__(self, width, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x):
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon)
        return x * scale * self.weight


def scale_frequencies(frequencies, scaling):
    """Llama 3.1 scaling: slow rotations stretched, fast ones kept."""
    low = scaling["original_max_position_embeddings"] / scaling["low_freq_factor"]
    high = scaling["original_max_position_embeddings"] / scaling["high_freq_factor"]
    wavelength = 2 * math.pi / frequencies
    smooth = (
        scaling["original_max_position_embeddings"] / wavelength
        - scaling["low_freq_factor"]
    ) / (scaling["high_freq_factor"] - scaling["low_freq_factor"])
    slowed = frequencies / scaling["factor"]
    mixed = (1 - smooth) * slowed + smooth * frequencies
    scaled = torch.where(wavelength > low, slowed, frequencies)
    between = (wavelength <= low) & (wavelength >= high)
    return torch.where(between, mixed, scaled)


def rope_tables(shape, length, dtype):
    """Cosines and sines, each [length, head_dim], halves repeated."""
    even = torch.arange(0, shape.head_dim, 2, dtype=torch.float64)
    frequencies = shape.rope_theta ** (-even / shape.head_dim)
    if shape.rope_scaling:
        frequencies = scale_frequencies(frequencies, shape.rope_scaling)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies)
    angles = torch.cat((angles, angles), -1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x, cosines, sines):
    """RoPE in the half-split layout of Hugging Face checkpoints."""
    first, second = x.chunk(2, -1)
    return x * cosines + torch.cat((-second, first), -1) * sines


def attention_mask(shape, length, dtype):
    """[length, length]: 0 where a query sees a key, else minus infinity."""
    distance = torch.arange(length)[:, None] - torch.arange(length)[None, :]
    hidden = distance < 0
    if shape.sliding_window:
        hidden |= distance >= shape.sliding_window
    return torch.zeros(length, length, dtype=dtype).masked_fill(hidden, -math.inf)


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        query, key = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
        self.q_proj = nn.Linear(shape.hidden, query, bias=shape.qkv_bias)
        self.k_proj = nn.Linear(shape.hidden, key, bias=shape.qkv_bias)
        self.v_proj = nn.Linear(shape.hidden, key, bias=shape.qkv_bias)
        self.o_proj = nn.Linear(query, shape.hidden, bias=False)

    def forward(self, x, rope, mask):
        shape = self.shape
        batch, length, _ = x.shape

        def heads(y, count):
            return y.view(batch, length, count, shape.head_dim).transpose(1, 2)

        q = rotate(heads(self.q_proj(x), shape.heads), *rope)
        k = rotate(heads(self.k_proj(x), shape.kv_heads), *rope)
        v = heads(self.v_proj(x), shape.kv_heads)
        k = k.repeat_interleave(shape.heads // shape.kv_heads, 1)
        v = v.repeat_interleave(shape.heads // shape.kv_heads, 1)
        scores = q @ k.transpose(-1, -2) / math.sqrt(shape.head_dim) + mask
        mixed = (scores.softmax(-1) @ v).transpose(1, 2)
        return self.o_proj(mixed.reshape(batch, length, -1))


class SwiGlu(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.ffn, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.ffn, bias=False)
        self.down_proj = nn.Linear(shape.ffn, shape.hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.input_layernorm = RmsNorm(shape.hidden, shape.norm_epsilon)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RmsNorm(shape.hidden, shape.norm_epsilon)
        self.mlp = SwiGlu(shape)

    def forward(self, x, rope, mask):
        x = x + self.self_attn(self.input_layernorm(x), rope, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Model(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = RmsNorm(shape.hidden, shape.norm_epsilon)
        if not shape.tied_embeddings:
            self.lm_head = nn.Linear(shape.hidden, shape.vocabulary, bias=False)

    def hidden_states(self, tokens):
        """tokens [batch, length] -> [batch, length, hidden], normalised."""
        x = self.embed_tokens(tokens)
        rope = rope_tables(self.shape, tokens.shape[1], x.dtype)
        mask = attention_mask(self.shape, tokens.shape[1], x.dtype)
        for layer in self.layers:
            x = layer(x, rope, mask)
        return self.norm(x)

    def logits(self, hidden):
        head = self.embed_tokens if self.shape.tied_embeddings else self.lm_head
        return F.linear(hidden, head.weight)

    def forward(self, tokens):
        return self.logits(self.hidden_states(tokens))


def initialise(model, generator):
    """Normal weights of deviation 0.02, smaller into the residual stream."""
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            continue
        deviation = 0.02
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            deviation /= math.sqrt(2 * model.shape.layers)
        with torch.no_grad():
            parameter.normal_(0.0, deviation, generator=generator)


def count_parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())
