#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints what each CUDA kernel takes on each GPU, from what a build has left
beside its objects, and fails if one spills registers or was not compiled for
every GPU. Without a folder it only tests itself.

    cmake --build --preset release
    tests/kernels/cuda/check_resources.py build/release/kernels/cuda [--json]
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys

ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(sm_\w+)'")
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers")


def read(lines):
    """{kernel: {gpu: {"registers": n, "spilled": bytes}}}"""
    kernels = collections.defaultdict(dict)
    current = None
    for line in lines:
        if found := ENTRY.search(line):
            current = kernels[found[1]].setdefault(found[2], {})
        elif current is None:
            continue
        elif found := SPILLS.search(line):
            current["spilled"] = int(found[1]) + int(found[2])
        elif found := USED.search(line):
            current["registers"] = int(found[1])
            current = None
    return dict(kernels)


def lines_of(built):
    """The reports beside the objects that there are."""
    for log in sorted(built.rglob("*.cu.o.log")):
        if log.with_suffix("").exists():
            yield from log.read_text().splitlines()


def faults_of(kernels):
    gpus = {gpu for each in kernels.values() for gpu in each}
    for name, each in kernels.items():
        for gpu in sorted(gpus - set(each)):
            yield f"{name}: not compiled for {gpu}"
        for gpu, taken in each.items():
            if "registers" not in taken:
                yield f"{name}: no report for {gpu}"
            if taken.get("spilled"):
                yield f"{name}: spills {taken['spilled']} bytes on {gpu}"


def demangled(names):
    text = subprocess.run(
        ["c++filt"], input="\n".join(names), capture_output=True, text=True
    ).stdout.splitlines()
    return dict(zip(names, text))


def short(name):
    """Without parameters and our own namespaces."""
    name = name.replace("(anonymous namespace)::", "")
    name = name.replace("sluice::cuda::", "").removeprefix("void ")
    name = re.sub(r"\([\w:]+\)(?=\d)", "", name)  # of an enumerator
    return re.sub(r"\(.*", "", name)


def text_of(taken):
    """Registers, and the bytes that are spilled."""
    spilled = taken.get("spilled")
    return str(taken.get("registers", "-")) + (f"+{spilled}" if spilled else "")


def print_table(kernels):
    names = demangled(sorted(kernels))
    gpus = sorted({gpu for each in kernels.values() for gpu in each})
    print("registers+spilled bytes".rjust(8 * len(gpus)), " kernel")
    print("".join(gpu.rjust(8) for gpu in gpus))
    for mangled, name in sorted(names.items(), key=lambda each: each[1]):
        taken = [text_of(kernels[mangled].get(gpu, {})) for gpu in gpus]
        print("".join(text.rjust(8) for text in taken), "", short(name))
    print(f"{len(kernels)} kernels for {', '.join(gpus)}")


def self_test():
    log = [
        "ptxas info    : Compiling entry function '_Z1av' for 'sm_80'",
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads",
        "ptxas info    : Used 40 registers, used 1 barriers",
        "ptxas info    : Compiling entry function '_Z1av' for 'sm_90a'",
        "    8 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads",
        "ptxas info    : Used 255 registers",
        "ptxas info    : Compiling entry function '_Z1bv' for 'sm_80'",
    ]
    kernels = read(log)
    assert kernels["_Z1av"]["sm_80"] == {"spilled": 0, "registers": 40}
    faults = sorted(faults_of(kernels))
    assert faults == [
        "_Z1av: spills 12 bytes on sm_90a",
        "_Z1bv: no report for sm_80",
        "_Z1bv: not compiled for sm_90a",
    ], faults
    assert not list(faults_of(read(log[:3])))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("built", type=pathlib.Path, nargs="?")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    self_test()
    if options.built is None:
        return 0
    kernels = read(lines_of(options.built))
    if not kernels:
        print(f"there is no report of a kernel in {options.built}")
        return 1
    if options.json:
        print(json.dumps(kernels))
    else:
        print_table(kernels)
    faults = list(faults_of(kernels))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
