# SPDX-License-Identifier: Apache-2.0
"""Sluice beside another engine on one machine: what compare.py is made of."""
