# SPDX-License-Identifier: GPL-2.0-or-later
"""The only code that sees C data: libpri, the DAHDI ioctls, the simulated line."""
