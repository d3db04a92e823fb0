# SPDX-License-Identifier: Apache-2.0
"""Proofs of what docs/scheduling.md promises, against real daemons."""

import pathlib
import sys

# The client of this tree, which need not be installed.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python"))
