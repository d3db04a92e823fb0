#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the client's tests with the package of this tree."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent

if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parents[1] / "tools" / "python"))
    sys.path.insert(0, str(HERE))
    suite = unittest.defaultTestLoader.discover(str(HERE))
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    sys.exit(not result.wasSuccessful())
