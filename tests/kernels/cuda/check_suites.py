#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whether there are the suites that tools/gpu gives to the sanitizers: where
there is a GPU, a name that nobody knows would cost its time.

    check_suites.py TOOL PROGRAM        tools/gpu, test_cuda_emulated
"""

import re
import subprocess
import sys


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr  # Boost.Test lists on stderr


def main(tool, program):
    wanted = set(
        re.findall(r"--run_test=(\w+) ", output_of(tool, "sanitizers", "--dry-run"))
    )
    known = set(re.findall(r"^(\w+)\*?$", output_of(program, "--list_content"), re.M))
    if not wanted:
        sys.exit(f"{tool} names no suite; has its --dry-run changed?")
    if wanted - known:
        sys.exit(f"{tool} names suites that are not there: {wanted - known}")
    print(f"{len(wanted)} suites, all there")


if __name__ == "__main__":
    main(*sys.argv[1:])
