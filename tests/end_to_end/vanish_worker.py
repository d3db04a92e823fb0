# SPDX-License-Identifier: Apache-2.0
"""A client that is killed in mid-stream: prints a line when tokens flow, and
asks again when a stream ends before the kill."""

import sys

import sluice

timing = sluice.Timing(connect=60.0, reply=5.0, attempts=6)
with sluice.Client(sys.argv[1], timing=timing, timeout=900) as client:
    while True:
        stream = client.stream(sys.argv[2], ignore_eos=True, seed=1)
        next(stream)
        print("streaming", flush=True)
        for _ in stream:
            pass
