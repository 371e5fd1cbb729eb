# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command leaves behind is freed as soon as it is answered, and not by a collection in the middle of others."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dahdi_py.wire.framing import close_all
from dahdi_py.wire.messages import host as m
from dahdi_py.wire.messages.common import Party
from tests.linehost.rig import owner
from tests.linehost.virtual import Asked, Service

_TIMES = 20


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with closing(Service(tmp_path)) as service:
        service.host.advance(10)
        assert all(line.link_up for line in service.host.lines)
        yield service


@contextmanager
def garbage() -> Iterator[Counter[str]]:
    """What only a collection would free, of all that was made in the block, by kind."""
    found: Counter[str] = Counter()
    gc.collect()
    enabled, debug = gc.isenabled(), gc.get_debug()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found.update(type(one).__name__ for one in gc.garbage)
    finally:
        gc.set_debug(debug)
        gc.garbage.clear()
        if enabled:
            gc.enable()


def settled(service: Service, asked: Asked) -> Asked:
    """The command was answered; what came with the answer is closed."""
    service.host.card.settle()
    assert asked.answered
    close_all(asked.fds)
    return asked


def allocate(service: Service) -> None:
    """A channel is leased, opened and given back."""
    asked = settled(service, service.ask("Reserve", m.ReserveRequest(spans=["a", "c"], owner=owner())))
    service.ask("Release", m.ReleaseRequest(token=asked.reply_with.token))


def allocate_and_open(service: Service) -> None:
    """The same, in two steps."""
    token = service.ask("Reserve", m.ReserveRequest(spans=["a"], owner=owner(), open=False)).reply_with.token
    settled(service, service.ask("Open", m.OpenRequest(token=token)))
    service.ask("Release", m.ReleaseRequest(token=token))


def allocate_a_span(service: Service) -> None:
    """Every channel of a span is leased, opened and given back."""
    asked = settled(service, service.ask("ReserveSpan", m.ReserveSpanRequest(span="a", owner=owner())))
    for token in asked.reply_with.tokens:
        service.ask("Release", m.ReleaseRequest(token=token))


def bridge(service: Service) -> None:
    """Two channels are joined and parted."""
    a, b = (
        service.ask("Reserve", m.ReserveRequest(spans=["a"], owner=owner(), open=False)).reply_with.token
        for _ in range(2)
    )
    settled(service, service.ask("Bridge", m.BridgeRequest(a=a, b=b)))
    service.ask("Bridge", m.BridgeRequest(a=a, b=b, on=False))
    for token in (a, b):
        service.ask("Release", m.ReleaseRequest(token=token))


def call(service: Service) -> None:
    """A call is placed, and its caller gives up."""
    service.ask("Place", m.PlaceRequest(call="c", spans=["a"], owner=owner(), called=Party(number="2001")))
    service.host.carry()
    service.ask("Hangup", m.HangupRequest(call="c", cause=16))
    service.host.carry()


@pytest.mark.parametrize("act", [allocate, allocate_and_open, allocate_a_span, bridge, call])
def test_it_is_freed_at_once(service: Service, act: Callable[[Service], None]) -> None:
    for _ in range(3):  # what is made once stays
        act(service)
        service.host.advance(5)
        service.news()
    with garbage() as found:
        for _ in range(_TIMES):
            act(service)
            service.host.advance(5)
            service.news()
    assert sum(found.values()) < _TIMES, found
