# SPDX-License-Identifier: GPL-2.0-or-later
"""Typed messages of every interface: one file an interface, requests strict, replies tolerant of later fields."""
