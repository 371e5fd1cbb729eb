# SPDX-License-Identifier: GPL-2.0-or-later
"""The service between T1/E1 PRI hardware and everything that wants a circuit."""

__version__ = "0.1.0"
