# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m dahdi_py.cli``: the command, where it is not installed as ``dahdi-py``."""

from dahdi_py.cli.main import main

main()
