# SPDX-License-Identifier: GPL-2.0-or-later
"""The control daemon: policy, inventory, records and the control socket; it opens no device."""
