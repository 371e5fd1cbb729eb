# SPDX-License-Identifier: GPL-2.0-or-later
"""The handlers of the control socket, a file a concern."""
