# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole service on a real DAHDI kernel: two E1-sized and two T1 spans, back to back in pairs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.scenarios import Lines, Scenarios
from tests.service.service import running

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


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lines]:
    directory: Path = tmp_path_factory.mktemp("s")
    with running(directory, configuration()) as service:
        yield Lines(service, tuple((user, network) for _, _, user, network, _ in PAIRS))


@pytest.mark.timeout(400)
class TestOnTheKernel(Scenarios):
    def test_descriptors_are_the_kernels_own(self, lines: Lines) -> None:
        with lines.service.client() as client, client.allocate(span="e1-user") as channel:
            assert channel.media is not None
            assert channel.media.medium == "kernel"
