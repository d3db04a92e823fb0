# SPDX-License-Identifier: Apache-2.0
"""A writer for GGUF version 3, and the block encodings Q8_0 and Q4_0.

Source: the format's published description (docs/gguf.md of the ggml project).
Everything is little endian; tensor data are aligned to 32 bytes.
"""

import struct

import numpy as np

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32
BLOCK = 32  # elements that share one scale

# ids of value types in the metadata
UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9

# ids of tensor types, and what general.file_type calls a file mostly of them
TENSOR_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8}
FILE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 7}


def string(text):
    data = text.encode("utf-8")
    return struct.pack("<Q", len(data)) + data


def value(kind, content):
    """One metadata value without its type id."""
    if kind == STRING:
        return string(content)
    code = {UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind]
    return struct.pack(code, content)


def scalar_entry(key, kind, content):
    return string(key) + struct.pack("<I", kind) + value(kind, content)


def array_entry(key, kind, contents):
    head = string(key) + struct.pack("<IIQ", ARRAY, kind, len(contents))
    return head + b"".join(value(kind, content) for content in contents)


def encode_q8_0(weights):
    """32 elements: f16 scale = largest magnitude / 127, then 32 int8."""
    blocks = weights.astype(np.float32).reshape(-1, BLOCK)
    scale = np.abs(blocks).max(1, keepdims=True) / np.float32(127)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)
    scaled = blocks * inverse
    # halves go away from zero, as the published encoder's roundf does
    quants = np.trunc(scaled + np.copysign(np.float32(0.5), scaled))
    return np.concatenate(
        (scale.astype("<f2").view(np.uint8), quants.astype(np.int8).view(np.uint8)),
        axis=1,
    ).tobytes()


def encode_q4_0(weights):
    """32 elements: f16 scale = signed extreme / -8, then 16 bytes.

    Byte j holds element j in its low half and element j + 16 in its high one.
    """
    blocks = weights.astype(np.float32).reshape(-1, BLOCK)
    rows = np.arange(len(blocks))
    extreme = blocks[rows, np.abs(blocks).argmax(1)][:, None]
    scale = extreme / np.float32(-8)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)
    quants = np.minimum(np.floor(blocks * inverse + np.float32(8.5)), 15)
    quants = quants.astype(np.uint8)
    packed = quants[:, :16] | (quants[:, 16:] << 4)
    return np.concatenate((scale.astype("<f2").view(np.uint8), packed), axis=1).tobytes()


ENCODERS = {
    "f32": lambda weights: weights.astype("<f4").tobytes(),
    "f16": lambda weights: weights.astype("<f2").tobytes(),
    "q8_0": encode_q8_0,
    "q4_0": encode_q4_0,
}


def padding(size):
    return b"\0" * (-size % ALIGNMENT)


def write(path, entries, tensors):
    """Writes one file.

    entries: encoded metadata, from scalar_entry and array_entry.
    tensors: (name, f32 array, key of TENSOR_TYPES) in the file's order.
    """
    infos, data, offset = [], [], 0
    for name, weights, kind in tensors:
        encoded = ENCODERS[kind](weights)
        dimensions = weights.shape[::-1]  # fastest first
        infos.append(
            string(name)
            + struct.pack("<I", len(dimensions))
            + struct.pack(f"<{len(dimensions)}Q", *dimensions)
            + struct.pack("<IQ", TENSOR_TYPES[kind], offset)
        )
        encoded += padding(len(encoded))
        data.append(encoded)
        offset += len(encoded)
    head = MAGIC + struct.pack("<IQQ", VERSION, len(infos), len(entries))
    head += b"".join(entries) + b"".join(infos)
    with open(path, "wb") as file:
        file.write(head + padding(len(head)))
        for encoded in data:
            file.write(encoded)
