#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails if a source file includes against the direction of the layers.

The table below is README's list of folders. With --self-test it first proves
that wrong includes are caught.
"""

import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# folder -> folders of ours that it may include, its own left out. The longest
# folder that holds a file decides.
LAYERS = {
    "config": (),
    "messages": (),
    "kernels": (),
    "memory": ("kernels",),
    "model": ("messages", "kernels", "memory", "config"),
    "actors/policy": ("messages", "memory", "config"),
    "actors": ("config", "messages", "kernels", "memory", "model"),
}
FREE = ("tools", "tests")  # may include everything of ours
# headers that a layer sees through those it may include
SEEN_THROUGH = {"actors/policy": ("kernels/check.hpp",)}  # contract_violation

# include -> where it is allowed, as prefixes of paths; "tests" always is
CONFINED = {
    r"caf/": ("actors/",),
    r"zmq\.hpp|zmq\.h|zmq_addon\.hpp": ("actors/socket_loop", "tools/client/"),
    r"flatbuffers/": ("messages/",),
    r"cuda\w*\.h|cublas\w*\.h|nvml\.h": ("kernels/cuda/", "memory/"),
    r"spdlog/": ("actors/", "tools/"),
}
# what decides knows no clock, no I/O and no threads
POLICY = r"caf/|zmq|spdlog/|fstream|iostream|cstdio|thread|mutex|unistd\.h|sys/"
POLICY_CLOCKS = r"(steady|system|high_resolution)_clock::now"

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.MULTILINE)
SOURCES = (".cpp", ".hpp", ".cu", ".cuh", ".h", ".inc")


def layer_of(path):
    """The longest folder of the table that holds the path, or None."""
    holding = [f for f in (*LAYERS, *FREE) if path.startswith(f + "/")]
    return max(holding, key=len, default=None)


def wrong_layer(path, include):
    """Why a file may not include one of our headers, or None."""
    mine, theirs = layer_of(path), layer_of(include)
    if theirs is None or mine is None or mine in FREE or theirs == mine:
        return None
    is_part = mine == "actors" and theirs == "actors/policy"
    is_seen = include in SEEN_THROUGH.get(mine, ())
    if is_part or is_seen or theirs in LAYERS[mine]:
        return None
    allowed = ", ".join(LAYERS[mine]) or "nothing"
    return f"{mine} may include {allowed}; not {theirs}"


def confined(path, include):
    """Why a file may not include a library's header, or None."""
    if path.startswith("tests/"):
        return None
    for pattern, places in CONFINED.items():
        if re.match(pattern, include) and not path.startswith(places):
            return f"<{include}> belongs to {', '.join(places)}"
    if path.startswith("actors/policy/") and re.match(POLICY, include):
        return f"policies decide without I/O; not <{include}>"
    return None


def problems_of(path, text):
    """All that is wrong with one file; `path` relative to the root."""
    found = []
    for _, include in INCLUDE.findall(text):
        for rule in (wrong_layer, confined):
            reason = rule(path, include)
            if reason:
                found.append(f'{path}: includes "{include}": {reason}')
    if path.startswith("actors/policy/") and re.search(POLICY_CLOCKS, text):
        found.append(f"{path}: reads a clock; take the time as an argument")
    return found


def check_tree(root):
    """Problems of every source file below our folders, and their number."""
    found, count = [], 0
    for folder in sorted({f.partition("/")[0] for f in (*LAYERS, *FREE)}):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SOURCES and path.is_file():
                count += 1
                text = path.read_text(encoding="utf-8", errors="replace")
                found += problems_of(str(path.relative_to(root)), text)
    return found, count


SELF_TEST = (  # path, line, is wrong
    ("kernels/a.cpp", '#include "kernels/ops.hpp"', False),
    ("kernels/a.cpp", '#include "memory/ledger.hpp"', True),
    ("memory/a.cpp", '#include "kernels/tensor.hpp"', False),
    ("memory/a.cpp", '#include "model/engine.hpp"', True),
    ("messages/a.cpp", '#include "config/config.hpp"', True),
    ("messages/a.cpp", "#include <flatbuffers/minireflect.h>", False),
    ("config/a.cpp", '#include "messages/limits.hpp"', True),
    ("model/a.cpp", '#include "actors/interfaces.hpp"', True),
    ("model/a.cpp", "#include <caf/all.hpp>", True),
    ("actors/policy/a.cpp", '#include "memory/ledger.hpp"', False),
    ("actors/policy/a.cpp", '#include "kernels/check.hpp"', False),
    ("actors/policy/a.cpp", '#include "kernels/ops.hpp"', True),
    ("actors/policy/a.cpp", '#include "actors/interfaces.hpp"', True),
    ("actors/policy/a.cpp", "#include <caf/all.hpp>", True),
    ("actors/policy/a.cpp", "#include <fstream>", True),
    ("actors/policy/a.cpp", "auto t = std::chrono::steady_clock::now();", True),
    ("actors/a.cpp", '#include "actors/policy/admission.hpp"', False),
    ("actors/a.cpp", "  #  include <zmq.hpp>", True),
    ("actors/socket_loop.cpp", "#include <zmq.hpp>", False),
    ("tools/client/client.cpp", "#include <zmq.hpp>", False),
    ("tools/cli/map.cpp", "#include <zmq.hpp>", True),
    ("tools/cli/map.cpp", '#include "actors/daemon.hpp"', False),
    ("kernels/cuda/a.cu", "#include <cuda_runtime.h>", False),
    ("kernels/cpu/a.cpp", "#include <cuda_runtime.h>", True),
    ("tests/actors/a.cpp", "#include <caf/all.hpp>", False),
)


def self_test():
    for path, text, is_wrong in SELF_TEST:
        if bool(problems_of(path, text)) != is_wrong:
            sys.exit(f"self-test: {path}: {text}: expected wrong={is_wrong}")
    print(f"self-test: {len(SELF_TEST)} cases")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--self-test", action="store_true")
    if parser.parse_args().self_test:
        self_test()
    found, count = check_tree(ROOT)
    print(*found, f"{count} files, {len(found)} problems", sep="\n")
    return 1 if found or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
