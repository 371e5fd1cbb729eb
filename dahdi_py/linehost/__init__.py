# SPDX-License-Identifier: GPL-2.0-or-later
"""The line host: owns spans, speaks libpri, is the only arbiter of a channel."""
