# SPDX-License-Identifier: GPL-2.0-or-later
"""A service on a real DAHDI kernel: two E1-sized and two T1 spans, back to back in pairs, that it makes itself."""

from __future__ import annotations

PAIRS = (("E1", 31, "e1-user", "e1-network", "euroisdn"), ("T1", 24, "t1-user", "t1-network", "national"))


def configuration() -> str:
    """A card of the kernel's with four dynamic spans, which the service creates, and a group of each span."""
    dynamic, spans = [], []
    for key, (kind, channels, *names, switch_type) in enumerate(PAIRS, 1):
        for end, (name, node) in enumerate(zip(names, ("cpe", "network"), strict=True)):
            address = f"{key}:{end}"
            dynamic.append(f'{{ driver = "loc", address = "{address}", channels = {channels} }}')
            spans.append(
                f'[[spans]]\nname = "{name}"\ncard = "dahdi"\nhost = "a"\nport = "loc/{address}"\ntype = "{kind}"\n'
                f'switch_type = "{switch_type}"\nnode = "{node}"\n'
                f'[[groups]]\nname = "{name}"\nspans = ["{name}"]\n'
            )
    card = f'[[cards]]\nname = "dahdi"\nkind = "dahdi"\ndynamic = [{", ".join(dynamic)}]\n[[hosts]]\nname = "a"\n'
    return '[service]\nname = "kernel"\nlinger_s = 30\n' + card + "".join(spans)
