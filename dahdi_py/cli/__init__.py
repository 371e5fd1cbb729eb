# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``dahdi-py``: one noun a file; it talks to the daemon and opens no device."""
