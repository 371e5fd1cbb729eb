# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels that are being proved free are waited for by who wants them, and by nobody else; a host in this process."""

import asyncio
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dahdi_py.backends.sim import SimBackend
from dahdi_py.core.config_file import parse
from dahdi_py.core.terms import Alarms, LineType
from dahdi_py.errors import NoChannel
from dahdi_py.linehost.host import LineHost
from dahdi_py.linehost.journal import Journal
from dahdi_py.linehost.line import BChannel
from tests.backends.rig import usual_line
from tests.linehost.rig import Rig, owner, span
from tests.simcard.process import PATIENCE_S, CardProcess


@contextmanager
def cards(run_dir: Path) -> Iterator[None]:
    """Two, of a port each."""
    found = [CardProcess(run_dir / f"{name}.sock", [LineType.E1]) for name in ("sim", "more")]
    try:
        yield
    finally:
        for card in found:
            card.kill()


def released(host: LineHost, name: str) -> BChannel:
    """A channel that was open, and whose proof is under way."""
    channels = host.channels
    channel = channels.channel(name, 5)
    lease = channels.reserve(channel, owner())
    channels.open(lease, lambda error: None)
    channel.line.card.backend.settle()
    assert channel.fd >= 0
    channels.end(lease)
    assert channel.proving
    return channel


def test_a_hunt_waits_for_the_card_of_its_spans_alone(rig: Rig, run_dir: Path) -> None:
    """Nobody reads the other's answers meanwhile but who waits for it."""
    rig.configure(span("a", 1, node="cpe") + span("b", 1, node="cpe").replace('"sim"', '"more"'), ports="E1")
    more = '[[cards]]\nname = "more"\nkind = "sim"\nports = ["E1"]\n[[hosts]]'
    config = parse(tomllib.loads(rig.config.read_text().replace("[[hosts]]", more, 1)))

    async def hunts() -> None:
        with cards(run_dir):
            host = LineHost(
                "h", config, lambda card: SimBackend(card, run_dir / f"{card}.sock", deadline_s=PATIENCE_S),
                Journal(run_dir / "journal"),
            )  # fmt: skip
            for line in host.lines:
                line.card.backend.configure("1", usual_line(LineType.E1))
                line.card.backend.startup("1")
                line.saw_alarms(Alarms(0))
                line.saw_link(True)
            ours, others = released(host, "a"), released(host, "b")
            assert host.channels.hunt(["a"], masks=[1 << 5]) is ours
            assert (ours.proving, others.proving) == (False, True)
            host.channels.reserve(ours, owner())
            with pytest.raises(NoChannel):
                host.channels.hunt(["a"], masks=[1 << 5])
            assert others.proving
            assert host.channels.hunt(["a", "b"], masks=[1 << 5, 1 << 5]) is others
            await host.close()

    asyncio.run(hunts())
