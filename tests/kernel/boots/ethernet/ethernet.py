# SPDX-License-Identifier: GPL-2.0-or-later
"""Two spans over an ethernet cable (TDMoE) that is cut one way or both.

The kernel tells channels only that alarms began or all ended; that one kind took the place of another it tells nobody.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

USER, NETWORK = "02:00:00:00:00:01", "02:00:00:00:00:02"
ADDRESSES = {"user": f"tdm0/{NETWORK}/0", "network": f"tdm1/{USER}/0"}


def configuration(hold_down_s: int = 0, flap_count: int = 1000) -> str:
    """Two T1 spans on the ends of an ethernet cable."""
    dynamic = ", ".join(f'{{ driver = "eth", address = "{address}", channels = 24 }}' for address in ADDRESSES.values())
    spans = "".join(
        f'[[spans]]\nname = "{name}"\ncard = "dahdi"\nhost = "a"\nport = "eth/{ADDRESSES[name]}"\ntype = "T1"\n'
        f'switch_type = "national"\nnode = "{node}"\nhold_down_s = {hold_down_s}\n'
        f'[[groups]]\nname = "{name}"\nspans = ["{name}"]\n'
        for name, node in (("user", "cpe"), ("network", "network"))
    )
    card = f'[[cards]]\nname = "dahdi"\nkind = "dahdi"\ndynamic = [{dynamic}]\n[[hosts]]\nname = "a"\n'
    # The kernel says by itself when a T1 is good again, and integrates what it says.
    alarms = f"[alarms]\nflap_count = {flap_count}\nclear_t1_s = 0\n"
    return '[service]\nname = "ethernet"\nlinger_s = 30\n' + alarms + card + spans


def make_cable() -> None:
    """The ethernet cable is there."""
    if not Path("/sys/class/net/tdm0").exists():
        _run("ip", "link", "add", "tdm0", "address", USER, "type", "veth", "peer", "name", "tdm1", "address", NETWORK)
    for device in ("tdm0", "tdm1"):
        _run("ip", "link", "set", device, "up")


def _run(*words: str) -> None:
    subprocess.run(words, check=True)


class EthernetLine:
    """The cable, seen from the user's end, tdm0.

    Synchronization: one thread.
    """

    def __init__(self) -> None:
        self._deaf: set[str] = set()

    def lose(self, *, arriving: bool = False, leaving: bool = False) -> None:
        """Nothing that is sent to these ends arrives there."""
        wanted = {device for device, deaf in (("tdm0", arriving), ("tdm1", leaving)) if deaf}
        for device in wanted - self._deaf:
            _run("tc", "qdisc", "add", "dev", device, "clsact")
            _run("tc", "filter", "add", "dev", device, "ingress", "matchall", "action", "drop")
        for device in self._deaf - wanted:
            _run("tc", "qdisc", "del", "dev", device, "clsact")
        self._deaf = wanted

    def mend(self) -> None:
        """Everything arrives."""
        self.lose()

    @staticmethod
    def link(up: bool) -> None:
        """The cable is in, or pulled at one end, which both see."""
        _run("ip", "link", "set", "tdm0", "up" if up else "down")
