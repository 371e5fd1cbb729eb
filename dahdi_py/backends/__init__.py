# SPDX-License-Identifier: GPL-2.0-or-later
"""Cards behind one contract: the kernel's spans and the simulated card's."""
