# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures as ratios: the service against C floors of the same topology, pinned to one core, in one run."""
