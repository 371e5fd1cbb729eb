# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls over the cabled spans of a running service: placed by one core, answered by another, open at both ends."""

from __future__ import annotations

from dataclasses import dataclass

from dahdi_py.client import Channel, MediaRequest
from tests.service.service import Core, Follower, Service
from tests.service.talk import CHUNK, DEPTH

DEEP = MediaRequest(chunk=CHUNK, depth=DEPTH)
"""Room for the pauses of a loaded machine."""


@dataclass
class Lines:
    """A running service and its cabled pairs of spans, as configured names (user side, network side)."""

    service: Service
    pairs: tuple[tuple[str, str], ...]


@dataclass
class Conversation:
    """An answered call: its two ids (as placed, as offered) and both channels."""

    placed: str
    offered: str
    near: Channel
    far: Channel

    @property
    def fds(self) -> tuple[int, int]:
        return self.near.fileno(), self.far.fileno()

    def close(self) -> None:
        self.near.close()
        self.far.close()


def converse(caller: Core, callee: Core, events: Follower, span: str, media: MediaRequest = DEEP) -> Conversation:
    """A call placed on `span` and answered at its other end."""
    placed = caller.client.place("2001", span=span, calling="5551000")
    offer = callee.offer()
    assert (offer.called.number, offer.calling.number) == ("2001", "5551000")
    claimed = callee.client.claim(offer.call)
    callee.client.alert(offer.call)
    events.wait("call.alerting", placed.call)
    callee.client.answer(offer.call)
    events.wait("call.answered", placed.call)
    events.wait("call.answered", offer.call)
    return Conversation(
        placed.call,
        offer.call,
        caller.client.open(placed.token, media=media),
        callee.client.open(claimed.token, media=media),
    )
