# SPDX-License-Identifier: GPL-2.0-or-later
"""A service under fault: a call that talks all the while, others that come and go, and the alarm that says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dahdi_py.client import Client
from tests.service.conversation import Conversation, converse
from tests.service.service import Core, Follower, Service
from tests.service.talk import Talk


def alarm(client: Client, kind: str) -> str:
    """The text of the alarm of that kind; empty when there is none."""
    return next((each.text for each in client.alarms() if each.kind == kind), "")


@contextlib.contextmanager
def talking(service: Service) -> Iterator[tuple[Core, Core, Follower, Conversation]]:
    """A call that is up and talks until the end of the block."""
    with Core(service, ("e1-user",)) as caller, Core(service, ("e1-network",)) as callee, Follower(service) as events:
        call = converse(caller, callee, events, "e1-user")
        with Talk([call.fds]) as talk:
            talk.goes_on()
            yield caller, callee, events, call
            talk.goes_on()
        call.close()


def another_call_comes_and_goes(caller: Core, callee: Core, events: Follower) -> str:
    """Set up, answered and cleared; its id."""
    call = converse(caller, callee, events, "e1-user")
    caller.client.hangup(call.placed)
    events.wait("call.ended", call.placed)
    events.wait("call.ended", call.offered)
    call.close()
    return call.placed
