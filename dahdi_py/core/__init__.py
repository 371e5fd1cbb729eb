# SPDX-License-Identifier: GPL-2.0-or-later
"""Pure decisions: no input or output, no clock, no event loop."""
