# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulated card's process: ports, cables and the far ends of its descriptors."""
