# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/formats: blocks of every GGUF weight type and the values
that the `gguf` package (0.17 or later, from PyPI) makes of them, and for the
types it can encode, values and their blocks. tests/golden/README.md describes
the files.

    python tools/train/golden_formats.py tests/golden/formats
"""

import struct
import sys
from pathlib import Path

import numpy as np
from gguf import quants
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as ggml

# Where each type keeps its halves: offsets of scales and minima in a block.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2],
    "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [],
}
ENCODED = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]


def write(path, packed, values):
    with open(path, "wb") as out:
        out.write(b"SLGF" + struct.pack("<III", 1, values.size, packed.size))
        out.write(packed.astype(np.uint8).tobytes())
        out.write(values.astype("<f4").tobytes())


def random_blocks(name, generator):
    """Random bits with finite halves: normal ones, a subnormal, zero and a
    negative one."""
    elements, size = GGML_QUANT_SIZES[ggml[name]]
    count = 4 if elements == 256 else 16
    blocks = generator.integers(0, 256, (count, size), dtype=np.uint8)
    for offset in HALVES[name]:
        halves = generator.normal(0, 0.01, count).astype(np.float16)
        halves[:3] = [6e-7, 0, -0.03]
        blocks[:, offset:offset + 2] = halves.view(np.uint8).reshape(count, 2)
    if name == "MXFP4":  # the two subnormal exponents, the largest two
        blocks[:4, 0] = [0, 1, 254, 255]
        blocks[4:, 0] = generator.integers(110, 130, count - 4)
    return blocks


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(7)
    for name in HALVES:
        blocks = random_blocks(name, generator)
        with np.errstate(over="ignore"):
            values = quants.dequantize(blocks, ggml[name])
        write(folder / f"{name.lower()}.decode", blocks, values)
    for name in ENCODED:
        values = generator.normal(0, 0.05, (8, 32)).astype(np.float32)
        values[0] = 0
        values[1] = np.linspace(0.25, 1, 32)
        values[2, 5] = -3
        values[3] *= 1000
        values[4] = np.sign(values[4]) * 0.5
        packed = quants.quantize(values, ggml[name])
        write(folder / f"{name.lower()}.encode", packed, values)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
