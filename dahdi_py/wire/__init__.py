# SPDX-License-Identifier: GPL-2.0-or-later
"""Varlink on unix sockets, with descriptors: framing, messages, servers, callers; used by every process."""
