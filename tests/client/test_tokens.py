# SPDX-License-Identifier: GPL-2.0-or-later
from typing import Any

from dahdi_py.client.tokens import Tokens
from dahdi_py.wire.messages.events import Event


def _event(kind: str, **members: Any) -> Event:
    return Event(epoch=1, n=1, utc_ns=0, kind=kind, **members)


def test_a_call_that_moves_takes_its_token_along() -> None:
    tokens = Tokens()
    tokens.began("a/1/1", "core", "c")
    tokens.happened(_event("call.moved", call="c", token="a/1/2"))
    assert tokens.held() == [("a/1/2", "core")]
    tokens.happened(_event("call.moved", call="another's", token="a/1/3"))
    tokens.call_ended("c")
    assert tokens.held() == []


def test_a_lease_ends_by_release_or_by_event() -> None:
    tokens = Tokens()
    for counter in range(4):
        tokens.began(f"a/1/{counter}", "core", f"c{counter}" if counter % 2 else "")
    tokens.happened(_event("channel.released", token="a/1/0"))
    tokens.happened(_event("call.answered", call="c1", token="a/1/1"))
    tokens.happened(_event("call.ended", call="c1", token="a/1/1"))
    tokens.ended("a/1/3")
    tokens.call_ended("c3")
    assert tokens.held() == [("a/1/2", "core")]
